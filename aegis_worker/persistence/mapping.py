"""Rows of `payments`, `jobs` and `attempts` as the objects that the pipeline decides on, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.transitions import State


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one gateway, as its row tells it. Moments in seconds of this process's clock (`clock.clock_s`).

    `sent_at_s`: when it was written, before its first send, or a little earlier. `first_not_found_at_s`: when a look-up
    since its last send first found nothing, or a little later. `candidates`: the gateways that its hop was decided among,
    best first; empty where it was not routed. `answered_at_s`: of its last answer, a look-up's too; None without any.
    """

    operation: Operation
    number: int
    gateway: str
    gateway_key: str
    request_hash: str
    status: str
    gateway_ref: str | None
    outcome: Mapping[str, Any] | None
    lease_epoch: int
    sends: int
    checks: int
    not_found_count: int
    sent_at_s: float
    first_not_found_at_s: float | None
    candidates: tuple[str, ...] = ()
    answered_at_s: float | None = None

    def sent_ago_s(self, now_s: float) -> float:
        """Since it was sent for the last time, at least."""
        if self.sends == 1:
            return now_s - self.sent_at_s
        return 0.0 if self.answered_at_s is None else now_s - self.answered_at_s


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker holds until its lease ends; every write for it carries `lease_epoch`.

    `request`: what the job is about beyond its payment: `{"reverse": {gateway, gateway_ref, number}}`, a charge too many.
    `claim_count`: how many workers began it since its last answer and left it. `left_behind`: its last holder let its lease
    run out. `claimed_at_s`: just before it was claimed; `made_at_s`: when it was made; both of this process's clock.
    """

    id: str
    operation: str
    lease_epoch: int
    claim_count: int
    payment: Payment
    attempts: tuple[Attempt, ...]
    request: Mapping[str, Any] | None = None
    made_at_s: float = 0.0
    claimed_at_s: float = 0.0
    left_behind: bool = False


def payment_from_row(row: Mapping[str, Any]) -> Payment:
    """The aggregate from a row of `payments`."""
    return Payment(
        id=row["id"],
        merchant_id=row["merchant_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        capture_method=row["capture_method"],
        payment_method=row["payment_method"],
        reference=row["reference"],
        customer=row["customer"],
        description=row["description"],
        return_url=row["return_url"],
        metadata=row["metadata"],
        state=State(row["state"]),
        version=row["version"],
        authorized_minor=row["authorized_minor"],
        captured_minor=row["captured_minor"],
        refunded_minor=row["refunded_minor"],
        gateway=row["gateway"],
        gateway_ref=row["gateway_ref"],
        certainty=row["certainty"],
        last_error=row["last_error"],
        next_action=row["next_action"],
    )


def attempt_from_json(row: Mapping[str, Any], asked_at_s: float, told_at_s: float) -> Attempt:
    """An attempt from the JSON object that the claim statement builds between the two readings of this process's clock.

    Its ages are brought onto that clock so that a key seems older than it is and an absence younger, never the other way.
    """
    not_found_age_s, answered_age_s = row["not_found_age_s"], row["answered_age_s"]
    return Attempt(
        operation=Operation(row["operation"]),
        number=row["number"],
        gateway=row["gateway"],
        gateway_key=row["gateway_key"],
        request_hash=row["request_hash"],
        status=row["status"],
        gateway_ref=row["gateway_ref"],
        outcome=row["outcome"],
        lease_epoch=row["lease_epoch"],
        sends=row["sends"],
        checks=row["checks"],
        not_found_count=row["not_found_count"],
        sent_at_s=asked_at_s - row["age_s"],
        first_not_found_at_s=None if not_found_age_s is None else told_at_s - not_found_age_s,
        candidates=tuple(row["candidates"] or ()),
        answered_at_s=None if answered_age_s is None else asked_at_s - answered_age_s,
    )
