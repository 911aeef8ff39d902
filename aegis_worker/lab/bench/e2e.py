"""`aegis bench e2e`: from the POST to the payment's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from aegis_worker.lab.local.options import workers_option
from aegis_worker.lab.percentiles import percentiles

from .figures import ratio
from .finished import ends_of
from .intake import at_floor
from .load import Plan, Sent
from .rig import Rig
from .rounds import (
    Common,
    Mode,
    Round,
    answers_per_s,
    batch_option,
    common_options,
    gateway_ms_option,
    latencies,
    run_mode,
)
from .setup import GATEWAYS, Setup

# Connections of an open loop: enough that at 300 requests a second one is free while the API answers within a second.
_OPEN_LOOP_CONNECTIONS = 256
_ABOUT = (
    "from the POST to the payment's end. throughput: from the first POST to the last payment's end; latency: to"
    " jobs.finished_at, from when the POST was {from_when}, by one machine's clock. Costs include telling the events to"
    " the Redis Stream"
)
_FLOOR = "; floor: the same requests to a bare Flask route with one INSERT, in the same round"


@click.command(name="e2e")
@common_options(payments=2000, may_grow=True)
@workers_option
@gateway_ms_option
@click.option(
    "--gateway",
    type=click.Choice(GATEWAYS),
    default="null",
    show_default=True,
    help="The gateway: null answers within the worker's process, the others are emulated and called over HTTP.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 500),
    default=32,
    show_default=True,
    help="Without --rate: how many connections post at the same time.",
)
@batch_option
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100_000),
    multiple=True,
    help="Send this many POSTs a second at fixed times, instead of --payments as fast as possible; may be repeated.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 3600),
    default=10,
    show_default=True,
    help="How many seconds to measure each --rate.",
)
def command(
    common: Common,
    workers: int,
    gateway_ms: int,
    gateway: str,
    concurrency: int,
    batch: int | None,
    rate: tuple[float, ...],
    seconds: float,
) -> None:
    """Measure payments from the POST to their end: throughput, or with --rate the latency at that rate."""
    if rate and batch:
        raise click.UsageError("--batch doesn't go with --rate: batches are measured for throughput")

    def prepare(rig: Rig) -> Callable[[Round], None]:
        if rate:
            rig.warm_up()
            return lambda round_: _open_loops(rig, rate, seconds, round_)
        floor_port = rig.start_floor()
        rig.warm_up(at_floor(rig.posts(8, count=64), floor_port))
        return lambda round_: _closed_loops(rig, floor_port, concurrency, common.payments, batch, round_)

    closed = {"payments": common.payments, "concurrency": concurrency, **({"batch": batch} if batch else {})}
    pace: dict[str, Any] = {"rate": list(rate), "seconds": seconds} if rate else closed
    from_when = "due, however late it was sent" if rate else "sent"
    run_mode(
        Mode(
            "e2e",
            "payment",
            _ABOUT.format(from_when=from_when) + ("" if rate else _FLOOR),
            Setup(workers, gateway, gateway_ms),
            cases=len(rate) or (2 if batch else 1),
            options={"gateway": gateway, "gateway_ms": gateway_ms, **pace},
            prepare=prepare,
        ),
        common,
    )


def _open_loops(rig: Rig, rates: tuple[float, ...], seconds: float, round_: Round) -> None:
    for rate in rates:
        case = f"{rate:g} per second"
        plan = rig.posts(_OPEN_LOOP_CONNECTIONS, rate=rate, seconds=seconds)
        _measure(rig, plan, case, round_)
        round_.step()


def _closed_loops(
    rig: Rig, floor_port: int, connections: int, count: int, batch: int | None, round_: Round
) -> None:
    case = f"{connections} at once"
    if batch is None:
        _closed_loop(rig, floor_port, connections, count, round_)
        return

    def in_batches() -> dict[str, Any]:
        plan = rig.batches(connections, count=count, batch=batch)
        figures = _measure(rig, plan, f"{case}, batches of {batch}", round_)
        round_.step()
        return figures

    # The machine differs for whichever runs second, so the two take turns in going first.
    batched = in_batches() if round_.number % 2 else None
    _closed_loop(rig, floor_port, connections, count, round_)
    batched = batched or in_batches()
    single_per_s = round_.cases[case].get("throughput_per_s")
    batched["ratio_to_single"] = {"throughput": ratio(batched.get("throughput_per_s"), single_per_s)}


def _closed_loop(rig: Rig, floor_port: int, connections: int, count: int, round_: Round) -> None:
    case = f"{connections} at once"
    floor_plan = at_floor(rig.posts(connections, count=count), floor_port)
    floor_first = round_.number % 2 == 0
    floor = rig.run_load(floor_plan)[0] if floor_first else Sent()
    figures = _measure(rig, rig.posts(connections, count=count), case, round_)
    if not floor_first:
        (floor,) = rig.run_load(floor_plan)
    round_.note(f"{case}, floor", floor)
    floor_per_s = answers_per_s(floor)
    figures["ratio_to_floor"] = {"throughput": ratio(figures.get("throughput_per_s"), floor_per_s)}
    figures["floor"] = {"throughput_per_s": floor_per_s, **latencies(floor)}
    round_.step()


def _measure(rig: Rig, plan: Plan, case: str, round_: Round) -> dict[str, Any]:
    before = rig.meter.read()
    (sent,) = rig.run_load(plan)
    left = rig.wait_until_quiet()
    figures = rig.cost(before, len(sent.answers), "payment", load=sent.cpu_ms)
    ends, wrong = ends_of(rig.cursor, rig.merchant_id, plan.key, len(sent.answers))
    round_.note(case, sent, left=left)
    round_.note(case, left=wrong)
    took_ms = [(ends[id_] - due) * 1000 for id_, due, _ in sent.answers if id_ in ends]
    if took_ms:
        figures = {
            "throughput_per_s": len(took_ms) / (max(ends.values()) - sent.started_at),
            "latency_ms": percentiles(took_ms, digits=2),
            "post_latency_ms": latencies(sent),
            **figures,
        }
    round_.cases[case] = figures
    return figures
