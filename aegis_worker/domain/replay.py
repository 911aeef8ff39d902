"""Rebuild a payment from its events: the check that the row says what the history says (invariant I4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from .payment import Event, Payment
from .transitions import State

# What folding the events must give; the rest of the row is immutable and stands on it from the start.
FOLDED_FIELDS = (
    "state",
    "version",
    "authorized_minor",
    "captured_minor",
    "refunded_minor",
    "capturing_minor",
    "refunding_minor",
    "closing",
    "cancelling",
    "capture_before",
    "disputed_minor",
    "charged_back_minor",
    "gateway",
    "gateway_ref",
    "certainty",
    "last_error",
    "next_action",
    "screening",
)

# Fields that were added later, with what they were before that. Snapshots of older versions lack them.
_NOT_IN_OLDER: Mapping[str, Any] = {
    "capturing_minor": 0,
    "refunding_minor": 0,
    "closing": False,
    "cancelling": False,
    "capture_before": None,
    "disputed_minor": 0,
    "charged_back_minor": 0,
    "screening": None,
}


def unborn(row: Payment) -> Payment:
    """The payment before its first event, keeping what never changes."""
    return replace(
        row,
        state=State.INITIATED,
        version=0,
        authorized_minor=0,
        captured_minor=0,
        refunded_minor=0,
        capturing_minor=0,
        refunding_minor=0,
        closing=False,
        cancelling=False,
        capture_before=None,
        disputed_minor=0,
        charged_back_minor=0,
        gateway=None,
        gateway_ref=None,
        certainty="known",
        last_error=None,
        next_action=None,
        screening=None,
    )


def states(row: Payment, events: Iterable[Event], base: Payment | None = None) -> Iterator[Payment]:
    """The payment after each of the events, which follow on `base`. Raises IllegalTransition."""
    payment = base or unborn(row)
    for event in events:
        payment = payment.evolve(event)
        yield payment


def fold(row: Payment, events: Iterable[Event], base: Payment | None = None) -> Payment:
    """The payment as its events tell it; `base` is the payment before the first of them, where that is not the birth.

    Raises IllegalTransition where the history itself is impossible.
    """
    *_, last = (base or unborn(row), *states(row, events, base))
    return last


def differences(
    row: Payment, events: Iterable[Event], base: Payment | None = None
) -> dict[str, tuple[object, object]]:
    """Fields in which the row and its history disagree, as (row, history). Empty is what I4 demands."""
    folded = fold(row, events, base)
    pairs = {name: (getattr(row, name), getattr(folded, name)) for name in FOLDED_FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def snapshot(payment: Payment) -> dict[str, Any]:
    """What folding gave, as plain JSON, so that folding can go on from here."""
    return {name: getattr(payment, name) for name in FOLDED_FIELDS}


def restored(row: Payment, seq: int, state: Mapping[str, Any]) -> Payment:
    """The payment as it was after event `seq`, from its snapshot. Raises ValueError for one that can't be read."""
    state = {**_NOT_IN_OLDER, **state}
    if set(state) != set(FOLDED_FIELDS) or state["version"] != seq:
        raise ValueError(f"{row.id}: the snapshot at event {seq} can't be read")
    return replace(row, **{**state, "state": State(state["state"])})
