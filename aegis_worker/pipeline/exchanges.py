"""The exchanges with gateways that are still to be written: beside the outcomes, and never at their cost.

They are written after the outcomes, for many calls in one statement. What could not be written for a while is forgotten,
and a process that dies takes what it had not written with it: then the attempt still says what was sent, and how it stands.
They need no fence, because they change nothing: what a zombie sent and heard is as true as what others did.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import suppress

import structlog

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.exchanges import AttemptExchange, CallKind, Note, Noted
from aegis_worker.errors import AegisError

from .ports import ExchangeStore
from .work import Ask, Send, SendAgain

log = structlog.get_logger(__name__)

# One statement serves so many. A second is soon enough for whoever looks, and few enough statements where little goes on.
_TOGETHER, _SOON_S = 256, 1.0
# What is held in memory while PostgreSQL is away: at most 12 KB each.
_MOST_HELD = 2048
_REST_S = 10.0
_KINDS: dict[type, CallKind] = {
    Send: CallKind.SEND,
    SendAgain: CallKind.SEND_AGAIN,
    Ask: CallKind.LOOK_UP,
}


class Exchanges:
    """Those of one process. `store` None: nothing is noted. Thread-safe: the engine's thread notes, runs write.

    `rest_s`: for how long nothing is written after PostgreSQL was away, so that outcomes don't wait behind exchanges.
    """

    def __init__(self, store: ExchangeStore | None, *, rest_s: float = _REST_S) -> None:
        self._store, self._rest_s = store, rest_s
        self._held: deque[AttemptExchange] = deque(maxlen=_MOST_HELD)
        self._writes = threading.Lock()
        self._due_s = self._not_before_s = 0.0
        self._draw = random.SystemRandom()

    def noting(self, payment_id: str, attempt: Attempt, step: Send | SendAgain | Ask) -> Note | None:
        """What the gateway tells the exchanges of this call to; None where nothing is noted."""
        return self._noting(payment_id, attempt.operation.value, attempt.number, _KINDS[type(step)])

    def noting_look_up(self, payment_id: str, operation: str, number: int) -> Note | None:
        """As `noting`, of a look-up that no job makes."""
        return self._noting(payment_id, operation, number, CallKind.LOOK_UP)

    def _noting(self, payment_id: str, operation: str, number: int, kind: CallKind) -> Note | None:
        if self._store is None:
            return None

        def note(noted: Noted) -> None:
            if not self._held:
                self._due_s = time.monotonic() + _SOON_S
            id_ = self._draw.getrandbits(63)
            self._held.append(AttemptExchange(payment_id, operation, number, kind, id_, noted))

        return note

    def write_if_due(self) -> None:
        """Write if there are many, or the oldest has waited for a second. Never raises."""
        held = len(self._held)
        if held >= _TOGETHER or (held and time.monotonic() >= self._due_s):
            self.write()

    def write(self) -> None:
        """Write all, unless another thread is about to, or writing failed moments ago. Never raises."""
        if self._store is None or not self._held or time.monotonic() < self._not_before_s:
            return
        if not self._writes.acquire(blocking=False):
            return
        try:
            self._write(self._store)
        finally:
            self._writes.release()

    def _write(self, store: ExchangeStore) -> None:
        while batch := _taken(self._held):
            try:
                store.keep(batch)
            except AegisError as error:
                self._not_before_s = time.monotonic() + self._rest_s
                self._held.extendleft(reversed(batch[: max(_MOST_HELD - len(self._held), 0)]))
                log.warning("exchanges not written yet", exchanges=len(self._held), error=str(error))
                return
            except Exception:
                log.exception("exchanges not written", exchanges=len(batch))


def _taken(held: deque[AttemptExchange]) -> list[AttemptExchange]:
    taken: list[AttemptExchange] = []
    with suppress(IndexError):
        while len(taken) < _TOGETHER:
            taken.append(held.popleft())
    return taken
