"""The Redis Stream on which events are told: one entry per event, with the fields `id`, `merchant_id` and `payload`."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis, RedisError

from aegis_worker.persistence.published import PublishedEvent

from .sink import Sink, SinkUnavailable

STREAM = "aegis:events"

# A script and not a pipeline: Redis out of memory refuses it before its first XADD, while a pipeline could lose one entry
# and keep the next, which would put a payment's events out of order.
_APPEND = """
for i = 2, #ARGV, 3 do
    redis.call('XADD', KEYS[1], '*', 'id', ARGV[i], 'merchant_id', ARGV[i + 1], 'payload', ARGV[i + 2])
end
return redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
"""


class EventStream(Sink):
    """The stream `aegis:events`, kept at about `maxlen` entries; the oldest go first, read or not.

    `redis` should have a short `socket_timeout` and no retries, because the drain tries again with a backoff.
    """

    name = "stream"

    def __init__(self, redis: Redis, *, maxlen: int) -> None:
        self._append = redis.register_script(_APPEND)
        self._maxlen = maxlen

    def tell(self, events: Sequence[PublishedEvent]) -> None:
        """Append all of them in this order. Raises SinkUnavailable, after which they may or may not be there."""
        arguments: list[str | bytes | int] = [self._maxlen]
        for event in events:
            arguments += (event.id, event.merchant_id, event.payload())
        try:
            self._append(keys=[STREAM], args=arguments)
        except RedisError as error:
            raise SinkUnavailable(f"{type(error).__name__}: {error}") from error
