"""The thread that hands questions to the processes that hooks run in, and ends those in which a hook takes too long.

A hook is cut off by killing its process (SIGKILL, the whole session): a thread can't be ended from outside, a signal's
handler can be replaced or its exception swallowed, and C code lets neither in; a process can always be killed. The time of
a hook runs while it runs, not while its payment waits for a process, so no hook is blamed for another's slowness.

What bounds the harm of a hook that hangs: its limit; its breaker, which opens after some time-outs in a row; that a killed
process is replaced within milliseconds; that hooks which may well hang never have all processes; that what was sent to a
process in which a hook takes long is taken back and asked elsewhere; and the time that whoever asks is willing to wait.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count

import structlog

from .asked import Asked, Hook
from .counts import End
from .fleet import Fleet, Told
from .frames import Answers, Begin
from .inbox import Inbox
from .process import HookProcess
from .waiting import Waiting

log = structlog.get_logger(__name__)

_MS, _S = 1_000_000, 1_000_000_000

# At most so many questions are sent to a process at once; more would wait for those before them.
_MOST_SENT = 16
# When a hook has run for so long, what waits behind it in its process is asked elsewhere.
_TAKE_BACK_NS = 20 * _MS
# A process that begins with none of its questions for so long is ended, though no hook runs in it: a hook may have stopped
# it, left a thread in it that lets nothing else run, or ended it while a child of its own holds its socket open. That is
# well below the time that a payment waits for its hooks (`most_within_ms`), so the payment is asked about elsewhere.
_STUCK_NS = 1 * _S
_MOST_RESTARTS = 3
# More at once would open no breaker sooner, and each costs a process.
_MOST_SUSPECTS = 4


class Supervisor:
    """Runs until `close`. At most `processes` hooks run at once; `begin`, `environment`, `tell`: see `Fleet`."""

    def __init__(
        self,
        begin: Begin,
        environment: Mapping[str, str],
        *,
        processes: int,
        load_within_ns: int,
        tell: Told,
    ) -> None:
        self._suspects = max(1, min(_MOST_SUSPECTS, processes - 1))
        self._inbox = Inbox()
        self._waiting = Waiting()
        self._numbers = count(1)
        self._selector = selectors.DefaultSelector()
        self._fleet = Fleet(
            begin, environment, self._selector, most=processes, load_within_ns=load_within_ns, tell=tell
        )
        self._selector.register(self._inbox.socket, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)
        self._thread.start()

    def put(self, asked: Asked) -> None:
        """Have a question asked. From any thread; returns at once."""
        if not self._inbox.put(asked):
            asked.finish("was not asked: too many payments wait, or this process ends")

    def close(self) -> None:
        """End all processes, and the thread. What is being asked has failed."""
        self._inbox.close()
        self._thread.join(timeout=5)

    def abandon(self) -> None:
        """After a fork, in the child: let go of what belongs to the parent's thread."""
        self._fleet.close_sockets()
        self._close_sockets()

    def _close_sockets(self) -> None:
        self._selector.close()
        self._inbox.close_sockets()

    def _run(self) -> None:
        while not self._inbox.is_closed:
            try:
                self._turn()
            except Exception:  # a fault of ours: nobody who asks may wait for it for ever
                log.exception("hooks are asked anew after a fault")
                self._drop_all("was not asked: see the log")
                time.sleep(0.1)
        self._drop_all("was not asked: this process ends")
        self._close_sockets()

    def _drop_all(self, why: str) -> None:
        with suppress(Exception):
            self._fleet.end_all()
        for asked in (*self._inbox.take(), *self._waiting.drop_all()):
            asked.finish(why)

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._pause_s()):
            if key.data is Fleet.LOADER:
                self._fleet.hear()
            elif key.data is not None:
                self._hear(key.data)
        for asked in self._inbox.take():
            if not self._waiting.put(asked):
                asked.finish("was not asked: too many payments wait", crowded_out=True)
        now_ns = time.monotonic_ns()
        for process in list(self._fleet.processes):
            if process.in_flight and now_ns >= process.look_at_ns:
                self._look(process, now_ns)
        self._expire(now_ns)
        self._send(now_ns)
        self._fleet.keep_up(now_ns)

    def _pause_s(self) -> float | None:
        dues = [*self._fleet.due(), *self._waiting.due()]
        return max(0.0, (min(dues) - time.monotonic_ns()) / _S) if dues else None

    def _hear(self, process: HookProcess) -> None:
        if process.wants_to_write:
            process.flush()
            self._fleet.watch(process)
        messages = process.read()
        if messages is None:
            self._ended_by_itself(process)
            return
        for answers in messages:
            self._take(process, answers)

    def _take(self, process: HookProcess, answers: Answers) -> None:
        asked, now_ns = process.asked(answers.number), time.monotonic_ns()
        if asked is None:
            return
        hooks = {hook.name: hook for hook in asked.sent}
        for result in answers.results:
            if result.hook in hooks and asked.take(hooks[result.hook], result, now_ns):
                self._opened(hooks[result.hook], now_ns)
        if not answers.over:
            return
        process.over(answers.number)
        asked.return_probes()
        if not asked.remaining():
            asked.finish()
        elif not asked.is_over and now_ns < asked.until_ns:
            self._waiting.put_back([asked])

    def _opened(self, hook: Hook, now_ns: int) -> None:
        """A hook's breaker has opened: finish the waiting questions that have no other hook to ask."""
        log.warning("hook is left alone: its breaker is open", hook=hook.name)
        for asked in self._waiting.of(hook.point):
            if not asked.is_over and not asked.to_ask(now_ns):
                asked.finish()

    def _ended_by_itself(self, process: HookProcess) -> None:
        now_ns = time.monotonic_ns()
        log.warning("a process that hooks run in has ended", pid=process.pid)
        self._cut_off(process, now_ns, End.CRASHED)

    def _look(self, process: HookProcess, now_ns: int) -> None:
        """Look at what a process does whose answer is due; end it where its hook has had its time."""
        running = process.running()
        asked = process.asked(running.ask) if running.since_ns else None
        if asked is None or running.hook >= len(asked.sent):
            process.look_at_ns = now_ns + _TAKE_BACK_NS
            if now_ns - process.seen_ns > _STUCK_NS:
                self._cut_off(process, now_ns, End.CRASHED)
            return
        process.seen_ns = now_ns
        hook, elapsed_ns = asked.sent[running.hook], now_ns - running.since_ns
        if elapsed_ns >= hook.timeout_ns:
            log.warning("hook is cut off", hook=hook.name, after_ms=elapsed_ns // _MS)
            self._cut_off(process, now_ns, End.TIMED_OUT)
            return
        due_ns = running.since_ns + hook.timeout_ns
        if len(process.in_flight) > 1:
            if elapsed_ns >= _TAKE_BACK_NS:
                self._waiting.put_back(process.take_back(running.ask))
            else:
                due_ns = min(due_ns, running.since_ns + _TAKE_BACK_NS)
        process.look_at_ns = due_ns

    def _cut_off(self, process: HookProcess, now_ns: int, end: End) -> None:
        """End a process in which a hook has had its time, or let go of one that has ended; ask elsewhere what it had."""
        running = process.running()
        asked = process.asked(running.ask) if running.since_ns else None
        in_flight = list(process.in_flight.values())
        self._fleet.end(process)
        if asked is not None and running.hook < len(asked.sent):
            hook = asked.sent[running.hook]
            if asked.cut_off(hook, now_ns, end, (now_ns - running.since_ns) // 1000):
                self._opened(hook, now_ns)
        elif end is End.CRASHED:
            for one in in_flight:
                one.restarts += 1
        self._ask_again(in_flight)

    def _ask_again(self, asks: Sequence[Asked]) -> None:
        again = []
        for asked in asks:
            asked.return_probes()
            if not asked.remaining():
                asked.finish()
            elif asked.restarts > _MOST_RESTARTS:
                asked.finish("was not asked: the processes that hooks run in keep ending")
            elif not asked.is_over:
                again.append(asked)
        self._waiting.put_back(again)

    def _expire(self, now_ns: int) -> None:
        for asked in self._waiting.expired(now_ns):
            if self._fleet.processes:
                why = "was not asked in time: others were before it"
                asked.finish(why, self._running_of(asked), crowded_out=True)
            else:
                asked.finish("was not asked in time: no process for hooks could be started")

    def _running_of(self, asked: Asked) -> Hook | None:
        for process in self._fleet.processes:
            if asked in process.in_flight.values():
                running = process.running()
                if (
                    running.since_ns
                    and process.asked(running.ask) is asked
                    and running.hook < len(asked.sent)
                ):
                    return asked.sent[running.hook]
        return None

    def _send(self, now_ns: int) -> None:
        while waiting := len(self._waiting):
            idle = self._fleet.idle()
            if not idle:
                return
            may_be_suspect = self._fleet.suspects() < self._suspects
            share = min(_MOST_SENT, -(-waiting // len(idle)))
            asks = self._waiting.take(share, now_ns, suspects=may_be_suspect)
            if not asks:
                return
            process = idle[0]
            process.has_suspect = any(hook.breaker.is_suspect for hook in asks[0].sent)
            first_ns = min(hook.timeout_ns for asked in asks for hook in asked.sent)
            process.seen_ns = now_ns
            process.look_at_ns = now_ns + (min(first_ns, _TAKE_BACK_NS) if len(asks) > 1 else first_ns)
            process.ask([(next(self._numbers), asked) for asked in asks])
            self._fleet.watch(process)
