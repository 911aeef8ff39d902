"""A claimed job while this worker holds it, and the steps that can be next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aegis_worker.domain.outcomes import Lookup, Operation, Outcome
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.gateways.base import Capabilities, GatewayRequest, StatusQuery
from aegis_worker.persistence.mapping import Attempt, ClaimedJob
from aegis_worker.persistence.record import AnswerAttempt, JobChange, OpenAttempt
from aegis_worker.routing.router import Decision

# One letter each: with the payment's id and the number the key stays within 40 characters, the shortest limit that a
# gateway has for our reference (Razorpay's receipt).
_KEY_LETTER = {
    Operation.INITIATE: "i",
    Operation.AUTHENTICATE: "a",
    Operation.PROCESS: "p",
    Operation.CAPTURE: "c",
    Operation.VOID: "v",
    Operation.REFUND: "r",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long to try; delays in seconds."""

    max_attempts: int
    retry_initial_s: float
    retry_cap_s: float
    verify_ladder_s: tuple[float, ...]
    poison_cap: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where the payment may go, and what each configured gateway needs."""

    decision: Decision
    capabilities: Mapping[str, Capabilities]


@dataclass(slots=True)
class Work:
    """One claimed job: what is known of it now, in the database and here."""

    job: ClaimedJob
    payment: Payment
    attempts: list[Attempt]
    route: Route

    @property
    def latest(self) -> Attempt | None:
        """The attempt that decides what is next."""
        return self.attempts[-1] if self.attempts else None

    def amend(self, **changes: Any) -> None:
        """The latest attempt, as it will stand in the database."""
        self.attempts[-1] = replace(self.attempts[-1], **changes)


@dataclass(frozen=True, slots=True)
class Send:
    """Open this attempt, commit, then call."""

    opened: OpenAttempt
    request: GatewayRequest
    facts: list[Fact]


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Repeat the latest attempt with its own key and body."""

    request: GatewayRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """Look up what became of the latest attempt."""

    query: StatusQuery


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to call now: the job ends or waits."""

    job: JobChange
    facts: list[Fact] = field(default_factory=list)


Step = Send | SendAgain | Ask | Rest


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, how long it took, and whether it was a look-up or the call itself."""

    outcome: Outcome | Lookup
    latency_ms: float
    looked_up: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What an answer means: how the attempt ended, which facts follow, and the step after it."""

    answered: AnswerAttempt
    facts: list[Fact]
    then: Step


def gateway_key(payment_id: str, operation: Operation, number: int) -> str:
    """The idempotency key and reference of an operation at a gateway: the same for every send of the same attempt."""
    return f"{payment_id}-{_KEY_LETTER[operation]}{number}"


def hop_reference(work: Work, number: int) -> str | None:
    """The gateway's own id of the payment in hop `number`, from whichever step returned one last."""
    references = [
        attempt.gateway_ref for attempt in work.attempts if attempt.number == number and attempt.gateway_ref
    ]
    return references[-1] if references else None


def request_for(work: Work, operation: Operation, number: int) -> GatewayRequest:
    """The call, built from immutable facts only, so that building it again gives the same body."""
    payment = work.payment
    earlier = [
        attempt for attempt in work.attempts if attempt.number == number and attempt.operation != operation
    ]
    return GatewayRequest(
        operation=operation,
        payment_id=payment.id,
        idempotency_key=gateway_key(payment.id, operation, number),
        amount=payment.amount,
        payment_method=payment.payment_method,
        capture=payment.capture_method == "automatic",
        gateway_ref=next((attempt.gateway_ref for attempt in reversed(earlier) if attempt.gateway_ref), None),
        customer_id=payment.customer.get("id"),
        description=payment.description,
        return_url=payment.return_url,
    )
