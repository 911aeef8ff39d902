"""A confirm: what the payer brought back from an action, to be handed to the gateway that asked for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from .attempts import Attempt, AttemptStatus
from .outcomes import Operation
from .payment import Payment
from .transitions import State

# With one action after the other, such as 3-D Secure's two, a payer comes back a few times at most.
MOST_CONFIRMS = 20


class Confirm(Struct, frozen=True):
    """The confirm of this number, from 1, of a payment. `digest`: keyed, in hexadecimal, so it tells nothing of `data`.

    `data`: what the payer brought back; None once it is erased, and where it can't be read, for the reason `unreadable`.
    """

    number: int
    digest: str
    data: Mapping[str, Any] | None = None
    unreadable: str | None = None

    def __repr__(self) -> str:
        return f"Confirm({self.number})"


class KeptConfirm(Struct, frozen=True):
    """A confirm as its row tells it: `is_open` until the gateway's answer to it is settled."""

    number: int
    digest: str
    is_open: bool


def same_as(kept: Sequence[KeptConfirm], digest: str) -> KeptConfirm | None:
    """The confirm that brought the same data, under whichever key: it is the same confirm."""
    return next((one for one in kept if one.digest == digest), None)


def allowed_in(state: State) -> tuple[str, ...]:
    """What a payment takes that does not wait for its payer."""
    return ("confirm", "sync") if state is State.REQUIRES_ACTION else ("sync",)


def deciding_last(payment: Payment, attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """The attempts with the one last that decides what is next: a confirm or a close does so only while it is open."""
    waits = payment.state is State.REQUIRES_ACTION
    over = [
        one
        for one in attempts
        if (one.operation is Operation.CONFIRM and not (waits and _is_open(one)))
        or (one.operation is Operation.CLOSE and not _is_open(one))
    ]
    return (*over, *(one for one in attempts if one not in over)) if over else tuple(attempts)


def _is_open(attempt: Attempt) -> bool:
    return attempt.status not in (AttemptStatus.APPROVED, AttemptStatus.DECLINED)
