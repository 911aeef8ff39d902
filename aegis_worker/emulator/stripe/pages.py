"""Where a payer goes on after the page of 3-D Secure, as docs.stripe.com/payments/payment-intents has it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from ..pages import sent_on
from ..payments import Status
from ..replies import Reply
from .books import StripeBooks


def clicked(books: StripeBooks, intent_id: str, *, passes: bool) -> Reply | None:
    """Back to the shop, with the intent and how it went. None for an intent that does not exist."""
    intent = books.payer_of(intent_id, passes=passes)
    if intent is None:
        return None
    passed = intent.payment.status is not Status.FAILED
    return_url: str = intent.about["return_url"] or ""
    if return_url:
        address, _, query = return_url.partition("?")
        said = {
            "payment_intent": intent.payment.id,
            "payment_intent_client_secret": intent.about["client_secret"],
            "redirect_status": "succeeded" if passed else "failed",
        }
        return_url = f"{address}?{urlencode([*parse_qsl(query), *said.items()])}"
    return sent_on(return_url, passed=passed)
