"""Braintree's wire format."""

from __future__ import annotations

import base64
from functools import partial

from ..altering import of_another_amount
from ..books import Books, Options
from ..ledger import Ledger
from ..server import Routes
from ..telling import EventForm
from ..wire_format import Wake, WireFormat
from . import nonces, numbers
from .books import BraintreeBooks
from .events import FORM, PUBLIC_KEY, signed, with_payload, without_signature
from .gateway import BraintreeGateway
from .routes import BraintreeRoutes

_PRIVATE_KEY = "private_emulator"


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = BraintreeBooks(ledger, options, wake)
    return books, BraintreeRoutes(BraintreeGateway(books), books, api_key)


FORMAT = WireFormat(
    name="braintree",
    title="Braintree",
    books=BraintreeBooks,
    api_key=f"{PUBLIC_KEY}:{_PRIVATE_KEY}",
    webhook_secret=_PRIVATE_KEY,
    build=_build,
    signer=lambda ledger, base_url: signed,
    event=EventForm(
        kind="kind",
        content_type=FORM,
        forged=partial(with_payload, change=of_another_amount),
        unsigned=without_signature,
    ),
    credentials=lambda api_key: {"authorization": f"Basic {base64.b64encode(api_key.encode()).decode()}"},
    scripts=lambda: f"{nonces.as_markdown()}\n\n{numbers.as_markdown()}",
)
