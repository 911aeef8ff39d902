"""The page on which a payer approves an order, or goes away, and where they are sent on."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

from ..payments import Status
from ..replies import Refusal, Reply
from .books import PayPalBooks
from .charges import passes_if_clicked
from .shapes import PAYER

_BUTTON = re.compile(r"/checkoutnow/(\w{1,64})/(approve|cancel)")
_FORM = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>PayPal test page</title>
<h1>PayPal test page</h1><p>This stands for the page on which a payer logs in and approves the payment.</p>
<form method="post" action="/checkoutnow/{order}/approve"><button>Pay</button></form>
<form method="post" action="/checkoutnow/{order}/cancel"><button>Cancel and return to the shop</button></form></html>
"""


def approve_page(books: PayPalBooks, method: str, path: str, query: str) -> Reply | None:
    """The page, or where the payer goes on after it. None for a path that is none of it, or an order that nobody has."""
    if method == "GET" and path == "/checkoutnow":
        order_id = dict(parse_qsl(query)).get("token", "")
        return _html(_FORM.format(order=order_id)) if re.fullmatch(r"\w{1,64}", order_id) else None
    found = _BUTTON.fullmatch(path)
    if found is None or method != "POST":
        return None
    try:
        return _clicked(books, found[1], approves=found[2] == "approve")
    except Refusal:
        return None


def _clicked(books: PayPalBooks, order_id: str, *, approves: bool) -> Reply:
    """Raises Refused(404)."""
    with books.transaction() as tx:
        now = books.now()
        books.settle_due(tx, now)
        order = books.order(tx, order_id)
        payment = order.payment
        if payment.status is Status.REQUIRES_ACTION and approves:
            passes = passes_if_clicked(books.script_of(tx, payment))
            payment.become(Status.AUTHENTICATED if passes else Status.VOIDED)
            tx.update(payment)
            books.queue_news(tx, payment, now)
        was_approved = approves and payment.status is not Status.VOIDED
    if was_approved:
        return _sent_on(order.about["return_url"], [("token", order_id), ("PayerID", PAYER)])
    return _sent_on(order.about["cancel_url"], [("token", order_id)])


def _sent_on(url: str, brought: list[tuple[str, str]]) -> Reply:
    if not url:
        return _html("You may close this page.\n")
    address, _, query = url.partition("?")
    return Reply(302, b"", {"Location": f"{address}?{urlencode([*parse_qsl(query), *brought])}"})


def _html(text: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
