"""Pools of the hooks of `misbehaving_hooks`, and what they are asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aegis_worker.hooks import FraudCheck, PaymentFacts, Point, Said
from aegis_worker.hooks.config import BreakerConfig, HooksConfig, PoolConfig
from aegis_worker.hooks.pool import HookPool

_MODULE = "support.misbehaving_hooks"
MISBEHAVING, GOOD = f"{_MODULE}:misbehaving", f"{_MODULE}:good"
ROUTES, HANGING = f"{_MODULE}:routes", f"{_MODULE}:Hanging"


@contextmanager
def pool_of(
    *paths: str,
    timeout_ms: int = 200,
    timeouts: int = 3,
    open_ms: int = 60_000,
    environment: dict[str, str] | None = None,
    **pool: int,
) -> Iterator[HookPool]:
    """A pool that is ended with the block. All its hooks have this time limit."""
    names = [path for path in paths if not path.endswith("Hanging")]
    config = HooksConfig(
        pool=PoolConfig(**pool),
        breaker=BreakerConfig(timeouts, open_ms),
        hooks={name: {"timeout_ms": timeout_ms} for name in names},
    )
    made = HookPool(paths, config, dict(os.environ) if environment is None else environment)
    try:
        made.load()
        yield made
    finally:
        made.close()


def payment(**metadata: Any) -> FraudCheck:
    """A payment with this metadata, as a fraud check is shown it."""
    facts = PaymentFacts("pay_1", "mer_1", "test", 1999, "USD", "card", metadata=metadata)
    return FraudCheck(facts)


def said_of(pool: HookPool, within_s: float = 10.0, **metadata: Any) -> dict[str, Said]:
    """What the fraud checks say of a payment with this metadata, by hook."""
    said = pool.ask(Point.FRAUD_CHECK, payment(**metadata), within_s=within_s)
    return {one.hook: one for one in said}
