"""The breakers, permits and places that all workers share, in Redis: lua/*.lua, and what goes to and fro.

Scripts are called by their hash. redis-py's own way asks before every pipeline whether Redis knows them, which is another
round trip; here they are loaded when Redis says that it does not, and only what it refused is called again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from aegis_worker.domain.breakers import TRANSITIONS

from .breaker import BUCKETS, CALL_WEIGHT, CALM, MOST_DOUBLINGS, Draw
from .breaker_replies import Looked, Seen, looked_of, seen_of, verdicts_of
from .gate import CALLS, OPERATIONS, Gate
from .pace import BURST_MS, LONGEST_WAIT_MS
from .permits import STATUS, CallResult, Verdict, Wanted

# Lua passes at most some thousand values to one command.
_MOST_IDS = 1000

Queue = Callable[[Any], object]


class _Script:
    def __init__(self, name: str) -> None:
        folder = Path(__file__).parent / "lua"
        parts = (_constants(), (folder / "breaker.lua").read_text(), (folder / f"{name}.lua").read_text())
        self.text = "\n".join(parts)
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _constants() -> str:
    rules = (f"['{state} {move}'] = '{then}'" for (state, move), then in TRANSITIONS.items())
    return "\n".join(
        (
            f"local NEXT = {{ {', '.join(rules)} }}",
            f"local CALLS, STATUS = {{ {_quoted(CALLS)} }}, '{STATUS}'",
            f"local OPERATIONS = {{ {_quoted(OPERATIONS)} }}",
            f"local BUCKETS, CALL_WEIGHT, CALM = {BUCKETS}, {CALL_WEIGHT}, {CALM}",
            f"local MOST_DOUBLINGS = {MOST_DOUBLINGS}",
            f"local BURST_MS, LONGEST_WAIT_MS = {BURST_MS}, {LONGEST_WAIT_MS}",
        )
    )


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_ADMIT, _REPORT, _LOOK = _Script("admit"), _Script("report"), _Script("look")


class SharedBreakers:
    """Those of the given gateways. Every method raises RedisError when Redis can't be asked."""

    def __init__(self, redis: Redis, gates: Mapping[str, Gate], draw: Draw) -> None:
        self._redis, self._gates, self._draw = redis, gates, draw
        self._limits = {name: json.dumps(asdict(gate.breaker)) for name, gate in gates.items()}

    def admit(self, wanted: Sequence[Wanted]) -> tuple[list[Verdict], dict[str, list[Seen]]]:
        """A verdict for each, and the breakers that were looked at, by gateway."""
        groups: dict[str, dict[tuple[str, ...], list[int]]] = {}
        for position, one in enumerate(wanted):
            groups.setdefault(one.gateway, {}).setdefault(one.operations, []).append(position)
        pairs = {
            gateway: [part for same in by_operations.values() for part in _parts(same)]
            for gateway, by_operations in groups.items()
        }
        replies = self._run(
            (_ADMIT, name, self._admit_args(name, parts, wanted)) for name, parts in pairs.items()
        )
        verdicts: list[Verdict] = [Verdict(False)] * len(wanted)
        seen: dict[str, list[Seen]] = {}
        for (gateway, parts), reply in zip(pairs.items(), replies, strict=False):
            seen[gateway] = [seen_of(line.split()) for line in reply[-1]]
            for n, part in enumerate(parts):
                letters, epoch, waits = reply[3 * n : 3 * n + 3]
                told = verdicts_of(self._gates[gateway], letters, epoch, waits, self._draw)
                for position, verdict in zip(part, told, strict=True):
                    verdicts[position] = verdict
        return verdicts, seen

    def _admit_args(
        self, gateway: str, parts: Sequence[Sequence[int]], wanted: Sequence[Wanted]
    ) -> list[Any]:
        gate = self._gates[gateway]
        args: list[Any] = [round(gate.place_s * 1000), gate.max_concurrent or 0, gate.calls_per_s or 0]
        for part in parts:
            args.append(" ".join(wanted[part[0]].operations))
            args.append(" ".join([wanted[position].operation_id for position in part]))
        return args

    def report(self, results: Sequence[CallResult], queue: Queue) -> dict[str, list[Seen]]:
        """How calls ended. `queue` adds commands of others to the same pipeline. Returns the breakers, by gateway."""
        by_gateway: dict[str, dict[str, list[_SameEnd]]] = {}
        for result in results:
            ends = by_gateway.setdefault(result.wanted.gateway, {}).setdefault(
                result.wanted.operations[0], []
            )
            head = _head(result)
            if not ends or ends[-1].head != head or len(ends[-1].ids) == _MOST_IDS:
                ends.append(_SameEnd(head))
            ends[-1].ids.append(result.wanted.operation_id)
            ends[-1].latency_ms += result.latency_ms
        calls = [
            (
                _REPORT,
                gateway,
                [text for ends in by_operation.values() for end in ends for text in end.texts()],
            )
            for gateway, by_operation in by_gateway.items()
        ]
        replies = self._run(calls, queue)
        return {
            gateway: [seen_of(line.split()) for line in reply]
            for gateway, reply in zip(by_gateway, replies, strict=False)
        }

    def look(self, queue: Queue) -> tuple[dict[str, Looked], list[Any]]:
        """All breakers, by gateway, and every reply of the pipeline, to which `queue` adds."""
        replies = self._run([(_LOOK, gateway, []) for gateway in self._gates], queue)
        return {
            gateway: looked_of(reply) for gateway, reply in zip(self._gates, replies, strict=False)
        }, replies

    def _run(self, calls: Iterable[tuple[_Script, str, list[Any]]], queue: Queue | None = None) -> list[Any]:
        calls = list(calls)
        pipe = self._redis.pipeline(transaction=False)
        for script, gateway, args in calls:
            self._call(pipe, script, gateway, args)
        if queue is not None:
            queue(pipe)
        replies = pipe.execute(raise_on_error=False)
        refused = [n for n in range(len(calls)) if isinstance(replies[n], NoScriptError)]
        if refused:
            for script in {calls[n][0] for n in refused}:
                pipe.script_load(script.text)
            loads = len(pipe)
            for n in refused:
                self._call(pipe, *calls[n])
            again = pipe.execute(raise_on_error=False)[loads:]
            for n, reply in zip(refused, again, strict=True):
                replies[n] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def _call(self, pipe: Any, script: _Script, gateway: str, args: Sequence[Any]) -> None:
        pipe.evalsha(
            script.sha, 1, f"aegis:gate:{gateway}", self._limits[gateway], f"{self._draw():.6f}", *args
        )


@dataclass(slots=True)
class _SameEnd:
    """Calls of one operation that ended one after the other and alike."""

    head: tuple[int, str, tuple[str, ...]]
    ids: list[str]
    latency_ms: float

    def __init__(self, head: tuple[int, str, tuple[str, ...]]) -> None:
        self.head, self.ids, self.latency_ms = head, [], 0.0

    def texts(self) -> tuple[str, str]:
        epoch, said, operations = self.head
        mean_ms = self.latency_ms / len(self.ids)
        return f"{epoch} {said} {mean_ms:.3f} {' '.join(operations)}", " ".join(self.ids)


def _head(result: CallResult) -> tuple[int, str, tuple[str, ...]]:
    operations = result.wanted.operations
    return result.epoch, result.said, operations if result.hop_over else operations[:1]


def _parts(positions: Sequence[int]) -> Iterable[Sequence[int]]:
    return (positions[start : start + _MOST_IDS] for start in range(0, len(positions), _MOST_IDS))
