"""Hooks that may refuse a request to pay: asked before anything is written, and while no transaction is open.

A request whose key is known gets the answer that it got before, and no hook is asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from msgspec import Struct

from aegis_worker.domain.accepting import Key
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.screening import reason_in_words
from aegis_worker.errors import AegisError, HookFailed, HookRefused, IdempotencyInProgress
from aegis_worker.hooks import Customer, Hooks, Point, RawBody, Said, Validating
from aegis_worker.hooks.facts import facts_of_terms
from aegis_worker.persistence.accepting import known
from aegis_worker.persistence.database import Database

from .command import PaymentCommand

# What the hooks of one point may cost a request in all, and the requests of a batch together.
_LONGEST_S, _LONGEST_OF_BATCH_S = 5.0, 15.0
# For their turn, where the hooks' processes are busy with others.
_WAITS_S = 1.0
# Requests of a batch that hooks are asked about side by side; the hooks' processes serve others as well.
_ASKED_AT_ONCE = 4
_MOST_ERRORS = 100
# In this order; whatever a hook refuses is shown to none of the next point.
_POINTS = (Point.VALIDATE, Point.VALIDATE_PAYMENT, Point.VALIDATE_CUSTOMER)

Refusal = AegisError | None


class Validation:
    """Asks the hooks of one process. Thread-safe. Where no hook validates, nothing is asked, read or made."""

    def __init__(self, hooks: Hooks, database: Database) -> None:
        self._hooks, self._database = hooks, database
        self._asks_of_bodies = hooks.has(Point.VALIDATE_RAW)
        self._points = tuple(point for point in _POINTS if hooks.has(point))
        self.asks = self._asks_of_bodies or bool(self._points)

    def known(self, keys: Sequence[Key]) -> frozenset[Key]:
        """The keys under which a payment was accepted; none where no hook would be asked. Raises DatabaseUnavailable."""
        if not self.asks or not keys:
            return frozenset()
        with self._database.read() as connection:
            return frozenset(known(connection, keys))

    def of_bodies(self, owner: Owner, bodies: Sequence[Mapping[str, Any]]) -> list[Refusal]:
        """Why a body is refused before it is held against the schema, in their order. They must hold no card."""
        if not self._asks_of_bodies:
            return [None] * len(bodies)
        until = _end_of(len(bodies))
        return self._ask_all(Point.VALIDATE_RAW, [RawBody(*owner, body) for body in bodies], until)

    def judged(
        self, commands: Sequence[PaymentCommand], known: Collection[Key] = frozenset()
    ) -> list[PaymentCommand]:
        """The commands; those that a hook refuses are refused. Of those under a `known` key no hook is asked.

        Raises HookFailed if the hooks' processes don't answer at all.
        """
        judged = [_repeated(one) if known and key_of(one) in known else one for one in commands]
        until = _end_of(len(commands))
        for point in self._points:
            places = [place for place, one in enumerate(judged) if one.refused is None]
            refusals = self._ask_all(point, [_context(point, judged[place]) for place in places], until)
            for place, refused in zip(places, refusals, strict=True):
                if refused is not None:
                    judged[place] = replace(judged[place], refused=refused)
        return judged

    def _ask_all(self, point: Point, contexts: Sequence[Struct], until: float) -> list[Refusal]:
        """What the hooks of a point come to for each, in their order: a few at a time, none begun to wait after `until`."""
        longest_s = min(_LONGEST_S, self._hooks.within_s(point) + _WAITS_S)
        answers: list[Sequence[Said]] = [()] * len(contexts)
        places = threading.BoundedSemaphore(_ASKED_AT_ONCE)
        for number, context in enumerate(contexts):
            _take(places)
            left_s = max(0.0, min(longest_s, until - time.monotonic()))
            done = partial(_told, answers, number, places.release)
            self._hooks.begin(point, context, done, within_s=left_s)
        for _ in range(_ASKED_AT_ONCE if contexts else 0):
            _take(places)
        return [_refusal(said) for said in answers]


def key_of(command: PaymentCommand) -> Key:
    """What the command's payment would be accepted under."""
    return Key(*command.owner, command.route, command.idempotency_key)


def _end_of(requests: int) -> float:
    return time.monotonic() + (_LONGEST_S * len(_POINTS) if requests == 1 else _LONGEST_OF_BATCH_S)


def _context(point: Point, command: PaymentCommand) -> Struct:
    facts = facts_of_terms(command.terms, *command.owner)
    if point is not Point.VALIDATE_CUSTOMER:
        return Validating(facts)
    return Customer(facts, command.terms.customer, {} if command.payer is None else command.payer.details)


def _take(places: threading.BoundedSemaphore) -> None:
    """Wait for a place. One comes in time, because hooks are cut off. If none should, nothing is accepted unasked."""
    if not places.acquire(timeout=2 * _LONGEST_S):
        raise HookFailed("the hooks' processes don't answer")


def _told(answers: list[Sequence[Said]], number: int, then: Callable[[], None], said: Sequence[Said]) -> None:
    answers[number] = said
    then()


def _repeated(command: PaymentCommand) -> PaymentCommand:
    """A command that is told what its key's payment was told. It is not accepted anew: no hook has seen it."""
    if command.refused is not None:
        return command
    return replace(command, refused=IdempotencyInProgress("this key is just being forgotten"))


def _refusal(said: Sequence[Said]) -> Refusal:
    """A refusal counts for more than a hook that failed, because repeating the request would not help."""
    errors = list(chain.from_iterable(map(_errors, said)))
    if errors:
        return HookRefused(errors[:_MOST_ERRORS])
    failed = [
        f"{one.hook}: {one.failed}" for one in said if one.failed is not None and one.policy == "closed"
    ]
    return HookFailed("; ".join(failed)) if failed else None


def _errors(said: Said) -> Iterator[dict[str, str]]:
    for problem in said.answer or ():
        detail = reason_in_words(problem.detail)
        yield {"pointer": problem.pointer, "code": problem.code, "detail": detail}
