"""Where a payer goes on after the page of 3-D Secure, and what Adyen's library finds out in the shop's page.

Source: docs.adyen.com/online-payments/3d-secure/redirect-3ds2 and …/native-3ds2.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from ..challenges import results
from ..pages import sent_on
from ..replies import Reply, json_reply
from .books import AdyenBooks
from .shapes import Charge


def clicked(books: AdyenBooks, payment_id: str, *, passes: bool) -> Reply | None:
    """Back to the shop, with what it has to hand on. Nothing becomes of the payment before. None for an unknown payment."""
    with books.transaction() as tx:
        charge = books.charge(tx, payment_id)
    if charge is None:
        return None
    address, _, query = charge.payment.return_url.partition("?")
    result = _brought_back(charge, "passed" if passes else "failed")
    said = urlencode([*parse_qsl(query), ("redirectResult", result)])
    return sent_on(f"{address}?{said}", passed=passes)


def library(books: AdyenBooks, token: str) -> Reply | None:
    """What the library hands to the page's `onAdditionalDetails`, by how the payer did. None for an unknown challenge."""
    payment_id, _, secret = token.partition(".")
    with books.transaction() as tx:
        charge = books.charge(tx, payment_id)
    if charge is None or not secret or charge.payment.client_secret != secret:
        return None
    shown = {
        how: {"details": {"threeDSResult": _brought_back(charge, how)}, "paymentData": f"Ab02b4c0!{secret}"}
        for how in ("passed", "failed")
    }
    return json_reply(200, shown)


def _brought_back(charge: Charge, how: str) -> str:
    """What `/payments/details` is to be told: the payment's reference and the challenge's result."""
    return f"{charge.payment.id}.{results(charge.payment.client_secret)[how]['challenge_result']}"
