"""The lock in front of a payment. It saves contention and nothing else: correctness comes from lease and fence.

Own Lua: `SET NX` followed by a lost reply would refuse the holder its own lock, so "absent or already my token" is what
grants, and the scripts may be repeated. When Redis doesn't answer, everything is granted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from redis import Redis, RedisError

_ACQUIRE = """
local granted = {}
for i, key in ipairs(KEYS) do
    local holder = redis.call('GET', key)
    if not holder or holder == ARGV[1] then
        redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
        granted[#granted + 1] = i
    end
end
return granted
"""

_RELEASE = """
local released = 0
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then
        released = released + redis.call('DEL', key)
    end
end
return released
"""

# After a failure Redis is left alone for this long, so that a dead Redis costs one short wait and not one per batch.
_PAUSE_AFTER_FAILURE_S = 5.0


class PaymentLocks:
    """Locks by payment id, held under `token` for at most `ttl_ms`."""

    def __init__(self, redis: Redis, *, token: str) -> None:
        self._acquire = redis.register_script(_ACQUIRE)
        self._release = redis.register_script(_RELEASE)
        self._token = token
        self._skip_until = 0.0

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        """The ids that are ours now (all of them when Redis can't be asked)."""
        if not payment_ids or time.monotonic() < self._skip_until:
            return set(payment_ids)
        try:
            granted = self._acquire(keys=_keys(payment_ids), args=[self._token, ttl_ms])
        except RedisError:
            self._skip_until = time.monotonic() + _PAUSE_AFTER_FAILURE_S
            return set(payment_ids)
        return {payment_ids[index - 1] for index in granted}

    def release(self, payment_ids: Sequence[str]) -> None:
        """Let go of those of the ids that are still ours; what can't be released expires by itself."""
        if not payment_ids or time.monotonic() < self._skip_until:
            return
        try:
            self._release(keys=_keys(payment_ids), args=[self._token])
        except RedisError:
            self._skip_until = time.monotonic() + _PAUSE_AFTER_FAILURE_S


def _keys(payment_ids: Sequence[str]) -> list[str]:
    return [f"aegis:lock:{payment_id}" for payment_id in payment_ids]
