"""Adyen's wire format."""

from __future__ import annotations

from ..books import Books, Options
from ..ledger import Ledger
from ..server import Routes
from ..telling import EventForm
from ..wire_format import Wake, WireFormat
from . import cards, numbers
from .books import AdyenBooks
from .gateway import AdyenGateway
from .routes import AdyenRoutes
from .webhooks import signed


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = AdyenBooks(ledger, options, wake)
    return books, AdyenRoutes(AdyenGateway(books), books, api_key)


FORMAT = WireFormat(
    name="adyen",
    title="Adyen",
    books=AdyenBooks,
    api_key="AQE_emulator",
    webhook_secret="0a1b2c3d" * 8,
    build=_build,
    signer=lambda ledger, base_url: signed,
    event=EventForm(kind="eventCode", account="merchantAccountCode", mode_is_signed=False),
    credentials=lambda api_key: {"x-api-key": api_key},
    scripts=lambda: f"{cards.as_markdown()}\n\n{numbers.as_markdown()}",
)
