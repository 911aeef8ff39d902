"""What one step of one job changes: its attempt, its payment and itself."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from .actions import NextAction
from .attempts import NOTHING_STORED, Attempt, AttemptStatus, StoredOutcome
from .entities import EntityChange
from .outcomes import CHARGING_STEPS, Operation
from .payment import Event, Fact, Payment
from .reviews import ReviewKind

JobStatus = Literal["running", "waiting", "succeeded", "failed", "review"]


class FollowUp(Struct, frozen=True):
    """The payment's next job, made in the statement that ends this one."""

    operation: str
    queue: Literal["payments", "verify"]
    request: Mapping[str, Any] | None = None


class JobChange(Struct, frozen=True):
    """What becomes of the job. `running` renews the lease; `waiting` is due again after `run_in_s` in `queue`.

    `progress` forgets how many workers left the job: true once an answer was recorded, not when about to send.
    `follow_up` only with a status that ends the job: a payment has one open job. `review_kind`: what a review is for.
    """

    status: JobStatus
    queue: Literal["payments", "verify"] = "payments"
    run_in_s: float = 0.0
    reason: str | None = None
    result: Mapping[str, Any] | None = None
    progress: bool = True
    follow_up: FollowUp | None = None
    review_kind: ReviewKind = "doubt"


class OpenAttempt(Struct, frozen=True):
    """An attempt about to be sent: written before the call (design D3), with the account that it is made with."""

    operation: Operation
    number: int
    gateway: str
    gateway_key: str
    request_hash: str
    decision: Mapping[str, Any]
    account: str | None = None

    def sent(self, lease_epoch: int, sent_at_s: float) -> Attempt:
        """The attempt as it stands once it is written: sent once, and not answered."""
        return Attempt(
            operation=self.operation,
            number=self.number,
            gateway=self.gateway,
            gateway_key=self.gateway_key,
            request_hash=self.request_hash,
            status=AttemptStatus.SENT,
            gateway_ref=None,
            outcome=NOTHING_STORED,
            lease_epoch=lease_epoch,
            sends=1,
            checks=0,
            not_found_count=0,
            sent_at_s=sent_at_s,
            first_not_found_at_s=None,
            candidates=tuple(self.decision.get("candidates", ())),
            account=self.account,
        )


class AnswerAttempt(Struct, frozen=True):
    """What came of an attempt. `asked` counts a look-up, `not_found` an answer of absence, `sent_again` a replay.

    A replay starts the count of absences anew: a look-up before the last send proves nothing about it. `recheck_in_s`:
    the gateway is asked again then, lest a charge that was refused or absent comes about after all.
    """

    operation: Operation
    number: int
    gateway: str
    status: AttemptStatus
    gateway_ref: str | None = None
    outcome: StoredOutcome = NOTHING_STORED
    latency_ms: float | None = None
    asked: bool = False
    sent_again: bool = False
    not_found: bool = False
    recheck_in_s: float | None = None


class FoundCharge(Struct, frozen=True):
    """A charge that its gateway showed under the reference of another one: written as an attempt of its own, so that it is
    asked about and given back as every charge too many. `number`: of the hop that it stands for.
    """

    number: int
    gateway: str
    gateway_ref: str
    gateway_key: str
    request_hash: str
    outcome: StoredOutcome
    account: str | None = None

    def shown(self, lease_epoch: int, shown_at_s: float) -> Attempt:
        """The attempt that it is from then on."""
        return Attempt(
            operation=Operation.PROCESS,
            number=self.number,
            gateway=self.gateway,
            gateway_key=self.gateway_key,
            request_hash=self.request_hash,
            status=AttemptStatus.APPROVED,
            gateway_ref=self.gateway_ref,
            outcome=self.outcome,
            lease_epoch=lease_epoch,
            sends=1,
            checks=0,
            not_found_count=0,
            sent_at_s=shown_at_s,
            first_not_found_at_s=None,
            answered_at_s=shown_at_s,
            account=self.account,
        )


class Change(Struct, frozen=True):
    """Everything that one step of one job changes. `payment` is the payment after `events`.

    `action`: what the payer has to do from now on; its events name the type alone. `beside`: another attempt that ended
    with the one of `answered`, the confirm or the close of the step that waited for its payer. `confirm_seen`: the number
    of the confirm that its job was claimed with; a waiting job that was given another one meanwhile is due at once.
    """

    job_id: str
    lease_epoch: int
    payment: Payment
    version_before: int
    events: Sequence[Event]
    job: JobChange
    opened: OpenAttempt | None = None
    answered: AnswerAttempt | None = None
    action: NextAction | None = None
    # The capture, void or refund that the job is about, or those of which a look at the gateway brought news.
    entities: Sequence[EntityChange] = ()
    # The job ends, and one that was ordered behind it may get its own.
    hands_on: bool = False
    beside: AnswerAttempt | None = None
    confirm_seen: int | None = None
    # What else the gateway showed under the reference that was asked about.
    found: Sequence[FoundCharge] = ()
    # Written with the job, so that this change is known again where only the answer to its COMMIT was lost.
    number: int = field(default_factory=lambda: random.getrandbits(63))


def rebased(change: Change, payment: Payment) -> Change | None:
    """The change of a payment of which captures or refunds were ordered, or disputes heard, meanwhile: `payment`, as it
    stands now.

    One that was cancelled meanwhile waits for nothing any more. None where anything else happened to it: then what was
    decided need not hold any more. Raises IllegalTransition.
    """
    after, events = payment.record([Fact(event.type, event.data) for event in change.events])
    if _of_the_job(after) != _of_the_job(change.payment):
        return None
    job, hands_on = change.job, change.hands_on
    if payment.cancelling and not change.payment.cancelling:
        hands_on = job.status in ("succeeded", "failed") and job.follow_up is None
        job = replace(job, run_in_s=0.0)
    return replace(
        change, payment=after, version_before=payment.version, events=events, job=job, hands_on=hands_on
    )


def goes_on_despite(change: Change, payment: Payment) -> bool:
    """Whether the change begins another step of a charge although the payment was cancelled meanwhile."""
    is_news = payment.cancelling and not change.payment.cancelling
    return is_news and change.opened is not None and change.opened.operation in CHARGING_STEPS


def _of_the_job(payment: Payment) -> Payment:
    """The payment without what others than its job change: orders and cancels that are accepted, and disputes."""
    return replace(
        payment,
        version=0,
        capturing_minor=0,
        refunding_minor=0,
        closing=False,
        cancelling=False,
        disputed_minor=0,
        charged_back_minor=0,
    )
