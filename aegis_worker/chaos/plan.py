"""What is to be injected, where and when: plain values, and the decisions, which are pure.

A decision is drawn from a keyed hash of the seed, the injection, the payment and the call, and not from a sequence of
random numbers. So the same seed strikes the same calls, in whatever order threads and processes come to them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

# The operation of a call that only asks what became of another.
LOOK_UP = "look_up"


class Kind(StrEnum):
    """What an injection does."""

    # To an HTTP call to a gateway.
    LATENCY = "latency"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_503 = "http_503"
    INVALID_ANSWER = "invalid_answer"
    OTHER_PAYMENT = "other_payment"
    CHARGE_THEN_DROP = "charge_then_drop"
    NO_SOCKETS = "no_sockets"
    # To the gates before the calls.
    NO_PERMITS = "no_permits"
    # To what a worker works with.
    REDIS_SLOW = "redis_slow"
    REDIS_DOWN = "redis_down"
    POSTGRES_SLOW = "postgres_slow"
    POSTGRES_LOST_BEFORE_COMMIT = "postgres_lost_before_commit"
    POSTGRES_LOST_AFTER_COMMIT = "postgres_lost_after_commit"
    MESSAGE_LOST = "message_lost"
    MESSAGE_DUPLICATED = "message_duplicated"
    MESSAGE_DELAYED = "message_delayed"
    CLOCK_OFFSET = "clock_offset"


OF_CALLS = frozenset(
    {
        Kind.LATENCY,
        Kind.NETWORK_ERROR,
        Kind.TIMEOUT,
        Kind.HTTP_429,
        Kind.HTTP_500,
        Kind.HTTP_503,
        Kind.INVALID_ANSWER,
        Kind.OTHER_PAYMENT,
        Kind.CHARGE_THEN_DROP,
        Kind.NO_SOCKETS,
    }
)


class Occasion(NamedTuple):
    """A call to a gateway that may be struck. `key` names its payment in the same way in every run: the merchant's own
    reference, or the payment's id where it has none. `nth`: which send, or which look-up, of its attempt, from 1.
    """

    key: str
    payment_id: str
    merchant_id: str
    gateway: str
    operation: str
    number: int
    nth: int


class Injection(Struct, frozen=True):
    """One thing to break. Times in seconds since the plan's start.

    `probability`: of each chance. The window is [`from_s`, `until_s`); with `every_s`, bursts in it that last `lasts_s`.
    With `step_s` each of the `gateways` has a window of its own, which begins so much later than that of the one before:
    a cascade. `cap`: the most strikes in one process. Empty scopes mean any. `share`: of the payments. `sends`: only the
    first so many sends of an attempt, or look-ups about it. `reaches`: the call is really made, and its answer replaced.
    """

    id: str
    kind: Kind
    probability: float = 1.0
    from_s: float = 0.0
    until_s: float = math.inf
    every_s: float | None = None
    lasts_s: float | None = None
    cap: int | None = None
    gateways: tuple[str, ...] = ()
    step_s: float = 0.0
    operations: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    share: float = 1.0
    sends: int | None = None
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    retry_after_s: int | None = None
    reaches: bool = False
    offset_s: float = 0.0

    @property
    def told(self) -> str:
        """What people read: `timeout`, or `timeout (slow-bank)` where the injection has a name of its own."""
        return self.kind.value if self.id == self.kind else f"{self.kind} ({self.id})"

    def is_active(self, elapsed_s: float, gateway: str | None = None) -> bool:
        """Whether the moment is in its window, as it is for this gateway."""
        shift_s = 0.0
        if self.step_s and gateway in self.gateways:
            shift_s = self.step_s * self.gateways.index(gateway)
        since_s = elapsed_s - self.from_s - shift_s
        if not 0 <= since_s < self.until_s - self.from_s:
            return False
        return self.every_s is None or since_s % self.every_s < (self.lasts_s or 0.0)


class Plan(Struct, frozen=True):
    """All injections of a file, in its order. `begins_at`: in seconds since 1970; None: when a process reads the file."""

    seed: int
    injections: tuple[Injection, ...]
    begins_at: float | None = None
    sha256: str = ""

    def of(self, *kinds: Kind) -> tuple[Injection, ...]:
        """Those of these kinds."""
        return tuple(one for one in self.injections if one.kind in kinds)


def draw(seed: int, *about: str | int) -> float:
    """From 0 (included) to 1, always the same for the same seed about the same."""
    text = "\x1f".join(map(str, about)).encode()
    key = seed.to_bytes(8, "big")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest(), "big") / 2**64


def striking(plan: Plan, occasion: Occasion, call: int, elapsed_s: float) -> Iterator[Injection]:
    """The injections that strike the call: every latency that does, and of the others the first.

    `call`: which HTTP call of the occasion, from 0; an operation may take several.
    """
    ends = False
    for one in plan.injections:
        if one.kind not in OF_CALLS or (ends and one.kind is not Kind.LATENCY):
            continue
        if strikes(plan.seed, one, occasion, call, elapsed_s):
            ends = ends or one.kind is not Kind.LATENCY
            yield one


def strikes(seed: int, one: Injection, occasion: Occasion, call: int, elapsed_s: float) -> bool:
    """Whether this injection strikes the call."""
    if not one.is_active(elapsed_s, occasion.gateway) or not _is_in_scope(seed, one, occasion):
        return False
    return draw(seed, one.id, *_named(occasion), call) < one.probability


def delay_s(seed: int, one: Injection, *about: str | int) -> float:
    """How long this strike delays: `delay_ms`, and by chance up to `jitter_ms` more."""
    return (one.delay_ms + one.jitter_ms * draw(seed, one.id, "jitter", *about)) / 1000


def call_delay_s(seed: int, one: Injection, occasion: Occasion, call: int) -> float:
    """How long it delays the answer to this call."""
    return delay_s(seed, one, *_named(occasion), call)


def _is_in_scope(seed: int, one: Injection, occasion: Occasion) -> bool:
    return (
        (not one.gateways or occasion.gateway in one.gateways)
        and (not one.operations or occasion.operation in one.operations)
        and (not one.merchants or occasion.merchant_id in one.merchants)
        and (one.sends is None or occasion.nth <= one.sends)
        and (one.share >= 1 or draw(seed, one.id, "share", occasion.key) < one.share)
    )


def _named(occasion: Occasion) -> tuple[str | int, ...]:
    return occasion.key, occasion.gateway, occasion.operation, occasion.number, occasion.nth
