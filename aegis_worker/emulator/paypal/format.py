"""PayPal's wire format."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ..books import Books, Options
from ..ledger import Ledger
from ..server import Routes
from ..telling import EventForm
from ..wire_format import Wake, WireFormat
from .authority import Authority
from .books import PayPalBooks
from .gateway import PayPalGateway
from .routes import PayPalRoutes
from .sources import as_markdown


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = PayPalBooks(ledger, options, wake)
    authority = Authority(ledger.path, options.base_url)
    return books, PayPalRoutes(PayPalGateway(books), books, api_key, authority)


def _credentials(api_key: str) -> Mapping[str, str]:
    """PayPal takes the client's own credentials, too, in place of an access token."""
    return {"authorization": f"Basic {base64.b64encode(api_key.encode()).decode()}"}


FORMAT = WireFormat(
    name="paypal",
    title="PayPal",
    books=PayPalBooks,
    api_key="client_emulator:secret_emulator",
    webhook_secret="1JE4291016473214C",
    build=_build,
    signer=lambda ledger, base_url: Authority(ledger.path, base_url).signed,
    event=EventForm(kind="event_type"),
    credentials=_credentials,
    scripts=as_markdown,
)
