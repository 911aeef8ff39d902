"""Celery's Redis transport, which survives entries that are no messages and a Redis that goes away while reconnecting."""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import Transport as RedisTransport

_logger = logging.getLogger(__name__)


class _Channel(RedisChannel):
    """Raises ConnectionError for a closed connection, where kombu raises AttributeError, which would end the worker."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the broker was closed meanwhile")
        parameters: dict[str, Any] = super()._connparams(asynchronous)
        return parameters


class Transport(RedisTransport):
    """Throws away an entry of a queue that is no message of Celery's. Otherwise each such entry would end one worker.

    The entry is out of the queue by then, because BRPOP took it. Celery itself refuses well-formed messages that it can't
    run (an unknown task, a pickle); those raise nothing here.
    """

    Channel = _Channel

    def on_readable(self, fileno: int) -> None:  # type: ignore[override]  # kombu's own is called like this
        """Read what has arrived on the connection."""
        try:
            super().on_readable(fileno)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # The error's text is left out, because it repeats the entry, which a stranger may have written.
            _logger.warning("an entry of a queue is no message and is thrown away: %s", type(error).__name__)
