"""Writes new payments with one statement where it can, and finds those that must not hold up the others.

Each payment stands by itself: where one of them waits for another request, or PostgreSQL refuses its row, the list is
divided until that one is alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from aegis_worker.domain.accepting import Born, KeptPayment, Key
from aegis_worker.errors import (
    AegisError,
    DatabaseUnavailable,
    DuplicateReference,
    IdempotencyInProgress,
    LockTimeout,
    RowRefused,
)
from aegis_worker.persistence.accepting import carried, insert, kept
from aegis_worker.persistence.database import UNIQUE_VIOLATION, Database, refuses_a_row, sqlstate

from .command import Accepted, marks, told_before, without_twins


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a list of payments waits for other requests that hold its keys.

    At first (None: as long as sessions wait for a lock); then for each of its parts; and for how long, once something was
    in the way, parts are tried. `puts_off`: what is not decided then is left without an answer, to be tried again;
    otherwise it is refused.
    """

    first_ms: int | None
    later_ms: int
    tries_s: float
    puts_off: bool = False


class Writing:
    """Accepts the payments of one list. `told`: what each was told, by the payment id that it came with.

    `held`: the ids of those that were put off because another request holds them up. Others were put off for want of time.
    """

    def __init__(self, database: Database, patience: Patience) -> None:
        self.told: dict[str, Accepted | AegisError] = {}
        self.held: set[str] = set()
        self._database = database
        self._patience = patience
        self._wait_ms = patience.first_ms
        self._tries_until_s: float | None = None
        self._busy: set[tuple[str, ...]] = set()

    @property
    def accepted_any(self) -> bool:
        """Whether something of the list is durable."""
        return any(isinstance(told, Accepted) for told in self.told.values())

    def write(self, asked: Sequence[Born]) -> None:
        """Accept them. When the database goes away, those without an answer are told so, and nothing more is tried."""
        left = asked
        try:
            while left:
                wave, left = without_twins(left)
                self._write_wave(wave)
                left = self._without_decided(left)
        except DatabaseUnavailable as error:
            for one in asked:
                self.told.setdefault(one.payment.id, error)

    def _write_wave(self, wave: Sequence[Born]) -> None:
        """Accept payments that share no key and no reference."""
        parts: list[Sequence[Born]] = [sorted(wave, key=lambda one: one.key)]
        while parts:
            parts += self._write_part(parts.pop())

    def _without_decided(self, left: Sequence[Born]) -> Sequence[Born]:
        """Answer the payments whose answer follows from what others were told; return the rest, for the next wave.

        Otherwise a body with the same key, or the same reference, in all of its lines would take a wave for each line.
        """
        if self._patience.puts_off:
            left = [] if self._is_too_late else [one for one in left if self._busy.isdisjoint(marks(one))]
        if not left:
            return left
        with self._database.read() as connection:
            found = kept(connection, [one.key for one in left])
            duplicates = {one.payment.id: carrier for one, carrier in carried(connection, left)}
        self._tell_again(left, found)
        open_keys: set[Key] = set()
        for one in left:
            if one.payment.id in self.told:
                continue
            if not self._busy.isdisjoint(marks(one)):
                self._refuse([one], _in_progress())
            elif one.payment.id in duplicates and one.key not in open_keys:
                self._refuse([one], DuplicateReference(duplicates[one.payment.id]))
            else:
                open_keys.add(one.key)
        return [one for one in left if one.payment.id not in self.told]

    def _write_part(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        """Accept what can be accepted now; return the others, divided into parts that are to be tried again."""
        try:
            written = insert(self._database, part, wait_ms=self._wait_ms)
        except LockTimeout:
            return self._divided(part, _in_progress())
        except DBAPIError as error:
            if sqlstate(error) == UNIQUE_VIOLATION and "payments_live_reference" in str(error.orig):
                return self._without_duplicates(part)
            if not refuses_a_row(error):
                raise
            refused = RowRefused("PostgreSQL refuses the payment's rows")
            refused.__cause__ = error
            return self._divided(part, refused)
        for one in part:
            if one.payment.id in written:
                created_at, metadata = written[one.payment.id]
                # The metadata as PostgreSQL keeps it (1e2 becomes 100), so that a replay says the same to the byte.
                told = replace(one.payment, terms=replace(one.payment.terms, metadata=metadata))
                self.told[told.id] = Accepted(told, one.job_id, created_at, replayed=False)
        return self._replayed([one for one in part if one.payment.id not in written])

    def _replayed(self, known: Sequence[Born]) -> list[Sequence[Born]]:
        if not known:
            return []
        found = self._database.run(lambda connection: kept(connection, [one.key for one in known]))
        self._tell_again(known, found)
        pruned = [one for one in known if one.key not in found]
        return (
            self._divided(pruned, IdempotencyInProgress("this key is just being forgotten")) if pruned else []
        )

    def _without_duplicates(self, part: Sequence[Born]) -> list[Sequence[Born]]:
        with self._database.read() as connection:
            duplicates = carried(connection, part)
        if not duplicates:  # the payment with that reference has failed meanwhile
            return self._divided(part, DuplicateReference(None))
        for one, carrier in duplicates:
            self._refuse([one], DuplicateReference(carrier))
        left = [one for one in part if one.payment.id not in self.told]
        return [left] if left else []

    def _divided(self, part: Sequence[Born], why: AegisError) -> list[Sequence[Born]]:
        """Two parts to try, or none where `why` has found its payment or there is no more time to wait."""
        waits = isinstance(why, IdempotencyInProgress)
        if len(part) == 1 or (self._is_too_late and (waits or self._patience.puts_off)):
            self._give_up(part, why)
            return []
        if self._tries_until_s is None:
            self._tries_until_s = time.monotonic() + self._patience.tries_s
        if waits:
            self._wait_ms = self._patience.later_ms
        middle = len(part) // 2
        return [part[middle:], part[:middle]]  # the last is tried first, so keys stay in their order

    def _give_up(self, part: Sequence[Born], why: AegisError) -> None:
        is_found = len(part) == 1
        if self._patience.puts_off and (isinstance(why, IdempotencyInProgress) or not is_found):
            self._busy = self._busy.union(*map(marks, part))
            if is_found:
                self.held.add(part[0].payment.id)
        elif is_found:
            self._refuse(part, why)
        else:
            self._refuse(
                part, IdempotencyInProgress("this request, or one beside it, is still being accepted")
            )

    @property
    def _is_too_late(self) -> bool:
        return self._tries_until_s is not None and time.monotonic() > self._tries_until_s

    def _tell_again(self, asked: Sequence[Born], found: Mapping[Key, KeptPayment]) -> None:
        for one in asked:
            if one.key in found:
                self.told[one.payment.id] = told_before(one, found[one.key])

    def _refuse(self, part: Sequence[Born], why: AegisError) -> None:
        if isinstance(why, IdempotencyInProgress):
            self._busy = self._busy.union(*map(marks, part))
        self.told |= {one.payment.id: why for one in part}


def _in_progress() -> IdempotencyInProgress:
    return IdempotencyInProgress("a request with this key is still being accepted")
