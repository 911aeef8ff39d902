"""`aegis bench intake`: what accepting costs, beside the floor in the same round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import click

from .figures import Figures, ratio
from .floor import PATH
from .load import Plan, Sent
from .rig import Rig
from .rounds import Common, Mode, Round, answers_per_s, batch_option, common_options, latencies, run_mode
from .setup import Setup

_ABOUT = (
    "POST to 202, closed loop on so many connections; no worker and no beat run. floor: the same requests to a bare"
    " Flask route with one INSERT, under the same server, before or after in the same round"
)


@click.command(name="intake")
@common_options(payments=2000, may_grow=True)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 500),
    multiple=True,
    default=(1, 8, 32),
    show_default=True,
    help="How many connections post at the same time; may be repeated.",
)
@batch_option
def command(common: Common, concurrency: tuple[int, ...], batch: int | None) -> None:
    """Measure POST /v1/payments without a worker, and compare it with a minimal Flask route that does one INSERT."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        floor_port = rig.start_floor()
        rig.warm_up(at_floor(rig.posts(8, count=64), floor_port))

        def measure(round_: Round) -> None:
            for connections in concurrency:
                _measure_case(rig, floor_port, connections, common.payments, round_)
                round_.step()
                if batch is not None:
                    _measure_batches(rig, connections, common.payments, batch, round_)
                    round_.step()

        return measure

    run_mode(
        Mode(
            "intake",
            "payment",
            _ABOUT,
            Setup(workers=0),
            cases=len(concurrency) * (2 if batch else 1),
            options={
                "payments": common.payments,
                "concurrency": list(concurrency),
                **({"batch": batch} if batch else {}),
            },
            prepare=prepare,
        ),
        common,
    )


def at_floor(plan: Plan, floor_port: int) -> Plan:
    """The same requests, sent to the floor."""
    return replace(plan, port=floor_port, paths=[PATH])


def beside_floor(sent: Sent, floor: Sent) -> Figures:
    """How a run compares with the floor's, and the floor's own figures."""
    ours, theirs = latencies(sent), latencies(floor)
    return {
        "ratio_to_floor": {
            "throughput": ratio(answers_per_s(sent), answers_per_s(floor)),
            "p99": ratio(ours["p99"], theirs["p99"]),
        },
        "floor": {"throughput_per_s": answers_per_s(floor), **theirs},
    }


def _measure_case(rig: Rig, floor_port: int, connections: int, count: int, round_: Round) -> None:
    case = f"{connections} at once"
    floor_plan = at_floor(rig.posts(connections, count=count), floor_port)
    # The machine differs for whichever runs second, so the two take turns in going first.
    floor_first = round_.number % 2 == 0
    (floor,) = rig.run_load(floor_plan) if floor_first else (Sent(),)
    before = rig.meter.read()
    (sent,) = rig.run_load(rig.posts(connections, count=count))
    cost = rig.cost(before, len(sent.answers), "payment", load=sent.cpu_ms)
    if not floor_first:
        (floor,) = rig.run_load(floor_plan)
    round_.note(case, sent)
    round_.note(f"{case}, floor", floor)
    round_.cases[case] = {
        "throughput_per_s": answers_per_s(sent),
        "latency_ms": latencies(sent),
        **beside_floor(sent, floor),
        **cost,
    }


def _measure_batches(rig: Rig, connections: int, count: int, batch: int, round_: Round) -> None:
    case = f"{connections} at once, batches of {batch}"
    before = rig.meter.read()
    (sent,) = rig.run_load(rig.batches(connections, count=count, batch=batch))
    cost = rig.cost(before, len(sent.answers), "payment", load=sent.cpu_ms)
    round_.note(case, sent)
    single_per_s = round_.cases[f"{connections} at once"]["throughput_per_s"]
    round_.cases[case] = {
        "throughput_per_s": answers_per_s(sent),
        "latency_ms": latencies(sent),
        "ratio_to_single": {"throughput": ratio(answers_per_s(sent), single_per_s)},
        **cost,
    }
