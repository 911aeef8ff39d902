"""The sandbox's own wire format."""

from __future__ import annotations

from . import tokens
from .books import Books, Options
from .gateway import Gateway
from .ledger import Ledger
from .routes import SandboxRoutes
from .server import Routes
from .telling import EventForm
from .webhooks import signed_in
from .wire_format import Wake, WireFormat


def _build(ledger: Ledger, options: Options, wake: Wake, api_key: str) -> tuple[Books, Routes]:
    books = Books(ledger, options, wake)
    return books, SandboxRoutes(Gateway(books), books, api_key)


FORMAT = WireFormat(
    name="sandbox",
    title="Sandbox",
    books=Books,
    api_key="sk_sandbox",
    webhook_secret="whsec_sandbox",
    build=_build,
    signer=lambda ledger, base_url: signed_in("Sandbox-Signature"),
    event=EventForm(kind="type"),
    credentials=lambda api_key: {"authorization": f"Bearer {api_key}"},
    scripts=tokens.as_markdown,
)
