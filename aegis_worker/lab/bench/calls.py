"""`aegis bench calls`: the engine alone, against a small server in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from queue import SimpleQueue
from typing import TypeAlias

import click
import psutil

from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.lab.percentiles import percentiles

from .call_servers import OVER, Target, start_servers
from .rig import Rig
from .rounds import Common, Mode, Round, common_options, run_mode
from .setup import Setup

_ABOUT = (
    "POSTs that the engine makes in this process, with so many in flight, or begun at a fixed rate, from the first to the"
    " last answer; CPU time is this process's. Where the server waits, a case has no more calls than take about 10 s"
)
_BODY = b'{"amount":1999,"currency":"USD","payment_method":{"type":"card","token":"tok_visa"},"capture":true}'
_HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer key", "Idempotency-Key": "p1"}
_LONGEST_S = 60.0
# Calls before anything is measured: at least so many, and one for each of those that are in flight.
_WARM_UP = 200
# Calls that wait for a slow server take time and show nothing after a while.
_LONGEST_CASE_MS = 10_000
_Load: TypeAlias = "Callable[[_Calls, int], None]"


@click.command(name="calls")
@common_options(payments=5000)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 5000),
    multiple=True,
    default=(1, 64, 500, 2000),
    show_default=True,
    help="How many calls are under way at once. Repeat it to measure several.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, 20_000),
    multiple=True,
    help="Also begin so many calls a second, however many are under way.",
)
@click.option(
    "--gateway-ms",
    type=click.IntRange(0, 30_000),
    multiple=True,
    default=(0,),
    show_default=True,
    help="How many milliseconds the server waits before it answers. Repeat it to measure several.",
)
@click.option(
    "--over",
    type=click.Choice(tuple(OVER)),
    multiple=True,
    default=("http", "https"),
    show_default=True,
    help="HTTP/1.1, plain or with TLS, or HTTP/2. Repeat it to measure several. TLS takes the openssl command.",
)
def command(
    common: Common,
    in_flight: Sequence[int],
    rate: Sequence[int],
    gateway_ms: Sequence[int],
    over: Sequence[str],
) -> None:
    """Measure what a call to a gateway costs without anything around it: --payments of them in each case."""
    loads: list[tuple[str, _Load, int]] = [
        *((f"{most} in flight", partial(_in_turn, most=most), most) for most in in_flight),
        *((f"{per_s}/s", partial(_by_the_clock, per_s=per_s), 0) for per_s in rate),
    ]

    def prepare(rig: Rig) -> Callable[[Round], None]:
        targets = {ms: start_servers(rig, over, ms) for ms in gateway_ms}

        def measure(round_: Round) -> None:
            for protocol, ms, (case, load, most) in product(over, gateway_ms, loads):
                rig.go_on()
                name = case + OVER[protocol] + (f", {ms} ms" if ms else "")
                count = _so_many(common.payments, most, ms)
                _measure(round_, name, load, targets[ms][protocol], count=count, most=most)

        return measure

    run_mode(
        Mode(
            "calls",
            "call",
            _ABOUT,
            Setup(workers=0),
            cases=len(loads) * len(over) * len(gateway_ms),
            options={"calls": common.payments, "gateway_ms": list(gateway_ms), "over": list(over)},
            prepare=prepare,
        ),
        common,
    )


def _so_many(wanted: int, most: int, gateway_ms: int) -> int:
    """How many calls a case has, with `most` of them under way at once (0: as many as it takes)."""
    if not (most and gateway_ms):
        return wanted
    return min(wanted, most * max(_LONGEST_CASE_MS // gateway_ms, 1))


def _measure(round_: Round, case: str, load: _Load, target: Target, *, count: int, most: int) -> None:
    calls = _Calls(target)
    try:
        load(calls, min(count, max(most, _WARM_UP)))  # connections stand, handles are made
        calls.forget()
        cpu_before, started = time.process_time(), time.perf_counter()
        load(calls, count)
        took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_before
        threads = threading.active_count()
    finally:
        calls.engine.close()
    if calls.failures:
        round_.errors.append(f"{case}: {calls.failures[0]} × {len(calls.failures)}")
    round_.cases[case] = {
        "throughput_per_s": count / took_s,
        "cpu_ms_per_call": cpu_s * 1000 / count,
        "latency_ms": percentiles(calls.took_ms, digits=2),
        "most_in_flight": float(calls.most_under_way),
        "threads": float(threads),
        "memory_mb": {"engine": psutil.Process().memory_info().rss / 1e6},
    }
    round_.step()


class _Calls:
    """Begins calls, and keeps what came of them."""

    def __init__(self, target: Target) -> None:
        self.engine = Engine()
        peer = Peer(
            connect_timeout_s=_LONGEST_S, timeout_s=_LONGEST_S, most=10_000, ca_bundle=target.ca_bundle
        )
        self._transfer = Transfer(peer, "POST", target.url, _HEADERS, _BODY)
        self.ended: SimpleQueue[None] = SimpleQueue()
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.took_ms: list[float] = []
        self.failures: list[str] = []
        self._under_way = self.most_under_way = 0

    def begin(self) -> None:
        """Begin one call; it puts something into `ended`."""
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        self.engine.begin(self._transfer, partial(self._take, time.perf_counter()))

    def _take(self, began: float, result: Result) -> None:
        if isinstance(result, HttpAnswer):
            self.took_ms.append((time.perf_counter() - began) * 1000)
        else:
            self.failures.append(result.reason)
        self.ended.put(None)

    def wait_for_one(self) -> None:
        """Return when another call has ended."""
        self.ended.get()
        self._under_way -= 1


def _in_turn(calls: _Calls, count: int, *, most: int) -> None:
    """So many at once: another begins when one has ended."""
    for number in range(count):
        if number >= most:
            calls.wait_for_one()
        calls.begin()
    for _ in range(min(most, count)):
        calls.wait_for_one()


def _by_the_clock(calls: _Calls, count: int, *, per_s: int) -> None:
    """At a fixed rate, however many are under way."""
    started, begun, ended = time.perf_counter(), 0, 0
    while ended < count:
        due = min(count, int((time.perf_counter() - started) * per_s))
        for _ in range(due - begun):
            calls.begin()
        begun = max(begun, due)
        while not calls.ended.empty():
            calls.wait_for_one()
            ended += 1
        time.sleep(0.002)
