"""Celery's consumer of messages, for a Redis that lets the worker log in but refuses the commands that it needs.

Without this, Celery takes a refused command for a lost connection and connects again at once, several times a second and
for ever.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer
from redis import Redis, RedisError

from aegis_worker.redis_rights import grant, is_refusal, missing_rights

log = structlog.get_logger(__name__)

_FIRST_REST_S, _LONGEST_REST_S = 1.0, 30.0
_ASK_S = 2.0
# After this long without a refusal, the next refusal begins with the shortest wait again.
_FORGOTTEN_AFTER_S = 120.0


class Consumer(CeleryConsumer):
    """Logs which right is missing, and waits longer each time before it connects again."""

    _rest_s, _refused_at_s = _FIRST_REST_S, float("-inf")

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Redis refused a command while the queues were being declared."""
        self._rest_if_refused(exc)
        super().on_connection_error_before_connected(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Redis refused a command after the queues were declared."""
        self._rest_if_refused(exc)
        super().on_connection_error_after_connected(exc)

    def _rest_if_refused(self, exc: BaseException) -> None:
        if not is_refusal(exc):
            return
        now_s = time.monotonic()
        if now_s - self._refused_at_s > _FORGOTTEN_AFTER_S:
            self._rest_s = _FIRST_REST_S
        log.error("Redis refuses", error=str(exc), **self._what_is_missing(), tries_again_in_s=self._rest_s)
        _rest(self._rest_s)
        self._rest_s, self._refused_at_s = min(2 * self._rest_s, _LONGEST_REST_S), time.monotonic()

    def _what_is_missing(self) -> dict[str, Any]:
        url = self.app.conf.broker_url
        try:
            with Redis.from_url(url, socket_timeout=_ASK_S, socket_connect_timeout=_ASK_S) as redis:
                missing = missing_rights(redis)
                return {"missing": str(missing), "advice": grant(redis, missing)} if missing else {}
        except RedisError:
            return {}


def _rest(seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s and not (state.should_stop or state.should_terminate):
        time.sleep(0.1)
