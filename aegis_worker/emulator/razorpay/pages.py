"""Checkout as a page of the emulator's own: the payer pays an order, and goes back to the shop with what proves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from ..replies import Refusal, Reply
from ..script_table import AMOUNT_BASE
from .books import RazorpayBooks
from .sources import METHODS

_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Razorpay test Checkout</title>
<h1>Razorpay test Checkout</h1><p>{text}</p>
{forms}</html>
"""
_PAY = """\
<form method="post" action="/checkout/{order}/pay"><input type="hidden" name="method" value="{method}">{hidden}\
<label>Test token <input name="token" placeholder="tok_ok"></label> <button>Pay by {method}</button></form>
"""


def checkout_page(books: RazorpayBooks, order_id: str, given: Mapping[str, str]) -> Reply | None:
    """One button for each method. None for an order that nobody has. `given`: in the address."""
    try:
        with books.transaction() as tx:
            body = books.order(tx, order_id).body
    except Refusal:
        return None
    hidden = _hidden("callback_url", given["callback_url"]) if "callback_url" in given else ""
    forms = "".join(_PAY.format(order=order_id, method=method, hidden=hidden) for method in METHODS)
    text = (
        f"This stands for the window in which a payer pays {body['amount']} minor units of {body['currency']}."
        f" Without a test token, the amount says what happens ({AMOUNT_BASE + 1:,} and up)."
    )
    return _html(200, text, forms)


def answer_page(answer: Reply, order_id: str, posted: Mapping[str, str]) -> Reply:
    """What a payer who has clicked sees of the answer: the way back to the shop, on to the bank, or to another attempt."""
    if not answer.body.startswith(b"{") or "Content-Type" in answer.headers:
        return answer
    said = json.loads(answer.body)
    if "error" in said:
        again = f'<p><a href="/checkout/{order_id}">Try again</a></p>'
        return _html(answer.status, f"Payment failed: {said['error']['description']}", again)
    if "next" in said:
        url = escape(said["next"][0]["url"])
        return _html(200, "The payment is not decided yet.", f'<p><a href="{url}">Go on</a></p>')
    callback_url = posted.get("callback_url", "")
    if not callback_url:
        return _html(200, "Paid. You may close this page.", "")
    fields = "".join(_hidden(name, value) for name, value in said.items())
    form = f'<form method="post" action="{escape(callback_url)}">{fields}<button>Return to the shop</button></form>'
    return _html(200, "Paid.", form)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def _html(status: int, text: str, forms: str) -> Reply:
    page = _PAGE.format(text=escape(text), forms=forms)
    return Reply(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
