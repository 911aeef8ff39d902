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
    """One call to one gateway, as its row tells it. Ages in seconds, by PostgreSQL's clock at the time of reading.

    `candidates`: the gateways that its hop was decided among, best first; empty where it was not routed. `answered_age_s`:
    since its last answer, a look-up's too; 0 without any.
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
    age_s: float
    not_found_age_s: float | None
    candidates: tuple[str, ...] = ()
    answered_age_s: float = 0.0

    @property
    def sent_ago_s(self) -> float:
        """Since it was sent for the last time, at least."""
        return self.age_s if self.sends == 1 else self.answered_age_s


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker holds until its lease ends; every write for it carries `lease_epoch`.

    `request`: what the job is about beyond its payment: `{"reverse": {gateway, gateway_ref, number}}`, a charge too many.
    `age_s`: since it was made.
    """

    id: str
    operation: str
    lease_epoch: int
    claim_count: int
    payment: Payment
    attempts: tuple[Attempt, ...]
    request: Mapping[str, Any] | None = None
    age_s: float = 0.0


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


def attempt_from_json(row: Mapping[str, Any]) -> Attempt:
    """An attempt from the JSON object that the claim statement builds."""
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
        age_s=row["age_s"],
        not_found_age_s=row["not_found_age_s"],
        candidates=tuple(row["candidates"] or ()),
        answered_age_s=row["answered_age_s"] or 0.0,
    )
