"""The counters that all workers share, in Redis: lua/count.lua, and what goes to and fro in one round trip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import NoScriptError

from aegis_worker.ids import made_at

from .counting import MOST_KEPT, SHELF_MS
from .velocity import LARGEST, STEPS, Ask, Counter

PREFIX = "aegis:rules:"
# So that one script holds Redis up for milliseconds only.
_MOST_ASKS = 500

_TEXT = "\n".join(
    (
        f"local STEPS, LARGEST = {STEPS}, {LARGEST}",
        (Path(__file__).parent / "lua" / "count.lua").read_text(),
    )
)
_SHA = sha1(_TEXT.encode(), usedforsecurity=False).hexdigest()


class Counting(NamedTuple):
    """A payment and what is asked about it; with `call`, one of its calls, which is counted once by itself."""

    payment_id: str
    asks: Sequence[Ask]
    call: str = ""

    @property
    def id(self) -> str:
        """What is counted once."""
        return f"{self.payment_id}/{self.call}" if self.call else self.payment_id


def shelf_of(payment_id: str) -> int:
    """The shelf on which a payment's answers are kept: its id says when it was accepted."""
    return int(made_at(payment_id).timestamp() * 1000) // SHELF_MS


class SharedCounters:
    """Counters in Redis, which gives the time. Safe to repeat: a payment is counted once."""

    def __init__(self, redis: Redis, *, most_kept: int = MOST_KEPT) -> None:
        self._redis, self._most_kept = redis, most_kept

    def count(self, payments: Sequence[Counting], most_entries: int) -> list[list[int]]:
        """What every counter comes to, for each payment in order. Raises redis.RedisError where Redis can't be asked."""
        return [values for _, values in self.counted_at(payments, most_entries)]

    def counted_at(self, payments: Sequence[Counting], most_entries: int) -> list[tuple[int, list[int]]]:
        """The same, with the time in ms by which each was counted."""
        parts = list(_parts(payments))
        arguments = [self._argument(part, most_entries) for part in parts]
        replies = self._run(arguments)
        return [
            found for part, reply in zip(parts, replies, strict=True) for found in _shared_out(part, reply)
        ]

    def _argument(self, payments: Sequence[Counting], most_entries: int) -> str:
        counters: dict[Counter, int] = {}
        lines = [
            [
                payment.id,
                shelf_of(payment.payment_id),
                [
                    [counters.setdefault(ask.counter, len(counters) + 1), ask.subject, ask.add, ask.card]
                    for ask in payment.asks
                ],
            ]
            for payment in payments
        ]
        longest_ms = max((counter.step_ms * (STEPS + 1) for counter in counters), default=0)
        given = {
            "counters": [_line(counter) for counter in counters],
            "payments": lines,
            # An answer is kept for as long as what it counted: beyond the last step, and the shelf's own time.
            "keep_ms": longest_ms + SHELF_MS,
            "most_entries": most_entries,
            "most_kept": self._most_kept,
        }
        return json.dumps(given, separators=(",", ":"))

    def _run(self, arguments: Sequence[str]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for argument in arguments:
            pipe.evalsha(_SHA, 1, PREFIX, argument)
        replies = pipe.execute(raise_on_error=False)
        refused = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if refused:
            pipe.script_load(_TEXT)
            for n in refused:
                pipe.evalsha(_SHA, 1, PREFIX, arguments[n])
            again = pipe.execute(raise_on_error=False)
            for n, reply in zip(refused, again[1:], strict=True):
                replies[n] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


def _line(counter: Counter) -> list[Any]:
    most = -1 if counter.most is None else counter.most
    return [counter.id, counter.what, counter.step_ms, most, counter.cards]


def _parts(payments: Sequence[Counting]) -> Iterator[list[Counting]]:
    part: list[Counting] = []
    asks = 0
    for payment in payments:
        if part and asks + len(payment.asks) > _MOST_ASKS:
            yield part
            part, asks = [], 0
        part.append(payment)
        asks += len(payment.asks)
    if part:
        yield part


def _shared_out(payments: Sequence[Counting], reply: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    now_ms, *values = reply
    at = 0
    for payment in payments:
        yield now_ms, values[at : at + len(payment.asks)]
        at += len(payment.asks)
