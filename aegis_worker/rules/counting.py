"""The counters in plain Python: what lua/count.lua does, for payments of the past, and for tests to hold it against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .velocity import LARGEST, STEPS, Ask

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
        self._numbers: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        self._cards: dict[str, dict[int, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(dict))
        self._kept: dict[int, dict[str, dict[str, int]]] = defaultdict(dict)

    def count(self, payment_id: str, shelf: int, asks: Sequence[Ask], now_ms: int) -> list[int]:
        """What every counter comes to with this payment."""
        kept = self._kept[shelf].get(payment_id)
        room = kept is not None or len(self._kept[shelf]) < self._most_kept
        known, answers = dict(kept or {}), []
        for ask in asks:
            before = known.get(ask.counter.id)
            value = before if before is not None else self._counted(ask, now_ms) if room else SHELF_FULL
            answers.append(value)
            if value >= 0:
                known[ask.counter.id] = value
        if known:
            self._kept[shelf][payment_id] = known
        return answers

    def entries(self, counter_id: str) -> int:
        """How many names a counter holds."""
        return sum(len(held) for steps in (self._numbers, self._cards) for held in steps[counter_id].values())

    def _counted(self, ask: Ask, now_ms: int) -> int:
        step = now_ms // ask.counter.step_ms
        self._forget(ask.counter.id, step)
        return self._different(ask, step) if ask.counter.what == "cards" else self._number(ask, step)

    def _number(self, ask: Ask, step: int) -> int:
        counter, steps = ask.counter, self._numbers[ask.counter.id]
        before = sum(held.get(ask.subject, 0) for held in steps.values())
        total = min(before + ask.add, LARGEST)
        if counter.most is not None and total > counter.most:
            return total
        here = steps[step]
        if ask.subject not in here and self.entries(counter.id) >= self._most_entries:
            return FULL
        here[ask.subject] = min(here.get(ask.subject, 0) + ask.add, LARGEST)
        return total

    def _different(self, ask: Ask, step: int) -> int:
        counter, steps = ask.counter, self._cards[ask.counter.id]
        seen = {ask.card}.union(*(held.get(ask.subject, ()) for held in steps.values()))
        total = min(len(seen), counter.cards)
        here = steps[step]
        names = here.get(ask.subject, [])
        above = counter.most is not None and total > counter.most
        if ask.card in names or len(names) >= counter.cards or above:
            return total
        if not names and self.entries(counter.id) >= self._most_entries:
            return FULL
        here[ask.subject] = [*names, ask.card]
        return total

    def _forget(self, counter_id: str, step: int) -> None:
        for steps in (self._numbers[counter_id], self._cards[counter_id]):
            for old in [known for known in steps if known < step - STEPS]:
                del steps[old]
