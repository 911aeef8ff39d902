"""`aegis bench slow-clients`: how soon a ping is answered beside clients that hold on to the server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import nullcontext

import click

from aegis_worker.lab.percentiles import percentiles

from .crowds import CROWDS, gathered
from .rig import Rig
from .rounds import Common, Mode, Round, common_options, run_mode
from .setup import Setup

_ABOUT = (
    "GET /healthz to 200, one after the other on new connections, beside so many clients that send or read slowly or not"
    " at all; no worker and no beat run"
)
_ALONE = "alone"
_PATIENCE_S = 30.0
# Between two pings, so that these are spread over a while and don't measure each other.
_PAUSE_S = 0.02


@click.command(name="slow-clients")
@common_options(payments=100)
def command(common: Common) -> None:
    """Measure how soon pings are answered beside crowds of slow clients: --payments of them beside each crowd."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        rig.warm_up()

        def measure(round_: Round) -> None:
            for case in (_ALONE, *CROWDS):
                _measure(rig, case, common.payments, round_)
                round_.step()

        return measure

    run_mode(
        Mode(
            "slow-clients",
            "ping",
            _ABOUT,
            Setup(workers=0),
            cases=1 + len(CROWDS),
            options={"pings": common.payments},
            prepare=prepare,
        ),
        common,
    )


def _measure(rig: Rig, case: str, pings: int, round_: Round) -> None:
    with nullcontext() if case == _ALONE else gathered(rig.port, CROWDS[case]):
        before = rig.meter.read()
        took_ms = []
        for _ in range(pings):
            rig.go_on()
            try:
                took_ms.append(_ping_ms(rig.port))
            except (OSError, http.client.HTTPException) as error:
                round_.errors.append(f"{case}: {type(error).__name__}")
            time.sleep(_PAUSE_S)
        round_.cases[case] = {
            "latency_ms": {**percentiles(took_ms, digits=2), "longest": round(max(took_ms, default=0.0), 2)},
            **rig.cost(before, pings, "ping"),
        }


def _ping_ms(port: int) -> float:
    """How long a ping took from connecting to the last byte. Raises OSError or HTTPException."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise http.client.HTTPException(f"answered with {answer.status}")
    finally:
        connection.close()
    return (time.perf_counter() - started) * 1000
