"""Faults that can be planted in the product: each takes one guard away, to see whether the lab finds that it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from . import decisions, model, tables

Planting = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault. `what`: what is wrong while it is planted. `decides`: it is in what is decided, so whoever runs
    `pipeline.advance` has it; else it is in the tables, those of PostgreSQL and those of the explorer. `shown_in`: the
    configuration in which the explorer finds it, with so many `faults`.
    """

    name: str
    what: str
    shown_in: str
    faults: int
    decides: Planting | None = None
    in_postgres: Planting | None = None
    in_model: Planting | None = None


def _decision(
    planting: Planting, name: str, shown_in: str, faults: int, in_model: Planting | None = None
) -> Plant:
    return Plant(name, _first_line(planting), shown_in, faults, decides=planting, in_model=in_model)


def _table(in_postgres: Planting, in_model: Planting, name: str, shown_in: str, faults: int) -> Plant:
    return Plant(name, _first_line(in_postgres), shown_in, faults, in_postgres=in_postgres, in_model=in_model)


def _first_line(planting: Planting) -> str:
    return (planting.__doc__ or "").partition("\n")[0]


PLANTS: dict[str, Plant] = {
    plant.name: plant
    for plant in (
        _table(tables.no_fence, model.no_fence, "no-fence", "one-step", 1),
        _table(
            tables.attempt_after_the_call,
            model.attempt_after_the_call,
            "attempt-after-the-call",
            "no-keys",
            1,
        ),
        _decision(decisions.new_key_for_each_send, "new-key-for-each-send", "one-step", 1),
        _decision(decisions.failover_on_unknown, "failover-on-unknown", "one-step", 1),
        _decision(decisions.not_found_believed_at_once, "not-found-believed-at-once", "one-step", 1),
        _decision(
            decisions.silence_taken_for_a_closed_door, "silence-taken-for-a-closed-door", "late-close", 1
        ),
        _decision(decisions.resend_without_keys, "resend-without-keys", "no-keys", 1),
        _decision(decisions.no_send_deadline, "no-send-deadline", "lagging", 2, model.no_send_deadline),
        _decision(decisions.pending_taken_as_failure, "pending-taken-as-failure", "decides-later", 0),
        _table(
            tables.event_missing_from_the_outbox,
            model.event_missing_from_the_outbox,
            "event-missing-from-the-outbox",
            "one-step",
            0,
        ),
        _decision(decisions.refusal_of_a_repeat_believed, "refusal-of-a-repeat-believed", "lagging", 2),
        _decision(decisions.twins_not_looked_for, "twins-not-looked-for", "lagging", 1),
        _decision(
            decisions.silent_gateway_given_up,
            "silent-gateway-given-up",
            "one-step",
            2,
            model.silent_gateway_given_up,
        ),
        _decision(decisions.ladders_end_as_failure, "ladders-end-as-failure", "no-look-ups-no-keys", 1),
        _decision(decisions.one_absence_answer, "one-absence-answer", "lagging", 1),
        _decision(decisions.absence_window_of_0, "absence-window-of-0", "lagging", 1),
        _table(
            tables.claims_ignore_leases, model.claims_ignore_leases, "claims-ignore-leases", "one-step", 0
        ),
        _decision(
            decisions.unknown_order_taken_as_failure, "unknown-order-taken-as-failure", "capture-lagging", 1
        ),
        _decision(decisions.hold_over_by_our_clock, "hold-over-by-our-clock", "hold-ends", 0),
        _decision(decisions.refund_sent_at_once, "refund-sent-at-once", "refund-waits", 0),
        _decision(decisions.refund_into_a_dispute, "refund-into-a-dispute", "dispute-refund", 0),
        _decision(
            decisions.older_answer_about_a_dispute,
            "older-answer-about-a-dispute",
            "dispute",
            1,
            model.older_answer_about_a_dispute,
        ),
        _decision(
            decisions.event_forgotten_behind_a_job,
            "event-forgotten-behind-a-job",
            "refund-told",
            1,
            model.event_forgotten_behind_a_job,
        ),
    )
}
"""By name."""


@contextmanager
def planted(names: Sequence[str], *, in_postgres: bool = False, in_model: bool = False) -> Iterator[None]:
    """Within it these faults are in what is decided, and, where wanted, in the tables. Raises KeyError for a name that is
    none of theirs.
    """
    plants = [PLANTS[name] for name in names]
    with ExitStack() as stack:
        for plant in plants:
            wanted = (
                plant.decides,
                plant.in_postgres if in_postgres else None,
                plant.in_model if in_model else None,
            )
            for planting in wanted:
                if planting is not None:
                    stack.enter_context(planting())
        yield
