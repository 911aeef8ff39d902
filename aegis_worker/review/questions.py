"""Ask the gateways about a payment now, and have the answer at once, before anybody decides anything.

What they say changes nothing by itself. Where an answer is definite, the payment's job is made due, so that a worker asks
as well and settles it as it always would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.outcomes import Approved, Declined
from aegis_worker.errors import InvalidState, NotFound, PaymentFrozen
from aegis_worker.persistence import audit_log
from aegis_worker.persistence.asking import ask_about_doubts_now, ask_now
from aegis_worker.persistence.database import Database

from .answers import Said
from .asking import ask
from .case import Case
from .loading import load
from .parts import ReviewParts, as_json

# Of payments that are asked about together. A look-up costs a call, and each is a line of the audit log.
MOST_ASKED = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gateways said at `at`. `job_id`: of the job that settles it now, None where no answer is definite."""

    payment_id: str
    version: int
    at: datetime
    says: Sequence[Said]
    job_id: str | None


def ask_gateways(parts: ReviewParts, payment_id: str, *, actor: str) -> Asked:
    """Ask about every charge of a payment that may stand, or about the capture, cancel or refund that waits for a person.

    Kept in the audit log with what was answered. Raises NotFound; InvalidState where no gateway has heard of the payment;
    PaymentFrozen, because its own row does not say what to ask about; DatabaseUnavailable.
    """
    with parts.database.read() as connection:
        case = load(connection, payment_id)
    if case is None:
        raise NotFound(f"there is no payment {payment_id}")
    if case.frozen_at is not None:
        raise PaymentFrozen(f"{payment_id} is frozen: its history and its row disagree; a person decides")
    calls = _about(case)
    if not calls:
        raise InvalidState("nothing was sent to a gateway that it could be asked about", case.resolutions)
    says = ask(parts.gateways(), case, calls, exchanges=parts.exchanges)
    at = datetime.now(UTC)

    def write(connection: Connection) -> str | None:
        is_definite = any(isinstance(said.outcome, Approved | Declined) for said in says)
        job_id = ask_now(connection, payment_id) if is_definite and case.job is not None else None
        details = {"gateways_say": [as_json(said) for said in says], "settles": job_id is not None}
        audit_log.append(
            connection, actor=actor, action="payment.asked", payment_id=payment_id, details=details
        )
        return job_id

    job_id = parts.database.run(write)
    if job_id is not None:
        parts.hint("verify")
    return Asked(payment_id, case.payment.version, at, says, job_id)


def ask_about_doubts(
    database: Database, hint: Callable[[str], object], payment_ids: Sequence[str] | None, *, actor: str
) -> int:
    """Have workers ask now about these payments, or about all in doubt (None), the oldest MOST_ASKED. Returns how many.

    What is not in doubt, waits for a person or was asked about a moment ago is left as it is. The audit log tells of each.
    """

    def write(connection: Connection) -> int:
        due = ask_about_doubts_now(connection, payment_ids, limit=MOST_ASKED)
        for payment_id in due:
            audit_log.append(
                connection,
                actor=actor,
                action="payment.asked",
                payment_id=payment_id,
                details={"by": "worker"},
            )
        return len(due)

    asked = database.run(write)
    if asked:
        hint("verify")
    return asked


def _about(case: Case) -> Sequence[Attempt]:
    if case.order is None:
        return case.charges
    return [] if case.order_call is None else [case.order_call]
