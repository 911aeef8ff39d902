"""What calls to each gateway came to, in Redis and told by all workers: its last 100 counted hops, and the last hour.

Times of entries are Redis's own, so that workers' clocks don't matter. Scripts go as text and not by their hash: redis-py
asks before each pipeline whether a hash is known, which is another round trip. Keys, each with an end:
`aegis:gate:{gateway}:recent`, a list of "at_ms counted latency_ms error", and `aegis:gate:{gateway}:minute:{n}`, a hash of
counts by outcome, `error:{word}`, `ms` (the sum of latencies) and `b{n}` (how many latencies fell into bucket n).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .permits import ERRORS, CallResult, Counted

LAST = 100
HOUR_S = 3600
OTHER_ERROR = "other"
# Only an answer says how long the gateway takes: a refused connection comes at once, and a timeout is set by us.
ANSWERED = frozenset({Counted.APPROVED, Counted.DECLINED, Counted.PAYER, Counted.PENDING})

# Each bucket of latencies is wider than the one before by this factor: a percentile is off by a twentieth at most.
_BUCKET_RATIO = 1.1
_LOG_RATIO = math.log(_BUCKET_RATIO)
_LAST_BUCKET = 150  # 27 minutes

_RECORD = f"""
local time = redis.call('TIME')
local at = string.format('%d%03d ', time[1], math.floor(time[2] / 1000))
local entries = {{}}
for entry in string.gmatch(ARGV[1], '[^\\n]+') do
    entries[#entries + 1] = at .. entry
end
local recent, minute = KEYS[1] .. 'recent', KEYS[1] .. 'minute:' .. math.floor(time[1] / 60)
redis.call('LPUSH', recent, unpack(entries))
redis.call('LTRIM', recent, 0, {LAST - 1})
redis.call('EXPIRE', recent, {HOUR_S})
for name, count in string.gmatch(ARGV[2], '(%S+) (%S+)') do
    redis.call('HINCRBY', minute, name, count)
end
redis.call('EXPIRE', minute, {2 * HOUR_S})
"""

_READ_HOUR = f"""
local now = tonumber(redis.call('TIME')[1])
local this_minute = math.floor(now / 60)
local sums, first, lately = {{}}, nil, 0
for minute = this_minute - {HOUR_S // 60 - 1}, this_minute do
    local counts = redis.call('HGETALL', KEYS[1] .. 'minute:' .. minute)
    for i = 1, #counts, 2 do
        sums[counts[i]] = (sums[counts[i]] or 0) + counts[i + 1]
        first = first or minute
        if minute >= this_minute - 1 and string.find(' {" ".join(Counted)} ', ' ' .. counts[i] .. ' ', 1, true) then
            lately = lately + counts[i + 1]
        end
    end
end
local function since(minute) return now - minute * 60 end
local reply = {{first and since(first) or 0, since(math.max(first or 0, this_minute - 1)), lately}}
for name, sum in pairs(sums) do
    reply[#reply + 1] = name
    reply[#reply + 1] = sum
end
return reply
"""


class RecentCall(NamedTuple):
    """One counted hop. `error`: a word of `ERRORS`, `other`, or empty."""

    at_ms: int
    counted: Counted
    latency_ms: float
    error: str


@dataclass(frozen=True, slots=True)
class RecentCalls:
    """A gateway's counted hops of the last hour, the newest first, at most 100; `now_ms` by Redis's clock, as `at_ms`."""

    now_ms: int = 0
    calls: tuple[RecentCall, ...] = ()

    def since(self, at_ms: int) -> RecentCalls:
        """Without what ended before `at_ms`: what a breaker was opened for says nothing once it has closed."""
        return RecentCalls(self.now_ms, tuple(call for call in self.calls if call.at_ms >= at_ms))


@dataclass(frozen=True, slots=True)
class HourCounts:
    """A gateway's counted hops of the last 60 minutes, this one included, added up.

    `counts` by outcome, `errors` by word, `latency_ms` the sum over the answered hops, `buckets` how many of these fell
    into each. `elapsed_s`: from the first minute with a hop until now. `calls_per_s`: over this minute and the last one.
    """

    elapsed_s: float = 0.0
    calls_per_s: float = 0.0
    counts: Mapping[Counted, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    latency_ms: int = 0
    buckets: Mapping[int, int] = field(default_factory=dict)


class HealthWindow:
    """The windows of the named gateways. Queues commands on a pipeline of redis-py; the caller executes it."""

    def __init__(self, gateways: Collection[str]) -> None:
        self._gateways = tuple(gateways)

    def record(self, pipe: Any, results: Sequence[CallResult]) -> int:
        """Queue the results whose `counted` is set. Returns how many commands, hence replies (each None): one a gateway."""
        by_gateway: dict[str, list[CallResult]] = defaultdict(list)
        for result in results:
            if result.counted is not None:
                by_gateway[result.wanted.gateway].append(result)
        for gateway, counted in by_gateway.items():
            pipe.eval(_RECORD, 1, _prefix(gateway), _entries(counted), _counts(counted))
        return len(by_gateway)

    def read(self, pipe: Any) -> Callable[[Sequence[Any]], dict[str, RecentCalls]]:
        """Queue the reading of the last calls: one reply for the clock and one for each gateway.

        The function makes the calls by gateway from ALL replies of that pipeline: it knows which of them are its own.
        """
        start = len(pipe)
        pipe.time()
        for gateway in self._gateways:
            pipe.lrange(_prefix(gateway) + "recent", 0, LAST - 1)

        def read(replies: Sequence[Any]) -> dict[str, RecentCalls]:
            seconds, microseconds = replies[start]
            now_ms = seconds * 1000 + microseconds // 1000
            lists = replies[start + 1 : start + 1 + len(self._gateways)]
            return {
                name: _recent(now_ms, entries) for name, entries in zip(self._gateways, lists, strict=True)
            }

        return read

    def read_hour(self, pipe: Any) -> Callable[[Sequence[Any]], dict[str, HourCounts]]:
        """Queue the adding up of the last hour: one reply for each gateway. The function is used as that of `read`.

        It costs Redis up to a millisecond a gateway: for people and monitors, not for each call.
        """
        start = len(pipe)
        for gateway in self._gateways:
            pipe.eval(_READ_HOUR, 1, _prefix(gateway))

        def read(replies: Sequence[Any]) -> dict[str, HourCounts]:
            own = replies[start : start + len(self._gateways)]
            return {name: _hour(reply) for name, reply in zip(self._gateways, own, strict=True)}

        return read


def bucket_of(latency_ms: float) -> int:
    """The bucket of a latency."""
    return min(_LAST_BUCKET, round(math.log(latency_ms) / _LOG_RATIO)) if latency_ms > 1 else 0


def bucket_ms(bucket: int) -> float:
    """The latency that stands for a bucket: the middle of it, by ratio."""
    return _BUCKET_RATIO**bucket


def _prefix(gateway: str) -> str:
    return f"aegis:gate:{gateway}:"


def _entries(results: Sequence[CallResult]) -> str:
    """One line each, the oldest first: the last one pushed stands first in the list."""
    return "\n".join(f"{r.counted} {r.latency_ms:.1f} {_word(r)}" for r in results[-LAST:])


def _counts(results: Sequence[CallResult]) -> str:
    counts: Counter[str] = Counter()
    for result in results:
        counts[str(result.counted)] += 1
        if result.counted in ANSWERED:
            counts["ms"] += round(result.latency_ms)
            counts[f"b{bucket_of(result.latency_ms)}"] += 1
        elif result.error:
            counts[f"error:{_word(result)}"] += 1
    return " ".join(f"{name} {count}" for name, count in counts.items())


def _word(result: CallResult) -> str:
    """The error's word, or `other`: each unknown word would add a field in Redis and a label to the metrics."""
    return result.error if result.error in ERRORS or not result.error else OTHER_ERROR


def _recent(now_ms: int, entries: Sequence[bytes]) -> RecentCalls:
    oldest = now_ms - HOUR_S * 1000
    calls = (_call(entry.decode()) for entry in entries)
    return RecentCalls(now_ms, tuple(call for call in calls if call.at_ms >= oldest))


def _call(entry: str) -> RecentCall:
    at_ms, counted, latency_ms, error = entry.split(" ")
    return RecentCall(int(at_ms), Counted(counted), float(latency_ms), error)


def _hour(reply: Sequence[Any]) -> HourCounts:
    elapsed_s, lately_s, lately, *flat = reply
    sums = {name.decode(): int(count) for name, count in zip(flat[::2], flat[1::2], strict=True)}
    return HourCounts(
        elapsed_s=float(elapsed_s),
        calls_per_s=lately / max(1, lately_s),
        counts={counted: sums[counted] for counted in Counted if counted in sums},
        errors={name.removeprefix("error:"): n for name, n in sums.items() if name.startswith("error:")},
        latency_ms=sums.get("ms", 0),
        buckets={int(name[1:]): n for name, n in sums.items() if name[0] == "b"},
    )
