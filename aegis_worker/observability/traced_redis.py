"""Spans of calls to Redis, for what is traced: names of commands, never their arguments."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.client import Pipeline

from .tracing import TRACING


class TracedRedis(Redis):
    """A client whose commands are spans."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As Redis has it."""
        if TRACING.current is None:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        with TRACING.inside(str(args[0]).upper(), "redis"):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """As Redis has it; what is sent together is one span."""
        return _TracedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _TracedPipeline(Pipeline):
    def execute(self, raise_on_error: bool = True) -> list[Any]:
        if TRACING.current is None:
            return super().execute(raise_on_error)
        with TRACING.inside("PIPELINE", "redis"):
            return super().execute(raise_on_error)
