"""Celery's Redis transport, for a queue in which anything may lie, and a Redis that goes away while one reconnects."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport

_logger = logging.getLogger(__name__)


class _Channel(RedisChannel):
    """Says of a closed connection that it is closed: kombu stumbles over it, and that would end the worker."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the broker was closed meanwhile")
        parameters: dict[str, Any] = super()._connparams(asynchronous)
        return parameters


class Transport(RedisTransport):
    """Throws away what is no message of Celery's: kombu lets it end the worker, one worker for each such entry.

    BRPOP has taken it out of the queue by then. Messages that are well-formed and refused (an unknown task, a pickle)
    never get here as errors.
    """

    Channel = _Channel

    def on_readable(self, fileno: int) -> None:  # type: ignore[override]  # kombu's own is called like this
        """Take in what has arrived."""
        try:
            super().on_readable(fileno)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Not its text: a stranger chose it.
            _logger.warning("an entry of a queue is no message and is thrown away: %s", type(error).__name__)
