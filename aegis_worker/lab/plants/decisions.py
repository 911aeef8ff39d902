"""Faults in what is decided: each takes one guard away, for whoever runs `pipeline.advance` meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.disputes import Dispute, DisputeReport, KnownDispute
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed, Matched
from aegis_worker.domain.gateway_keys import gateway_key
from aegis_worker.domain.holds import hold_expired
from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Operation, Pending, Unknown, charges
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.gateway_events import disputes, follow
from aegis_worker.gateway_events.decide import Unbelieved, heard
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.pipeline import advance, effects, recheck
from aegis_worker.pipeline.operations import absence, answers, ordered
from aegis_worker.pipeline.operations.charge import close, ends
from aegis_worker.pipeline.operations.hold import Hold
from aegis_worker.pipeline.operations.refund import Refund
from aegis_worker.pipeline.operations.requests import request_for
from aegis_worker.pipeline.work import Answer, Policy, Rest, Settled, Step, Work

from .patching import entry_in, name_in

# By its name, because the package shows a function of the same name in its place.
_CHARGE = import_module("aegis_worker.pipeline.operations.charge.settle")


# Keys of numbers that no attempt of a story has.
_FURTHER = 50


@contextmanager
def new_key_for_each_send() -> Iterator[None]:
    """A repeated call gets a key of its own."""

    def with_new_key(work: Work, operation: Operation, number: int, gateway: str) -> GatewayRequest:
        request = request_for(work, operation, number, gateway)
        again = number + _FURTHER * work.subject.sends
        return replace(request, idempotency_key=gateway_key(work.payment.id, operation, again))

    with name_in(answers, "request_for", with_new_key):
        yield


@contextmanager
def failover_on_unknown() -> Iterator[None]:
    """An answer that was lost counts as a call that never left: the payment goes on to the next gateway."""

    def as_not_sent(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
        settled: Settled = _CHARGE._not_sent(work, NotSent(outcome.reason), answer, policy)
        return settled

    with entry_in(_CHARGE._SETTLE, Unknown, as_not_sent):
        yield


@contextmanager
def not_found_believed_at_once() -> Iterator[None]:
    """The first look-up that finds nothing proves that nothing was charged."""
    with name_in(_CHARGE, "after_not_found", lambda *facts, **more: absence.Missing.ABSENT):
        yield


@contextmanager
def resend_without_keys() -> Iterator[None]:
    """A call is repeated at a gateway that has no idempotency keys, as if it had."""
    keeps = absence.keeps_key_s

    def always(work: Work, attempt: Attempt) -> float:
        return keeps(work, attempt) or math.inf

    with name_in(absence, "keeps_key_s", always):
        yield


@contextmanager
def no_send_deadline() -> Iterator[None]:
    """A call may leave however long ago it was decided on."""

    def never(*facts: Any) -> float:
        return math.inf

    with name_in(advance, "send_until_s", never), name_in(effects, "send_until_s", never):
        yield


@contextmanager
def pending_taken_as_failure() -> Iterator[None]:
    """A gateway that decides later counts as one that has refused."""

    def as_decline(work: Work, outcome: Pending, answer: Answer, policy: Policy) -> Settled:
        declined = Declined("generic_decline", "pending", outcome.reason, outcome.gateway_ref)
        settled: Settled = _CHARGE._declined(work, declined, answer, policy)
        return settled

    with entry_in(_CHARGE._SETTLE, Pending, as_decline):
        yield


@contextmanager
def refusal_of_a_repeat_believed() -> Iterator[None]:
    """A repeat that is turned away counts as the answer to the first send."""
    with name_in(_CHARGE, "_says_nothing_about_earlier_sends", lambda work, answer: False):
        yield


@contextmanager
def ladders_end_as_failure() -> Iterator[None]:
    """When the last look-up has settled nothing, the payment fails, and no person is asked."""
    to_a_person = vars(answers)["review"]

    def give_up(work: Work, reason: str) -> Rest:
        is_charge = charges(work.subject.operation) and not work.payment.is_terminal
        rest: Rest = ends.give_up(work) if is_charge else to_a_person(work, reason)
        return rest

    with name_in(answers, "review", give_up):
        yield


@contextmanager
def one_absence_answer() -> Iterator[None]:
    """One look-up that finds nothing is enough, once the call can't be repeated."""
    with name_in(absence, "_is_absent", lambda work, attempt, asked_at_s: True):
        yield


