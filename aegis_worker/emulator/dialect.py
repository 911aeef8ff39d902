"""A wire format in a few lines: another gateway's paths, fields and events over the sandbox's ledger, scripts and faults.

The gateways that ship have wire formats of their own. A further one, in a package of its own, mostly differs from the
sandbox in what things are called. Its `Dialect` says that, and everything else is the sandbox's: test tokens, idempotency
keys, captures and refunds, 3-D Secure's page, webhooks, and the endpoints under /_sandbox/ that tests use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from . import tokens
from .books import Books, Options
from .choosing import Reach
from .gateway import Gateway
from .ledger import Ledger
from .replies import Reply, error
from .routes import SandboxRoutes
from .rows import Document
from .scripts import MOVING, OPERATIONS
from .server import Routes
from .telling import EventForm
from .webhooks import signature
from .wire_format import Wake, WireFormat

Body: TypeAlias = dict[str, Any]
# The sandbox's path and body for a call of this method, path (with its query) and body.
Asked: TypeAlias = Callable[[str, str, Body], tuple[str, Body] | None]
_OF_OPERATIONS = {"capture": ("reference", "amount", "final"), "refund": ("reference", "amount")}


def below(path: str, new: Callable[[Body], Body]) -> Asked:
    """Of a gateway that has its payments below one path, as the sandbox has its own: `new` gives the sandbox's body of a
    charge, which is a POST to that path; what is done to a payment has its operation behind the payment's id.
    """

    def asked(method: str, target: str, body: Body) -> tuple[str, Body] | None:
        if target != path and not target.startswith((f"{path}/", f"{path}?")):
            return None
        if (method, target) == ("POST", path):
            return "/v1/charges", new(body)
        fields = _OF_OPERATIONS.get(target.rpartition("/")[2], ("reference",))
        return f"/v1/payments{target.removeprefix(path)}", {
            name: body[name] for name in fields if name in body
        }

    return asked


def _bearer(api_key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {api_key}"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a gateway says otherwise than the sandbox (docs/reference/sandbox.md has the sandbox's own fields).

    `asked`: the sandbox's path and body for a call of this gateway's method, path (with its query) and body; None where
    this gateway has no such path. `payment`: how the gateway shows a payment of the sandbox's. `listed`: how it answers a
    look-up by reference, of the reference and the payments as it shows them. `refused`: its words for an error's code and
    message. `event`: how it tells of an event, of the sandbox's event and the payment as the gateway shows it.
    `signature_header`: of its webhooks. `key_header`: of idempotency keys. `credentials`: the headers of a call that bears
    this API key. `table`: what a table in gateways.toml must say besides, where `aegis up` makes one.
    """

    name: str
    title: str
    asked: Asked
    payment: Callable[[Body], Body]
    signature_header: str
    refused: Callable[[str, str], Body] = lambda code, message: {"code": code, "message": message}
    event: Callable[[Body, Body], Body] = lambda event, payment: {
        "id": event["id"],
        "type": event["type"],
        "reference": event.get("operation", payment)["reference"],
        "payment": payment,
    }
    listed: Callable[[str, list[Body]], Body] = lambda reference, payments: {
        "reference": reference,
        "payments": payments,
    }
    key_header: str = "Idempotency-Key"
    credentials: Callable[[str], Mapping[str, str]] = _bearer
    api_key: str = "key_emulator"
    webhook_secret: str = "whsec_emulator"
    table: Mapping[str, Any] = field(default_factory=dict)

    def wire_format(self) -> WireFormat:
        """The wire format, for the entry point group `aegispay.emulators`."""
        reach = Reach(self.name, frozenset(OPERATIONS), MOVING)
        books = type(f"{self.title}Books", (_DialectBooks,), {"reach": reach})
        return WireFormat(
            name=self.name,
            title=self.title,
            books=books,
            api_key=self.api_key,
            webhook_secret=self.webhook_secret,
            build=partial(_build, self, books),
            signer=lambda ledger, base_url: self._signed,
            event=EventForm(kind="type"),
            credentials=self.credentials,
            scripts=tokens.as_markdown,
            table=self.table,
        )

    def _signed(self, secret: str, timestamp: int, event: bytes) -> tuple[dict[str, str], bytes]:
        body = self._told(event)
        return {self.signature_header: signature(secret, timestamp, body)}, body

    def _told(self, event: bytes) -> bytes:
        try:
            read: Body = json.loads(event)
        except ValueError:
            return event  # it is spoilt, and in this gateway's words already
        about = read["data"]
        told = self.event(read, self.payment(about) if about["object"] == "payment" else about)
        return json.dumps(told).encode()

    def shown(self, reply: Reply) -> Reply:
        """An answer of the sandbox in this gateway's words. What is spoilt on the way stays as it is."""
        try:
            body = json.loads(reply.body)
        except ValueError:
            return reply
        status, said = self._said(reply.status, body)
        return replace(reply, status=status, body=json.dumps(said).encode())

    def _said(self, status: int, body: Any) -> tuple[int, Any]:
        match body:
            case {"object": "payment"}:
                return status, self.payment(body)
            case {"reference": str(reference), "data": list(payments)}:
                return status, self.listed(reference, [self.payment(one) for one in payments])
            case {"error": _, "payment": payment} if status == 402:
                return 200, self.payment(payment)
            case {"error": {"code": code, "message": message}}:
                return status, self.refused(code, message)
        return status, body


class _DialectBooks(Books):
    """A gateway that tells of no disputes, because what it would say of them can't be guessed."""

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """None."""
        return []


def _build(
    dialect: Dialect, books_of: type[Books], ledger: Ledger, options: Options, wake: Wake, api_key: str
) -> tuple[Books, Routes]:
    books = books_of(ledger, options, wake)
    return books, _DialectRoutes(dialect, books, api_key)


class _DialectRoutes:
    """The gateway's own paths, and the sandbox's for whatever else is asked."""

    def __init__(self, dialect: Dialect, books: Books, api_key: str) -> None:
        self._dialect, self._sandbox = dialect, SandboxRoutes(Gateway(books), books, api_key)
        self._wanted = {name.lower(): value for name, value in dialect.credentials(api_key).items()}
        self._authorization = f"Bearer {api_key}"

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        try:
            given = json.loads(raw or b"{}")
            asked = self._dialect.asked(method, target, given)
        except (LookupError, TypeError, ValueError) as problem:
            missing = (
                f"the body lacks {problem}" if isinstance(problem, KeyError) else "the body can't be read"
            )
            return self._dialect.shown(error(400, "invalid_field", missing))
        if asked is None:
            return self._sandbox.answer(method, target, headers, raw)
        path, body = asked
        is_known = all(headers.get(name) == value for name, value in self._wanted.items())
        translated = {
            **headers,
            "authorization": self._authorization if is_known else "",
            **({"idempotency-key": key} if (key := headers.get(self._dialect.key_header.lower())) else {}),
        }
        sent = json.dumps(body).encode() if method == "POST" else b""
        return self._dialect.shown(self._sandbox.answer(method, path, translated, sent))
