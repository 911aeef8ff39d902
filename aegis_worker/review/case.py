"""One payment that may wait for a person: the payment, its open job, its calls, and what may be decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.charges import standing_charges
from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.entities import Order
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.reviews import ReviewKind
from aegis_worker.domain.transitions import State

Kind = Literal[
    "charged", "not_charged", "succeeded", "failed", "ask_again", "approve", "reject", "rebuild", "withdraw"
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """The payment's one open job. `lease_epoch` is its fence; `order` the capture, void or refund that it is about;
    `review_kind` what its review is for, where it is in review.
    """

    id: str
    operation: str
    status: str
    lease_epoch: int
    reason: str | None
    order: Order | None = None
    review_kind: ReviewKind = "doubt"


@dataclass(frozen=True, slots=True)
class Case:
    """What is known when a person decides. `read_at`: when, by PostgreSQL's clock; `accepted_at`: when the payment was."""

    payment: Payment
    frozen_at: datetime | None
    job: OpenJob | None
    calls: Sequence[Attempt]
    decision: Decision | None = None
    read_at: datetime | None = None
    accepted_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the payment's state says how its charge ended. Then a decision closes the job and changes no state."""
        return self.payment.is_terminal or self.payment.state is State.AUTHORIZED

    @property
    def charges(self) -> Sequence[Attempt]:
        """The charges that may stand at a gateway, in the order they were sent."""
        return [self.calls[position] for position in standing_charges(self.calls)]

    @property
    def review_kind(self) -> ReviewKind:
        """What a person is asked."""
        return self.job.review_kind if self.job is not None else "doubt"

    @property
    def order(self) -> Order | None:
        """The capture, void or refund that waits for a person."""
        return self.job.order if self.job is not None else None

    @property
    def order_call(self) -> Attempt | None:
        """The call that was made for it, if one was."""
        order = self.order
        if order is None:
            return None
        named = (order.operation, order.attempt)
        return next((call for call in self.calls if (call.operation, call.number) == named), None)

    @property
    def sends(self) -> int:
        """How often what is decided about was sent: the payment's charges, or the order."""
        calls = self.charges if self.order is None else [self.order_call]
        return sum(call.sends for call in calls if call is not None)

    @property
    def resolutions(self) -> tuple[Kind, ...]:
        """The decisions that a person may make now. Empty if the payment does not wait for a person."""
        in_review = self.job is not None and self.job.status == "review"
        return resolutions_of(
            frozen=self.frozen_at is not None,
            in_review=in_review,
            was_charged=bool(self.charges),
            decided=self.decision is not None and self.decision.stands,
            order=self.order,
            review_kind=self.review_kind,
        )


def resolutions_of(
    *,
    frozen: bool,
    in_review: bool,
    was_charged: bool,
    decided: bool,
    order: Order | None,
    review_kind: ReviewKind,
) -> tuple[Kind, ...]:
    """The decisions that a person may make. A frozen payment has to be rebuilt first. What no gateway has heard of is
    approved or rejected. "Charged" needs a call on record, and "withdraw" a decision that waits for a gateway. A capture,
    void or refund has succeeded or failed.
    """
    if frozen:
        return ("rebuild",)
    if not in_review:
        return ()
    if review_kind == "fraud":
        return ("approve", "reject")
    withdraw: tuple[Kind, ...] = ("withdraw",) if decided else ()
    if order is not None:
        return ("succeeded", "failed", "ask_again", *withdraw)
    charged: tuple[Kind, ...] = ("charged",) if was_charged else ()
    return (*charged, "not_charged", "ask_again", *withdraw)
