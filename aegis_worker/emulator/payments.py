"""The sandbox's payment and what may become of it. Pure: nothing here waits, sends or stores."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """UNBORN: a late commit whose time has not come; nobody can see it."""

    UNBORN = "unborn"
    CREATED = "created"
    REQUIRES_ACTION = "requires_action"
    AUTHENTICATED = "authenticated"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    VOIDED = "voided"


# The states in which an operation may be asked for; anywhere else it is refused with invalid_state.
ALLOWED_IN: dict[str, frozenset[Status]] = {
    "authenticate": frozenset({Status.CREATED, Status.REQUIRES_ACTION, Status.AUTHENTICATED}),
    "charge": frozenset({Status.CREATED, Status.AUTHENTICATED}),
    "confirm": frozenset({Status.REQUIRES_ACTION}),
    "capture": frozenset({Status.AUTHORIZED}),
    "void": frozenset({Status.CREATED, Status.REQUIRES_ACTION, Status.AUTHENTICATED, Status.AUTHORIZED}),
    "refund": frozenset({Status.AUTHORIZED, Status.SUCCEEDED}),
    # Never what was paid: that is voided or refunded.
    "close": frozenset({Status.CREATED, Status.REQUIRES_ACTION, Status.AUTHENTICATED}),
}


@dataclass(slots=True)
class Payment:
    """Amounts in minor units, times in seconds since 1970. At `due_at` it becomes `due_status` by itself.

    `hidden_until` and `down_until` bound what look-ups tell. `client_secret`: of the challenge that the payer solves in the
    shop's frontend, empty where there is none. `given_script`: of its charge, where it is not its token's.
    `webhook_script`: which its webhooks follow. `demands_3ds`: its merchant wants the payer authenticated. `news`: changes
    not yet in the webhook queue.
    """

    id: str
    reference: str
    merchant_payment_id: str | None
    amount: int
    currency: str
    capture_method: str
    method: str
    token: str
    metadata: dict[str, str]
    return_url: str
    statement_descriptor: str
    created_at: float
    status: Status = Status.CREATED
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    error_code: str = ""
    due_at: float | None = None
    due_status: Status | None = None
    due_error: str = ""
    hidden_until: float = 0.0
    down_until: float = 0.0
    client_secret: str = ""
    given_script: str = ""
    webhook_script: str = ""
    demands_3ds: bool = False
    news: list[str] = field(default_factory=list)

    @property
    def charged_status(self) -> Status:
        """What an approved charge turns it into."""
        return Status.SUCCEEDED if self.capture_method == "automatic" else Status.AUTHORIZED

    def become(self, status: Status, error_code: str = "") -> None:
        """Change the status, with the amounts that go with it."""
        self.status, self.error_code = status, error_code
        self.due_at, self.due_status, self.due_error = None, None, ""
        if status in (Status.AUTHORIZED, Status.SUCCEEDED) and not self.authorized:
            self.authorized = self.amount
            self.captured = self.amount if status is Status.SUCCEEDED else 0
        self.news.append(f"payment.{status}")

    def schedule(self, at: float, status: Status, error_code: str = "") -> None:
        """Have it turn into `status` at `at`, by itself."""
        self.due_at, self.due_status, self.due_error = at, status, error_code

    def settle(self) -> None:
        """Turn into what was scheduled; of a hold that expires, what was captured stays."""
        if self.due_status is Status.VOIDED:
            self.void()
        elif self.due_status is not None:
            self.become(self.due_status, self.due_error)

    @property
    def held_until(self) -> int | None:
        """When the funds that are held are released by themselves, in seconds since 1970; None where none are held."""
        return int(self.due_at) if self.status is Status.AUTHORIZED and self.due_at is not None else None

    def capture(self, amount: int, final: bool) -> None:
        """Take `amount` of what is held. A `final` capture releases the rest, and the last of several ends the hold."""
        self.captured += amount
        if final or self.captured == self.authorized:
            self.become(Status.SUCCEEDED)
        else:
            self.news.append("payment.captured")

    def void(self) -> None:
        """Release what is held and not captured."""
        self.become(Status.SUCCEEDED if self.captured else Status.VOIDED)

    def refund(self, amount: int) -> None:
        """Give `amount` of what is captured back."""
        self.refunded += amount
        self.news.append("payment.refunded")

    def take_back(self, operation: str, amount: int) -> None:
        """A capture or refund has failed, maybe after it had succeeded. The status stays."""
        if operation == "capture":
            self.captured -= amount
        else:
            self.refunded -= amount

    def public(self, base_url: str) -> dict[str, Any]:
        """As the gateway shows it to a merchant."""
        action: dict[str, Any] | None = None
        if self.status is Status.REQUIRES_ACTION and self.client_secret:
            action = {"type": "sdk", "client_secret": self.client_secret, "expires_at": int(self.due_at or 0)}
        elif self.status is Status.REQUIRES_ACTION:
            action = {"type": "redirect", "redirect_url": f"{base_url}/3ds/{self.id}"}
        return {
            "id": self.id,
            "object": "payment",
            "reference": self.reference,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "amount_authorized": self.authorized,
            "amount_captured": self.captured,
            "amount_refunded": self.refunded,
            "capture_method": self.capture_method,
            "payment_method": {"type": self.method},
            "statement_descriptor": self.statement_descriptor or None,
            "next_action": action,
            "capture_before": self.held_until,
            "last_error": {"code": self.error_code} if self.error_code else None,
            "metadata": self.metadata,
            "created": int(self.created_at),
        }


def new_id(prefix: str) -> str:
    """An id that sorts by time. A random one touches a page of its own in every index, which costs a third of a charge."""
    return f"{prefix}_{time.time_ns():x}{secrets.token_hex(6)}"