@contextmanager
def absence_window_of_0() -> Iterator[None]:
    """Three look-ups that find nothing are enough, however soon they come one after the other."""

    def is_absent(work: Work, attempt: Attempt, asked_at_s: float) -> bool:
        return attempt.not_found_count + 1 >= absence.ABSENCE_ANSWERS

    with name_in(absence, "_is_absent", is_absent):
        yield


@contextmanager
def twins_not_looked_for() -> Iterator[None]:
    """A charge that was sent more than once is asked about no further once it was approved."""
    with name_in(_CHARGE, "looked_for_in_s", lambda *facts: None):
        yield


@contextmanager
def silent_gateway_given_up() -> Iterator[None]:
    """A charge that was in doubt is let go of where its gateway told nothing by the end of the rechecks."""
    with name_in(recheck, "is_left_in_doubt", lambda *facts: False):
        yield


@contextmanager
def silence_taken_for_a_closed_door() -> Iterator[None]:
    """A call that closes the door, and was not answered, counts as one that closed it."""

    def as_closed(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
        closed = Approved(work.subject.gateway_ref or "", captured=False)
        settled: Settled = close._closed(work, closed, answer, policy)
        return settled

    with entry_in(close._SETTLE, Unknown, as_closed):
        yield


@contextmanager
def unknown_order_taken_as_failure() -> Iterator[None]:
    """A capture or refund whose answer was lost counts as refused."""

    def as_decline(room: Any, work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
        return ordered._declined(
            room, work, Declined("generic_decline", "lost", outcome.reason), answer, policy
        )

    with entry_in(ordered._SETTLE, Unknown, as_decline):
        yield


@contextmanager
def hold_over_by_our_clock() -> Iterator[None]:
    """A hold whose time is up counts as released, and its gateway is not asked."""
    step = Hold.step

    def by_our_clock(room: Hold, work: Work, policy: Policy) -> Step:
        decided = step(room, work, policy)
        asks = isinstance(decided, Rest) and decided.job.follow_up is not None
        return Rest(JobChange("succeeded"), [hold_expired(work.payment)]) if asks else decided

    with name_in(Hold, "step", by_our_clock):
        yield


@contextmanager
def refund_sent_at_once() -> Iterator[None]:
    """A refund is sent without a look at whether its charge is settled."""
    with name_in(Refund, "before_sending", lambda room, work, charge: None):
        yield


@contextmanager
def older_answer_about_a_dispute() -> Iterator[None]:
    """What a gateway was asked earlier about a dispute undoes what it was asked later."""
    with name_in(disputes, "heard", as_if_asked_last):
        yield


def as_if_asked_last(
    payment: Payment,
    known: KnownDispute | None,
    gateway: str,
    shown: DisputeReport,
    asked_at: datetime,
    new_id: str,
) -> tuple[Dispute, list[Fact]] | Unbelieved:
    """`heard`, but as if this answer had been asked for last."""
    latest = asked_at if known is None else max(asked_at, known.asked_at)
    return heard(payment, known, gateway, shown, latest, new_id)


@contextmanager
def refund_into_a_dispute() -> Iterator[None]:
    """A refund that waited is sent although its charge has been disputed meanwhile."""
    with name_in(Refund, "unsent_because", lambda room, work, order: None):
        yield


@contextmanager
def event_forgotten_behind_a_job() -> Iterator[None]:
    """An event that comes while another job of its payment is open counts as followed."""
    with name_in(follow, "behind_a_job", taken_for_followed):
        yield


def taken_for_followed(event: ClaimedEvent, matched: Matched) -> Followed:
    """The event, marked as followed in place of waiting."""
    return Followed(event, "followed", None, matched.payment_id)
