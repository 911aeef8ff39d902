"""Faults that can be planted in the product: each takes one guard away, to see whether the lab finds that it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from . import decisions, tables

TableFault = Literal[
    "no_fence", "claims_ignore_leases", "event_missing_from_the_outbox", "attempt_after_the_call"
]


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault. `what`: what is wrong while it is planted. `decides`: it is in what is decided, so whoever runs
    `pipeline.advance` has it. `table_fault`: it is in the tables; `in_postgres` plants it there.
    """

    name: str
    what: str
    decides: Callable[[], AbstractContextManager[None]] | None = None
    table_fault: TableFault | None = None
    in_postgres: Callable[[], AbstractContextManager[None]] | None = None


def _decision(plant: Callable[[], AbstractContextManager[None]], name: str) -> Plant:
    return Plant(name, _first_line(plant), decides=plant)


def _table(plant: Callable[[], AbstractContextManager[None]], fault: TableFault) -> Plant:
    return Plant(fault.replace("_", "-"), _first_line(plant), table_fault=fault, in_postgres=plant)


def _first_line(plant: Callable[[], AbstractContextManager[None]]) -> str:
    return (plant.__doc__ or "").partition("\n")[0]


PLANTS: dict[str, Plant] = {
    plant.name: plant
    for plant in (
        _table(tables.no_fence, "no_fence"),
        _table(tables.attempt_after_the_call, "attempt_after_the_call"),
        _decision(decisions.new_key_for_each_send, "new-key-for-each-send"),
        _decision(decisions.failover_on_unknown, "failover-on-unknown"),
        _decision(decisions.not_found_believed_at_once, "not-found-believed-at-once"),
        _decision(decisions.resend_without_keys, "resend-without-keys"),
        _decision(decisions.no_send_deadline, "no-send-deadline"),
        _decision(decisions.pending_taken_as_failure, "pending-taken-as-failure"),
        _table(tables.event_missing_from_the_outbox, "event_missing_from_the_outbox"),
        _decision(decisions.refusal_of_a_repeat_believed, "refusal-of-a-repeat-believed"),
        _decision(decisions.ladders_end_as_failure, "ladders-end-as-failure"),
        _decision(decisions.one_absence_answer, "one-absence-answer"),
        _decision(decisions.absence_window_of_0, "absence-window-of-0"),
        _table(tables.claims_ignore_leases, "claims_ignore_leases"),
        _decision(decisions.unknown_order_taken_as_failure, "unknown-order-taken-as-failure"),
    )
}
"""By name; in the order of the guards' record in docs/explanation/promises.md."""


@contextmanager
def planted(names: tuple[str, ...], *, in_postgres: bool = False) -> Iterator[frozenset[TableFault]]:
    """Within it these faults are in what is decided, and, `in_postgres`, in its statements; yields those of the tables, for
    tables in memory. Raises KeyError for a name that there is not.
    """
    plants = [PLANTS[name] for name in names]
    with ExitStack() as stack:
        for plant in plants:
            if plant.decides is not None:
                stack.enter_context(plant.decides())
            if in_postgres and plant.in_postgres is not None:
                stack.enter_context(plant.in_postgres())
        yield frozenset(plant.table_fault for plant in plants if plant.table_fault is not None)
