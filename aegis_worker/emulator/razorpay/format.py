"""Razorpay's wire format."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from ..books import Books, Options
from ..ledger import Ledger
from ..server import Routes
from ..telling import EventForm
from ..wire_format import Wake, WireFormat
from .books import RazorpayBooks
from .events import signed
from .gateway import RazorpayGateway
from .routes import RazorpayRoutes
from .sources import as_markdown


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = RazorpayBooks(ledger, options, wake, key_secret=api_key.partition(":")[2])
    return books, RazorpayRoutes(RazorpayGateway(books), books, api_key)


def _credentials(api_key: str) -> Mapping[str, str]:
    return {"authorization": f"Basic {base64.b64encode(api_key.encode()).decode()}"}


FORMAT = WireFormat(
    name="razorpay",
    title="Razorpay",
    books=RazorpayBooks,
    api_key="rzp_test_Emulator000001:secret_emulator",
    webhook_secret="whsec_razorpay",
    build=_build,
    signer=lambda ledger, base_url: signed,
    event=EventForm(kind="event", account="account_id"),
    credentials=_credentials,
    scripts=as_markdown,
)
