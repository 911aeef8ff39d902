"""A pipeline behind real gates, on the session's Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from support.payments import pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.resilience.gates import build_gates


@pytest.fixture
def valkey(redis_url: str) -> Iterator[Redis]:
    """A client of the session's Valkey, which is empty."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def gated(database: Database, valkey: Redis) -> Callable[..., PipelineParts]:
    """`gated(*gateways, **changes)`: a pipeline to the gateways, behind their gates."""

    def build(*gateways: ScriptedGateway, **changes: Any) -> PipelineParts:
        threads = changes.get("calls_in_flight", 8)
        gates = build_gates(valkey, {one.config.name: one for one in gateways}, calls_in_flight=threads)
        return pipeline(database, *gateways, gates=gates, **changes)

    return build
