"""What the calls of a charge mean for its payment, as facts to be recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aegis_worker.domain.attempts import StoredOutcome
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, Operation, charges
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.pipeline.work import Work


def opened(payment: Payment, operation: Operation, gateway: str, number: int) -> list[Fact]:
    """What opening an attempt means for the payment: from a charge on, money may move."""
    if not charges(operation):
        return []
    return [Fact(EventType.PROCESSING, {"gateway": gateway, "attempt": number})]


def acted(payment: Payment, operation: Operation, gateway: str) -> list[Fact]:
    """A charge that waited for the payer went on: the payer has acted and the money may be moving."""
    if not charges(operation) or payment.state is not State.REQUIRES_ACTION:
        return []
    return [
        Fact(EventType.AUTHENTICATED, {"gateway": gateway}),
        Fact(EventType.PROCESSING, {"gateway": gateway}),
    ]


def action_required(gateway: str, answer: ActionRequired, until_s: float) -> Fact:
    """The payer has to act, until `until_s` seconds since 1970. Whoever has the whole action may act as the payer, so the
    fact has its type and end alone.
    """
    action = {"type": answer.action.type, "expires_at": rfc3339(datetime.fromtimestamp(until_s, UTC))}
    return Fact(
        EventType.ACTION_REQUIRED,
        {"gateway": gateway, "gateway_ref": answer.gateway_ref, "next_action": action},
    )


def approved(payment: Payment, operation: Operation, gateway: str, answer: Approved) -> list[Fact]:
    """The facts of an approval, for each operation."""
    if operation is Operation.AUTHENTICATE:
        if payment.state not in (State.INITIATED, State.REQUIRES_ACTION):
            return []  # a later gateway accepted the payer too: PROCESSING says more than AUTHENTICATED
        return [Fact(EventType.AUTHENTICATED, {"gateway": gateway, "gateway_ref": answer.gateway_ref})]
    if charges(operation):
        minor = payment.amount.minor
        data: dict[str, Any] = {"gateway": gateway, "gateway_ref": answer.gateway_ref}
        data |= {"authorized_minor": minor, "last_error": None}
        before = acted(payment, operation, gateway)
        if answer.captured:
            return [*before, Fact(EventType.SUCCEEDED, data | {"captured_minor": minor})]
        ends_at = answer.capture_before
        ends = {} if ends_at is None else {"capture_before": rfc3339(ends_at)}
        return [*before, Fact(EventType.AUTHORIZED, data | ends)]
    return []


def described(work: Work, outcome: Declined) -> StoredOutcome:
    """What is stored of a refusal of the call in flight."""
    return StoredOutcome.of_error(
        describe_error(
            outcome.code,
            gateway=work.subject.gateway,
            gateway_code=outcome.gateway_code,
            message=outcome.message,
        )
    )
