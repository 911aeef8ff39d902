"""One question to the hooks of a point: which of them are still to be asked, and what the others said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec import DecodeError, ValidationError, msgpack, to_builtins

from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import HOOK_ENDS, HOOKS

from .asking import Done, Said
from .breaker import Breaker
from .config import BreakerConfig, Configured
from .counts import RAN, End, HookCounts
from .frames import Result
from .points import ABOUT, Point

_MS = 1_000_000


class Hook:
    """A hook that is switched on, with all that is known of it in this process."""

    def __init__(self, configured: Configured, breaker: BreakerConfig) -> None:
        self.name, self.point, self.policy = configured.name, configured.offered.point, configured.policy
        self.timeout_ms = configured.timeout_ms
        self.timeout_ns = configured.timeout_ms * _MS
        self.breaker = Breaker(breaker.timeouts, breaker.open_ms * _MS)
        self.counts = HookCounts()
        about = ABOUT[self.point]
        self._answers = None if about.answer is None else msgpack.Decoder(about.answer | None)

    def answer(self, encoded: bytes) -> Any:
        """What it answered. Raises ValueError for what is no answer of its point."""
        if self._answers is None:
            return None
        try:
            answer = self._answers.decode(encoded)
        except (ValidationError, DecodeError, RecursionError) as error:
            raise ValueError("answered what is no answer at this point") from error
        if answer is not None and _holds_no_number(to_builtins(answer)):
            raise ValueError("answered a number that is none")
        return answer


class Asked:
    """A question to the hooks of a point, until all of them have answered or failed. Used by one thread.

    `until_ns`: when whoever asked stops waiting. `sent`: the hooks that it was sent for last. `restarts`: how often the
    process that it was sent to ended without a hook running.
    """

    __slots__ = (
        "_done",
        "_hooks",
        "_probes",
        "_said",
        "context",
        "is_over",
        "point",
        "restarts",
        "sent",
        "until_ns",
    )

    def __init__(
        self, point: Point, hooks: Sequence[Hook], context: bytes, until_ns: int, done: Done
    ) -> None:
        self.point, self.context, self.until_ns = point, context, until_ns
        self.sent: tuple[Hook, ...] = ()
        self.restarts, self.is_over = 0, False
        self._hooks, self._done = hooks, done
        self._said: dict[str, Said] = {}
        self._probes: set[Hook] = set()

    def remaining(self) -> list[Hook]:
        """The hooks that have not said anything yet, in order."""
        return [hook for hook in self._hooks if hook.name not in self._said]

    def to_ask(self, now_ns: int) -> list[Hook]:
        """The hooks to ask now. A hook whose breaker is open is not asked and has failed.

        A question probes one half-open hook at most, so that a payment never waits for several hooks that hang. From this
        call on the hook counts as being probed, so that no other question probes it too.
        """
        hooks = []
        for hook in self.remaining():
            refusal = None if hook in self._probes else hook.breaker.refusal(now_ns)
            if refusal is None and hook not in self._probes and hook.breaker.state(now_ns) == "half_open":
                if self._probes:
                    refusal = "its breaker is open, and another payment tries whether it answers"
                else:
                    hook.breaker.probe()
                    self._probes.add(hook)
            if refusal is None:
                hooks.append(hook)
            else:
                self._fail(hook, End.REFUSED, refusal, 0)
        return hooks

    def take(self, hook: Hook, result: Result, now_ns: int) -> bool:
        """What a hook said. Returns whether its breaker opens."""
        if result.took_us * 1000 > hook.timeout_ns:
            return self.cut_off(hook, now_ns, End.TIMED_OUT, result.took_us)
        hook.breaker.in_time(is_probe=self._was_probe(hook))
        if result.failed:
            self._fail(hook, End.FAILED, result.failed, result.took_us)
            return False
        try:
            answer = hook.answer(result.answer)
        except ValueError as error:
            self._fail(hook, End.FAILED, str(error), result.took_us)
            return False
        self._count(hook, End.ANSWERED, result.took_us)
        self._keep(Said(hook.name, answer, None, result.took_us / 1000, hook.policy))
        return False

    def cut_off(self, hook: Hook, now_ns: int, end: End, took_us: int) -> bool:
        """A hook took too long, or its process ended while it ran. Returns whether its breaker opens."""
        why = (
            f"timed out after {hook.timeout_ms} ms"
            if end is End.TIMED_OUT
            else "its process ended while it ran"
        )
        self._fail(hook, end, why, took_us)
        return hook.breaker.cut_off(now_ns, is_probe=self._was_probe(hook))

    def finish(self, why: str = "", running: Hook | None = None, *, crowded_out: bool = False) -> None:
        """Tell whoever asked. Hooks that have not answered failed because of `why`; `running` is the one that runs."""
        if self.is_over:
            return
        for hook in self.remaining():
            if hook is running:
                self._fail(hook, End.UNASKED, "gave no answer in time", 0)
            else:
                self._count(hook, End.UNASKED, 0)
                self._keep(Said(hook.name, None, why, 0.0, hook.policy, crowded_out))
        self.is_over = True
        for hook in [probed for probed in self._probes if probed is not running]:
            self._probes.remove(hook)
            hook.breaker.forget_probe()
        self._done(tuple(self._said[hook.name] for hook in self._hooks))

    def return_probes(self) -> None:
        """Give back the probes that were not made, so that the next question can make them."""
        for hook in self._probes:
            hook.breaker.forget_probe()
        self._probes.clear()

    def _was_probe(self, hook: Hook) -> bool:
        if hook not in self._probes:
            return False
        self._probes.remove(hook)
        return True

    def _fail(self, hook: Hook, end: End, why: str, took_us: int) -> None:
        self._count(hook, end, took_us)
        self._keep(Said(hook.name, None, why, took_us / 1000, hook.policy))

    def _count(self, hook: Hook, end: End, took_us: int) -> None:
        # A hook that still runs when its question is over counts as unasked then, and is counted again when it ends.
        hook.counts.count(end, took_us)
        METER.increment(HOOK_ENDS, hook.name, self.point, end.value)
        if end in RAN:
            METER.timing(HOOKS, took_us / 1e6, hook.name, self.point)

    def _keep(self, said: Said) -> None:
        if not self.is_over:
            self._said.setdefault(said.hook, said)


def _holds_no_number(value: Any) -> bool:
    """Whether there is a NaN or an infinity in it, which JSON can't hold."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_holds_no_number(one) for one in value.values())
    return isinstance(value, list | tuple) and any(_holds_no_number(one) for one in value)
