"""Stripe's wire format."""

from __future__ import annotations

from ..books import Books, Options
from ..ledger import Ledger
from ..server import Routes
from ..telling import EventForm
from ..webhooks import signed_in
from ..wire_format import Wake, WireFormat
from . import cards, numbers
from .books import StripeBooks
from .gateway import StripeGateway
from .routes import StripeRoutes


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = StripeBooks(ledger, options, wake, livemode=api_key.startswith(("sk_live_", "rk_live_")))
    return books, StripeRoutes(StripeGateway(books), books, api_key)


FORMAT = WireFormat(
    name="stripe",
    title="Stripe",
    books=StripeBooks,
    api_key="sk_test_emulator",
    webhook_secret="whsec_emulator",
    build=_build,
    signer=lambda ledger, base_url: signed_in("Stripe-Signature"),
    event=EventForm(kind="type", account="account"),
    credentials=lambda api_key: {"authorization": f"Bearer {api_key}"},
    scripts=lambda: f"{cards.as_markdown()}\n\n{numbers.as_markdown()}",
)
