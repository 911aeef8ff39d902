"""The sandbox gateway as a process of its own, and a plain HTTP client for it."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aegis_worker.lab.conformance.emulator import HttpAnswer, RunningEmulator, eventually
from aegis_worker.lab.embedded.processes import Processes

__all__ = [
    "API_KEY",
    "NO_ANSWER",
    "HttpAnswer",
    "Sandbox",
    "eventually",
    "new_reference",
    "payment_body",
    "running_sandbox",
]

API_KEY = "sk_sandbox"
# The errors that a client sees if a connection is dropped without an answer.
NO_ANSWER = (http.client.RemoteDisconnected, ConnectionResetError)


class Sandbox(RunningEmulator):
    """One instance, and what its merchants call."""

    def charge(self, token: str = "tok_ok", key: str | None = None, **fields: Any) -> HttpAnswer:
        """Create and charge a payment in one call."""
        return self.post("/v1/charges", payment_body(token, **fields), idempotency_key=key or new_reference())

    def find(self, reference: str) -> list[dict[str, Any]]:
        """The payments that look-ups show under a reference."""
        return list(self.call("GET", f"/v1/payments?reference={reference}").json["data"])

    def booked(self, reference: str) -> list[dict[str, Any]]:
        """The ledger's payments with this reference."""
        return [row for row in self.ledger() if row["reference"] == reference]


@contextmanager
def running_sandbox(
    folder: Path, *flags: str, name: str = "sandbox_a", env: Mapping[str, str] | None = None
) -> Iterator[Sandbox]:
    """A sandbox gateway in `folder`, stopped at the end."""
    with Processes() as processes:
        yield Sandbox(processes, folder, name, flags, env or {}, {"Authorization": f"Bearer {API_KEY}"})


def new_reference() -> str:
    """A reference, or a key, that was never used before."""
    return uuid.uuid4().hex


def payment_body(token: str = "tok_ok", **fields: Any) -> dict[str, Any]:
    """The body of a merchant's card payment, with a new reference."""
    reference = fields.pop("reference", None) or new_reference()
    return {
        "reference": reference,
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": token},
        "metadata": {"merchant_payment_id": f"pay_{reference}"},
        **fields,
    }
