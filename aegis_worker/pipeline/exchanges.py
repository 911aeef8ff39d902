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

import msgspec
import structlog
from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.exchanges import AttemptExchange, Because, CallKind, Exchange, Note, Noted
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

    def noting_look_up(
        self, payment_id: str, operation: str, number: int, because: Because | None = None
    ) -> Note | None:
        """As `noting`, of a look-up that no job makes. `because`: None for a recheck."""
        note = self._noting(payment_id, operation, number, CallKind.LOOK_UP)
        if note is None or because is None:
            return note
        return lambda noted: note(_saying(noted, because))

    def aside(self, payment_id: str, because: Because) -> Aside:
        """For look-ups of a payment whose exchanges are kept only where it turns out that they matter."""
        return Aside(self, payment_id, because)

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


class Aside:
    """Exchanges that are not to be written yet. They are forgotten with it, unless `keep` is called."""

    def __init__(self, exchanges: Exchanges, payment_id: str, because: Because) -> None:
        self._exchanges, self._payment_id, self._because = exchanges, payment_id, because
        self._noted: list[tuple[Note, Noted]] = []

    def noting(self, operation: str, number: int) -> Note | None:
        """What the exchanges of a look-up of this attempt are told to; None where nothing is noted."""
        note = self._exchanges.noting_look_up(self._payment_id, operation, number, self._because)
        return None if note is None else lambda noted: self._noted.append((note, noted))

    def keep(self) -> None:
        """Have them written with the next."""
        for note, noted in self._noted:
            note(noted)


NOTHING_KEPT = Exchanges(None)
_READ, _WRITE = msgspec.json.Decoder(Exchange), msgspec.json.Encoder()


def _saying(noted: Noted, because: Because) -> Noted:
    told = _WRITE.encode(replace(_READ.decode(noted.told), because=because))
    return Noted(noted.began_s, told.decode())


def _taken(held: deque[AttemptExchange]) -> list[AttemptExchange]:
    taken: list[AttemptExchange] = []
    with suppress(IndexError):
        while len(taken) < _TOGETHER:
            taken.append(held.popleft())
    return taken
