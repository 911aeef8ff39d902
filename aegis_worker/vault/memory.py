"""The vault's memory: a Redis without files, for security codes and for cards of a single payment.

Everything in it is sealed, has a lifetime, and is gone when the server ends. A server that writes files is refused before
anything is put there, because a security code must not outlive its payment anywhere (PCI DSS 4.0, requirement 3.3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from redis import Redis, RedisError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as TooSlow

from aegis_worker.domain.cards import CODE_KEPT_FOR
from aegis_worker.errors import VaultUnavailable

CODE_S = int(CODE_KEPT_FOR.total_seconds())
"""How long a security code is held at most, in seconds, and a card of a single payment that came with one."""
CARD_S = 24 * 3600
"""How long a card of a single payment without a security code is held at most, in seconds."""

_CHECKED_FOR_S, _SILENT_FOR_S = 30.0, 1.0
T = TypeVar("T")
_CARD, _CODE, _CLAIM = "aegis:vault:card:", "aegis:vault:code:", "aegis:vault:claim:"


class Held(NamedTuple):
    """What the memory holds under a token: an entry of a card, and a sealed code."""

    card: bytes | None
    code: bytes | None


class Memory:
    """The vault's memory as one process uses it. Thread-safe."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._is_fit_until_s = self._is_silent_until_s = 0.0

    def put(self, token: str, *, card: bytes | None, code: bytes | None) -> None:
        """Hold both, or neither. Raises VaultUnavailable, also for a server that writes files."""
        self._check()
        card_s = CARD_S if code is None else CODE_S

        def both(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=True)
            if card is not None:
                pipeline.set(_CARD + token, card, ex=card_s)
            if code is not None:
                pipeline.set(_CODE + token, code, ex=CODE_S)
            pipeline.execute()

        self._ask(both)

    def get(self, tokens: Sequence[str]) -> list[Held]:
        """What is held under each token. Raises VaultUnavailable."""
        names = [prefix + token for token in tokens for prefix in (_CARD, _CODE)]
        found = iter(self._ask(lambda redis: cast("list[bytes | None]", redis.mget(names))))
        return [Held(card, code) for card, code in zip(found, found, strict=True)]

    def replace(self, token: str, card: bytes) -> None:
        """Hold another entry in place of a card's, for the rest of its lifetime, and no code. Raises VaultUnavailable."""

        def both(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=True)
            pipeline.set(_CARD + token, card, xx=True, keepttl=True)
            pipeline.delete(_CODE + token)
            pipeline.execute()

        self._ask(both)

    def claim(self, token: str, by: str) -> bool:
        """Whether it is for whoever is called `by`: nobody had claimed it, or they had. Raises VaultUnavailable."""

        def both(redis: Redis) -> bool:
            pipeline = redis.pipeline(transaction=True)
            pipeline.set(_CLAIM + token, by, nx=True, ex=CARD_S)
            pipeline.get(_CLAIM + token)
            return bool(pipeline.execute()[1] == by.encode())

        return self._ask(both)

    def give_back(self, token: str) -> None:
        """Let others claim it. Raises VaultUnavailable."""
        self._ask(lambda redis: redis.delete(_CLAIM + token))

    def forget(self, tokens: Sequence[str]) -> None:
        """Hold nothing under these tokens any more. Raises VaultUnavailable."""
        names = [prefix + token for token in tokens for prefix in (_CARD, _CODE)]
        self._ask(lambda redis: redis.delete(*names))

    def count(self) -> tuple[int, int]:
        """How many cards and how many codes are held: for people, because it looks at everything."""

        def counted(redis: Redis, prefix: str) -> int:
            return sum(1 for _ in redis.scan_iter(match=prefix + "*", count=1000))

        return self._ask(lambda redis: (counted(redis, _CARD), counted(redis, _CODE)))

    def why_unfit(self, product: Redis | None = None) -> list[str]:
        """What keeps the server from being the vault's; `product`: the Redis of REDIS_URL, which it must not be.

        Raises VaultUnavailable where it does not answer.
        """
        return self._ask(lambda redis: list(_why_unfit(redis, product)))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _check(self) -> None:
        now_s = time.monotonic()
        if now_s < self._is_fit_until_s:
            return
        if why := self.why_unfit():
            raise VaultUnavailable(
                f"nothing is put into the Redis of AEGIS_VAULT_REDIS_URL: {'; '.join(why)}"
            )
        self._is_fit_until_s = now_s + _CHECKED_FOR_S

    def _ask(self, what: Callable[[Redis], T]) -> T:
        # All cards of a worker share few threads: a server that was just silent must not hold up each of them in turn.
        if time.monotonic() < self._is_silent_until_s:
            raise VaultUnavailable("the vault's Redis did not answer a moment ago")
        try:
            return what(self._redis)
        except RedisError as error:
            # Memory that is full, or a right that is missing, is an answer: what needs neither goes on.
            if isinstance(error, NoConnection | TooSlow):
                self._is_silent_until_s = time.monotonic() + _SILENT_FOR_S
            raise VaultUnavailable(f"the vault's Redis: {type(error).__name__}: {error}") from None


def _why_unfit(redis: Redis, product: Redis | None) -> Iterator[str]:
    info = redis.info()
    if info.get("aof_enabled"):
        yield "it writes an append-only file (appendonly yes)"
    try:
        if redis.config_get("save").get("save"):
            yield "it writes snapshots (save is set)"
    except NoPermissionError:
        yield "it does not say whether it writes snapshots (its user may not CONFIG GET)"
    if info.get("connected_slaves"):
        yield "it has replicas, which may write files"
    if product is not None and _is_same(info, product):
        yield "it is the Redis of REDIS_URL"


def _is_same(info: dict[str, Any], product: Redis) -> bool:
    try:
        return bool(product.info("server").get("run_id") == info["run_id"])
    except RedisError:
        return False  # which of them is away has its own check
