"""The counters in plain Python: what lua/count.lua does, for payments of the past, and for tests to hold it against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .velocity import LARGEST, STEPS, Ask, Counter

FULL, SHELF_FULL = -1, -2
"""Answers in place of a number: the counter takes no further name, or no further payment is kept."""
SHELF_MS = 900_000
"""Payments that were counted are kept on a shelf for each quarter of an hour in which they were accepted."""
MOST_KEPT = 1_000_000
"""How many payments a shelf holds."""


class PlainCounters:
    """Counters in the memory of one process. Time must not go backwards by more than a window."""

    def __init__(self, most_entries: int, most_kept: int = MOST_KEPT) -> None:
        self._most_entries, self._most_kept = most_entries, most_kept
        self._counters: dict[str, _Held] = defaultdict(_Held)
        self._kept: dict[int, dict[str, dict[str, int]]] = defaultdict(dict)

    def count(self, of: str, shelf: int, asks: Sequence[Ask], now_ms: int) -> list[int]:
        """What every counter comes to with this payment or call, whose id is `of`."""
        kept = self._kept[shelf].get(of)
        room = kept is not None or len(self._kept[shelf]) < self._most_kept
        known, answers = dict(kept or {}), []
        for ask in asks:
            before = known.get(ask.counter.id)
            value = before if before is not None else self._counted(ask, now_ms) if room else SHELF_FULL
            answers.append(value)
            if value >= 0:
                known[ask.counter.id] = value
        if known:
            self._kept[shelf][of] = known
        return answers

    def _counted(self, ask: Ask, now_ms: int) -> int:
        counter, held = ask.counter, self._counters[ask.counter.id]
        step = now_ms // counter.step_ms
        turn = step // (STEPS + 1)
        held.forget(turn)
        marks = held.marks.get(ask.subject, {})
        recent = {of: mark for of, mark in marks.items() if mark.step >= step - STEPS}
        has_no_room = ask.subject not in held.turns and len(held.turns) >= self._most_entries
        if ask.add == 0 and counter.what != "cards":
            return FULL if has_no_room else _total(counter, recent)
        of: int | str = ask.card if counter.what == "cards" else step
        before = recent.get(of)
        recent[of] = _Mark(step, ask.add + (before.number if before is not None else 0))
        total = _total(counter, recent)
        if counter.most is not None and total > counter.most:
            return total
        if has_no_room:
            return FULL
        held.marks[ask.subject], held.turns[ask.subject] = recent, turn
        return total


class _Mark(NamedTuple):
    """What was counted in a step, or when a card was seen last."""

    step: int
    number: int


@dataclass(slots=True)
class _Held:
    """What one counter holds: marks by step or card, for each subject, and in which turn that was written last.

    A turn is as long as a window. A subject is forgotten after the turn that follows its last one.
    """

    marks: dict[str, dict[int | str, _Mark]] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    turn: int = 0

    def forget(self, turn: int) -> None:
        if turn == self.turn:
            return
        self.turn = turn
        for subject in [subject for subject, last in self.turns.items() if last < turn - 1]:
            del self.turns[subject], self.marks[subject]


def _total(counter: Counter, recent: Mapping[int | str, _Mark]) -> int:
    if counter.what == "cards":
        return min(len(recent), counter.cards)
    return min(sum(mark.number for mark in recent.values()), LARGEST)
