"""A random mix of faults under load that goes on; then everything is healed, comes to rest, and is judged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

from aegis_worker.audit.violations import Violation
from aegis_worker.lab.demo.cast import posts

from .baseline import PROGRAMS, Baseline, compare, measure
from .inject import Injector
from .load import Answered
from .points import states
from .schedule import Fault, schedule
from .stage import Stage, last_lines

_WARM_UP_S = 5.0
# This many payments are posted every `_EVERY_S` seconds: of each lot three quarters are special, one of each role.
LOT, _EVERY_S = 24, 5.0
# Every third lot is posted as one batch.
_BATCH_EVERY = 3
# While more posts than this wait for an API that is away, no more are added.
_MOST_WAITING = 200
# Sessions end a moment after their processes.
_SETTLES_S = 30.0
_LOG_LINES = 12


@dataclass(slots=True)
class MixResult:
    """What was done and what came out."""

    seed: int
    seconds: float
    faults: list[Fault]
    payments: int = 0
    by_state: dict[str, int] = field(default_factory=dict)
    in_review: int = 0
    before: Baseline | None = None
    after: Baseline | None = None
    violations: list[Violation] = field(default_factory=list)
    answers: Sequence[Answered] = ()


def run_mix(stage: Stage, seconds: float, seed: int, say: Callable[[str], None]) -> MixResult:
    """Raises StackFailed, OperatorError or Stopped."""
    plan = schedule(
        seed,
        seconds,
        gateways=list(stage.gateways),
        asked=[name for name, one in stage.gateways.items() if one.capabilities.look_ups],
        lease_s=stage.settings.lease_s,
    )
    result = MixResult(seed, seconds, plan)
    posted: list[Future[Answered]] = []
    result.before = _loaded_and_at_rest(stage, f"{seed}-before", posted, result)
    with _load(stage, str(seed), posted):
        _strike(stage, plan, seconds, seed, say, result)
    say("healed; waiting for everything to end")
    stage.results(posted)
    _rest(stage, result)
    result.after = _loaded_and_at_rest(stage, f"{seed}-after", posted, result)
    result.answers = answers = stage.results(posted)
    leaks = list(compare(result.before, result.after))
    payments, violations = stage.judge(answers)
    result.violations += [*violations, *leaks]
    result.payments, result.by_state = len(payments), states(payments)
    result.in_review = sum(payment["in_review"] for payment in payments)
    return result


def _strike(
    stage: Stage, plan: list[Fault], seconds: float, seed: int, say: Callable[[str], None], result: MixResult
) -> None:
    """Begin and end each fault when it is due, or as soon after as what came before it is done."""
    injector = Injector(stage, seed)
    started = time.monotonic()
    killed: dict[Fault, set[str]] = {}
    try:
        for at_s, is_begin, fault in in_time(plan):
            stage.pause(max(0.0, at_s - (time.monotonic() - started)))
            down = set(stage.stack.launched.ended())
            result.violations += _ended_by_themselves(stage, down - set().union(*killed.values()), at_s)
            if is_begin:
                say(
                    f"{at_s:.0f} s: {fault.kind}{f' {fault.target}' if fault.target else ''}, {fault.lasts_s:g} s"
                )
                injector.begin(fault)
                killed[fault] = set(stage.stack.launched.ended()) - down
            else:
                injector.end(fault)
                killed.pop(fault)
        stage.pause(max(0.0, seconds - (time.monotonic() - started)))
    finally:
        injector.close()


def in_time(plan: Sequence[Fault]) -> list[tuple[float, bool, Fault]]:
    """The beginnings (True) and ends of faults, as they come; of one fault the beginning first."""
    steps = [(fault.at_s, True, fault) for fault in plan] + [(fault.ends_s, False, fault) for fault in plan]
    return sorted(steps, key=lambda step: (step[0], not step[1], step[2].kind))


def _ended_by_themselves(stage: Stage, names: set[str], at_s: float) -> list[Violation]:
    """Start processes again that ended although nobody killed them, and report each as a violation."""
    how = stage.stack.launched.ended()
    found = [
        Violation(
            "I9",
            "",
            f"{name} ended by itself",
            {
                "how": how[name],
                "at_s": round(at_s, 1),
                "log": last_lines(stage.stack.launched.log(name), _LOG_LINES),
            },
        )
        for name in sorted(names)
    ]
    if names:
        # Don't wait until they answer, because what they need may be away.
        stage.stack.launched.restart(sorted(names), stage.stopping, wait=False)
    return found


@contextmanager
def _load(stage: Stage, seed: str, posted: list[Future[Answered]]) -> Iterator[None]:
    """Posts payments for the length of the block; what becomes of them is in `posted`."""
    over = threading.Event()

    def post_forever() -> None:
        for number in count():
            if sum(not future.done() for future in posted[-2 * _MOST_WAITING :]) < _MOST_WAITING:
                orders = posts(stage.cast(LOT, f"{seed}-{number}"), f"{seed}-{number}")
                # A batch takes no cards.
                in_batch = [] if number % _BATCH_EVERY else [one for one in orders if one.card is None]
                alone = [one for one in orders if one not in in_batch]
                posted.extend(stage.load.start(alone, pause_s=0.0))
                if in_batch:
                    posted.extend(stage.load.start_batch(in_batch))
            if over.wait(_EVERY_S):
                return

    thread = threading.Thread(target=post_forever, name="mix-load", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _loaded_and_at_rest(
    stage: Stage, seed: str, posted: list[Future[Answered]], result: MixResult
) -> Baseline:
    """What the installation holds after some load without faults."""
    with _load(stage, seed, posted):
        stage.pause(_WARM_UP_S)
    stage.results(posted)
    _rest(stage, result)
    seen = [_measured(stage)]

    def is_quiet() -> bool:
        """A sweep may be in the midst of a transaction, so what counts is a look at which none is."""
        seen.append(_measured(stage))
        return not seen[-1].idle_in_transaction

    stage.wait_until(is_quiet, _SETTLES_S)
    return seen[-1]


def _measured(stage: Stage) -> Baseline:
    pids = {name: stage.stack.launched.pid(name) for name in PROGRAMS}
    gateway_ports = {urlsplit(sandbox["url"]).port or 0 for sandbox in stage.running.sandboxes.values()}
    return measure(stage.books.database, pids, gateway_ports)


def _rest(stage: Stage, result: MixResult) -> None:
    if not stage.come_to_rest():
        evidence = {"under way": stage.books.under_way()}
        result.violations.append(Violation("I2", "", "it did not come to rest", evidence))
