"""What the emulator has to know of a wire format: each folder that speaks one exports its own `FORMAT`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .books import Books, Options
from .ledger import Ledger
from .server import Routes
from .telling import EventForm, Signer

Wake = Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class WireFormat:
    """`build` makes the books and the routes of an instance from its ledger, options, waker of its webhook sender, and key.

    `signer` gives, for an instance with this ledger at a base URL, what signs its webhooks. `credentials`: the headers
    with which a call bears this API key. `scripts`: what each test card does, as Markdown. `books`: their class, which
    says what it can be told to do. `api_key` and `webhook_secret`: for an instance that is given none, of the form
    that the format wants. `table`: what a table in gateways.toml must say besides where an emulator is started for it.
    """

    name: str
    title: str
    books: type[Books]
    api_key: str
    webhook_secret: str
    build: Callable[[Ledger, Options, Wake, str], tuple[Books, Routes]]
    signer: Callable[[Ledger, str], Signer]
    event: EventForm
    credentials: Callable[[str], Mapping[str, str]]
    scripts: Callable[[], str]
    table: Mapping[str, Any] = field(default_factory=dict)
