"""`aegis bench isolation`: what a slow gateway costs the payments of another one."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from aegis_worker.lab.local.options import workers_option

from .figures import ratio
from .finished import ends_of
from .rig import Rig, new_key
from .rounds import Common, Mode, Round, common_options, run_mode
from .seed import seed_accepted
from .setup import BESIDE_SLOW, SLOW_CURRENCY, Setup

_ALONE, _BESIDE = "alone", "beside a slow gateway"
_WARM_UP_PAYMENTS = 3000
# By then every call that the slow gateway may have in flight is out, and the rest waits.
_SLOW_UNDER_WAY_S = 1.0
_ABOUT = (
    "the payments of a gateway that answers at once, from a hint to the last one's end, without and with others for a"
    " slow gateway that were due before; both gateways are in process"
)


@click.command(name="isolation")
@common_options(payments=10_000)
@workers_option
@click.option(
    "--slow-ms",
    type=click.IntRange(1, 30_000),
    default=5000,
    show_default=True,
    help="How many milliseconds the slow gateway takes for each call.",
)
@click.option(
    "--slow-payments",
    type=click.IntRange(1, 100_000),
    default=600,
    show_default=True,
    help="How many payments of the slow gateway each round has.",
)
def command(common: Common, workers: int, slow_ms: int, slow_payments: int) -> None:
    """Measure a gateway's payments alone, and then while another gateway is slow."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        rig.warm_up()
        seed_accepted(rig.cursor, rig.merchant_id, new_key(), _WARM_UP_PAYMENTS)
        rig.hint("payments")
        rig.wait_until_quiet()

        def measure(round_: Round) -> None:
            throughput_per_s: dict[str, float | None] = {}
            for case in (_ALONE, _BESIDE):
                if case == _BESIDE:
                    seed_accepted(
                        rig.cursor, rig.merchant_id, new_key(), slow_payments, currency=SLOW_CURRENCY
                    )
                    rig.hint("payments")
                    time.sleep(_SLOW_UNDER_WAY_S)
                throughput_per_s[case] = _drained(rig, round_, case, common.payments)
                round_.step()
            alone, beside = throughput_per_s[_ALONE], throughput_per_s[_BESIDE]
            round_.cases[_ALONE] = {"throughput_per_s": alone}
            round_.cases[_BESIDE] = {"throughput_per_s": beside, "ratio_to_alone": ratio(beside, alone)}

        return measure

    options = {"payments": common.payments, "slow_ms": slow_ms, "slow_payments": slow_payments}
    setup = Setup(workers, BESIDE_SLOW, slow_ms)
    run_mode(Mode("isolation", "payment", _ABOUT, setup, cases=2, options=options, prepare=prepare), common)


def _drained(rig: Rig, round_: Round, case: str, payments: int) -> float | None:
    key = new_key()
    seed_accepted(rig.cursor, rig.merchant_id, key, payments)
    started_at = time.time()
    rig.hint("payments")
    round_.note(case, left=rig.wait_until_quiet())
    ends, wrong = ends_of(rig.cursor, rig.merchant_id, key, payments)
    round_.note(case, left=wrong)
    return len(ends) / (max(ends.values()) - started_at) if ends else None
