"""`aegis bench drain`: the worker's side only, from accepted payments in the tables to their ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from aegis_worker.lab.local.options import workers_option

from .figures import last_tenth_to_first, ratio
from .finished import ends_of
from .rig import Rig, new_key
from .rounds import Common, Mode, Round, common_options, gateway_ms_option, run_mode
from .seed import seed_accepted
from .setup import Setup

_CASE = "backlog"
# Payments before the first round, so that every process has filled its window once and holds the memory that this takes.
_WARM_UP_PAYMENTS = 3000
_ABOUT = (
    "from a hint to the last payment's end, for payments that were put into the tables as a POST leaves them; the"
    " gateway is in process. Costs include telling the events to the Redis Stream"
)


@click.command(name="drain")
@common_options(payments=5000, may_grow=True)
@workers_option
@gateway_ms_option
def command(common: Common, workers: int, gateway_ms: int) -> None:
    """Measure the worker alone: it works on payments that are in the tables already, without the API."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        rig.warm_up()
        seed_accepted(rig.cursor, rig.merchant_id, new_key(), _WARM_UP_PAYMENTS)
        rig.hint("payments")
        rig.wait_until_quiet()

        def measure(round_: Round) -> None:
            key = new_key()
            seed_accepted(rig.cursor, rig.merchant_id, key, common.payments)
            before, memory_mb = rig.meter.read(), rig.meter.memory_mb()
            started_at = time.time()
            rig.hint("payments")
            round_.note(_CASE, left=rig.wait_until_quiet())
            cost = rig.cost(before, common.payments, "payment")
            ends, wrong = ends_of(rig.cursor, rig.merchant_id, key, common.payments)
            round_.note(_CASE, left=wrong)
            if ends:
                seconds = max(ends.values()) - started_at
                round_.cases[_CASE] = {
                    "throughput_per_s": len(ends) / seconds,
                    "last_tenth_to_first": last_tenth_to_first(sorted(ends.values())),
                    **cost,
                    "memory_to_before": {"worker": ratio(cost["memory_mb"]["worker"], memory_mb["worker"])},
                }
            round_.step()

        return measure

    setup = Setup(workers, gateway_ms=gateway_ms)
    run_mode(
        Mode(
            "drain",
            "payment",
            _ABOUT,
            setup,
            cases=1,
            options={"payments": common.payments, "gateway_ms": gateway_ms},
            prepare=prepare,
        ),
        common,
    )
