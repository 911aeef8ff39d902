"""`aegis bench reads`: GET under a write load."""

from __future__ import annotations

from collections.abc import Callable

import click

from aegis_worker.lab.local.options import workers_option

from .rig import Rig, new_key
from .rounds import Common, Mode, Round, answers_per_s, common_options, latencies, run_mode
from .seed import seed_finished
from .setup import Setup

# The payments and jobs that are read, drawn from the many in the tables.
_READ = "SELECT payment_id, job_id FROM idempotency_keys WHERE merchant_id = %s ORDER BY random() LIMIT 1000"
_WRITE_CONNECTIONS = 64
_ABOUT = (
    "GET to 200, closed loop, while payments are posted at a fixed rate and made by the worker; costs are those of both,"
    " for each GET"
)


@click.command(name="reads")
@common_options(payments=2000)
@workers_option
@click.option(
    "--concurrency",
    type=click.IntRange(1, 500),
    default=8,
    show_default=True,
    help="How many connections read at the same time.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 10_000),
    default=50,
    show_default=True,
    help="How many POSTs a second are sent meanwhile.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 3600),
    default=5,
    show_default=True,
    help="How many seconds to measure each kind of read.",
)
def command(common: Common, workers: int, concurrency: int, rate: float, seconds: float) -> None:
    """Measure GET of a payment, a job and a list while payments are posted. The tables start with --payments payments."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        seed_finished(rig.cursor, rig.merchant_id, new_key(), common.payments, told=True)
        paths = _paths(rig)
        rig.warm_up(*(rig.gets(some, 8, 0.5) for some in paths.values()))

        def measure(round_: Round) -> None:
            for case, some in paths.items():
                _measure(rig, case, some, concurrency, rate, seconds, round_)
                round_.step()

        return measure

    options = {"payments": common.payments, "concurrency": concurrency, "rate": rate, "seconds": seconds}
    run_mode(
        Mode("reads", "request", _ABOUT, Setup(workers), cases=3, options=options, prepare=prepare), common
    )


def _paths(rig: Rig) -> dict[str, list[str]]:
    rig.cursor.execute(_READ, (rig.merchant_id,))
    rows = rig.cursor.fetchall()
    return {
        "payment": [f"/v1/payments/{payment_id}" for payment_id, _ in rows],
        "job": [f"/v1/jobs/{job_id}" for _, job_id in rows],
        "list": ["/v1/payments?limit=20"],
    }


def _measure(
    rig: Rig, case: str, paths: list[str], concurrency: int, rate: float, seconds: float, round_: Round
) -> None:
    before = rig.meter.read()
    reads, posts = rig.run_load(
        rig.gets(paths, concurrency, seconds), rig.posts(_WRITE_CONNECTIONS, rate=rate, seconds=seconds)
    )
    cost = rig.cost(before, len(reads.answers), "request", load=reads.cpu_ms + posts.cpu_ms)
    round_.note(case, reads, posts, left=rig.wait_until_quiet())
    round_.cases[case] = {
        "throughput_per_s": answers_per_s(reads),
        "latency_ms": latencies(reads),
        "post_latency_ms": latencies(posts),
        **cost,
    }
