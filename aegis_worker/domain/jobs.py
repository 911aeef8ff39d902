"""What is to be done about a payment, as a worker holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from .attempts import Attempt
from .confirms import Confirm
from .entities import Entity
from .payer import Payer
from .payment import Payment
from .trails import NO_TRAIL, Trail


class ClaimedJob(Struct, frozen=True):
    """A job that this worker holds until its lease ends; every write for it carries `lease_epoch`.

    `request`: what the job is about beyond its payment: `{"reverse": {gateway, gateway_ref, number}}`, a charge too many;
    `{"confirm": number}`, the latest thing that the payer brought back, which `confirm` holds; of a sync, what
    `must_answer` makes.
    `claim_count`: how many workers began it since its last answer and left it. `left_behind`: its last holder let its lease
    run out. `claimed_at_s`: just before it was claimed; `made_at_s`: when it was made; both of this process's clock.
    `since_1970_s`: what is to be added to that clock for the time of day, as PostgreSQL has it.
    `payer`: None where none was given, or what was given is erased. `entities`: of a `sync`, the payment's captures, voids
    and refunds. `trail`: of the request that brought the job about.
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
    since_1970_s: float = 0.0
    left_behind: bool = False
    confirm: Confirm | None = None
    payer: Payer | None = None
    entities: tuple[Entity, ...] = ()
    trail: Trail = NO_TRAIL


def must_answer(because: str) -> dict[str, str]:
    """The request of a sync that ends at an answer or at a person, and why it does."""
    return {"because": because}


def must_answer_because(request: Mapping[str, Any] | None) -> str | None:
    """Why this sync must not end without an answer; None where it may."""
    because = (request or {}).get("because")
    return because if isinstance(because, str) else None
