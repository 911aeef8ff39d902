"""The page of 3-D Secure that a payer is sent to: one button to pass it, one to fail it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

from ..payments import Status
from ..replies import Reply
from .books import StripeBooks
from .shapes import Intent

_PAGE = re.compile(r"/3ds/(pi_\w{1,64})(/pass|/fail)?")
_FORM = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>3-D Secure test page</title>
<h1>3-D Secure test page</h1><p>This stands for the page of the card's issuer.</p>
<form method="post" action="/3ds/{intent}/pass"><button>Complete authentication</button></form>
<form method="post" action="/3ds/{intent}/fail"><button>Fail authentication</button></form></html>
"""


def answer(books: StripeBooks, method: str, path: str, query: str) -> Reply | None:
    """The page, or where the payer goes on after it. None for a path that is none of it."""
    found = _PAGE.fullmatch(path)
    if found is None:
        return None
    intent_id, choice = found.groups()
    if method == "GET" and choice is None:
        return _html(200, _FORM.format(intent=intent_id))
    if method != "POST" or choice is None:
        return None
    intent = books.payer_acts(intent_id, passes=choice == "/pass")
    return None if intent is None else _sent_on(intent)


def _sent_on(intent: Intent) -> Reply:
    """Back to the shop, as docs.stripe.com/payments/payment-intents has it: with the intent and how it went."""
    passed = intent.payment.status is not Status.FAILED
    return_url = intent.about["return_url"]
    if not return_url:
        return _html(200, f"3-D Secure {'passed' if passed else 'failed'}; you may close this page.\n")
    address, _, query = return_url.partition("?")
    said = {
        "payment_intent": intent.payment.id,
        "payment_intent_client_secret": intent.about["client_secret"],
        "redirect_status": "succeeded" if passed else "failed",
    }
    return Reply(302, b"", {"Location": f"{address}?{urlencode([*parse_qsl(query), *said.items()])}"})


def _html(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
