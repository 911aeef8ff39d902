"""A payment as the sandbox shows it in look-ups, answers and declines, and what identifies it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from aegis_worker.domain.actions import NextAction, Redirect, Sdk
from aegis_worker.domain.outcomes import Movement, Operation

from ..kit.amounts import ISO_AMOUNTS
from ..kit.identity import EVERYTHING, Carries, Declared, Shown
from ..kit.reading import address, child, children, currency, identifier, minor_units, moment_s, one_of

VERBS = {
    Operation.AUTHENTICATE: "authenticate",
    Operation.PROCESS: "charge",
    Operation.CONFIRM: "confirm",
    Operation.CAPTURE: "capture",
    Operation.VOID: "void",
    Operation.REFUND: "refund",
    Operation.CLOSE: "close",
}
# What ends a payment there, whatever its amount.
_ENDS = (VERBS[Operation.VOID], VERBS[Operation.CLOSE])
# The steps that lead to a charge. For each, the statuses of a payment for which the step has not happened yet.
NOT_YET = {
    Operation.INITIATE: frozenset[str](),
    Operation.AUTHENTICATE: frozenset({"created"}),
    Operation.PROCESS: frozenset({"created", "authenticated"}),
}
# Every answer about a payment shows all of these. An answer about none, a refusal or a 404, names our reference.
IDENTITY = Declared(
    answers=dict.fromkeys(Operation, EVERYTHING),
    look_ups=dict.fromkeys(Operation, EVERYTHING),
    refusals=Carries(reference=True),
    absences=Carries(reference=True, gateway_ref=True),
)
_OPERATION_STATUSES: frozenset[Literal["pending", "succeeded", "failed"]] = frozenset(
    {"pending", "succeeded", "failed"}
)
_MOVING = {VERBS[operation]: operation for operation in (Operation.CAPTURE, Operation.REFUND)}
_ACTIONS = frozenset({"redirect", "sdk"})
_STATUSES = frozenset(
    {
        "created",
        "requires_action",
        "authenticated",
        "pending",
        "authorized",
        "succeeded",
        "failed",
        "voided",
    }
)


class SandboxOperation(Struct, frozen=True):
    """One operation that was carried out on a payment, or declined, or has failed later, with `error_code`."""

    id: str
    verb: str
    reference: str
    minor: int
    status: Literal["pending", "succeeded", "failed"]
    error_code: str


class SandboxPayment(Struct, frozen=True):
    """A payment as the sandbox shows it; amounts in minor units."""

    id: str
    status: str
    reference: str
    minor: int
    currency: str
    captured_minor: int
    refunded_minor: int
    error_code: str
    action: NextAction | None
    action_ends_at: datetime | None
    capture_before: datetime | None
    disputed: bool
    operations: Sequence[SandboxOperation]

    @property
    def references(self) -> frozenset[str]:
        """The merchant's references under which something was done to this payment."""
        return frozenset({self.reference, *(done.reference for done in self.operations)})

    def shown(self, done: SandboxOperation | None = None) -> Shown:
        """What an answer with this payment shows: about the whole payment, or about one operation on it."""
        if done is None or done.verb in _ENDS:
            return Shown(self.references, self.id, self.minor, self.currency)
        return Shown({done.reference}, self.id, done.minor, self.currency)

    @property
    def movements(self) -> tuple[Movement, ...]:
        """Each capture and refund that was carried out or declined."""
        return tuple(
            Movement(_MOVING[done.verb], done.minor, done.status, done.reference, done.id, done.error_code)
            for done in self.operations
            if done.verb in _MOVING
        )

    def done(self, operation: Operation, reference: str) -> SandboxOperation | None:
        """The operation that was asked for under our reference, if it was carried out or declined."""
        asked_for = (VERBS.get(operation), reference)
        return next((done for done in self.operations if (done.verb, done.reference) == asked_for), None)


def read_payment(body: Mapping[str, Any]) -> SandboxPayment:
    """The payment in an answer. Raises Unreadable."""
    status, code = one_of(body, "status", _STATUSES), currency(body)
    return SandboxPayment(
        id=identifier(body, "id"),
        status=status,
        reference=identifier(body, "reference"),
        minor=_amount(body, "amount", code),
        currency=code,
        captured_minor=_amount(body, "amount_captured", code),
        refunded_minor=_amount(body, "amount_refunded", code),
        error_code=identifier(child(body, "last_error"), "code") if status == "failed" else "",
        action=_action(child(body, "next_action")) if status == "requires_action" else None,
        action_ends_at=_ends_at(child(body, "next_action")) if status == "requires_action" else None,
        capture_before=_moment(body, "capture_before") if body.get("capture_before") is not None else None,
        disputed=body.get("disputed") is True,
        operations=[_operation(done, code) for done in children(body, "operations")],
    )


def _action(body: Mapping[str, Any]) -> NextAction:
    if one_of(body, "type", _ACTIONS) == "redirect":
        return Redirect(address(body, "redirect_url"))
    return Sdk("sandbox", {"client_secret": identifier(body, "client_secret")})


def _ends_at(body: Mapping[str, Any]) -> datetime | None:
    return _moment(body, "expires_at") if "expires_at" in body else None


def _moment(body: Mapping[str, Any], name: str) -> datetime:
    return datetime.fromtimestamp(moment_s(body, name), UTC)


def _amount(body: Mapping[str, Any], name: str, currency: str) -> int:
    return ISO_AMOUNTS.read(minor_units(body, name), currency)


def _operation(body: Mapping[str, Any], currency: str) -> SandboxOperation:
    return SandboxOperation(
        id=identifier(body, "id"),
        status=one_of(body, "status", _OPERATION_STATUSES),
        verb=identifier(body, "operation"),
        reference=identifier(body, "reference"),
        minor=_amount(body, "amount", currency),
        error_code="" if body.get("error_code") is None else identifier(body, "error_code"),
    )
