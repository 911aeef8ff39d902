"""`aegis bench outbox`: events from the outbox to the Redis Stream, then to a webhook endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.domain.modes import Owner
from aegis_worker.lab.local.options import workers_option
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import opened_database

from .meter import Reading
from .rig import Rig, new_key
from .rounds import Common, Mode, Round, common_options, run_mode
from .seed import seed_finished
from .setup import Setup

_STREAM, _WEBHOOKS = "Redis Stream", "webhooks"
_ABOUT = (
    "from a hint to the last event's delivery, for the events of payments that were put into the tables as finished."
    " webhooks: the same with one endpoint on this machine that takes everything, the stream included"
)
_POSTED = """
SELECT count(*), extract(epoch FROM max(d.delivered_at))::float8
FROM webhook_deliveries d JOIN payments p ON p.id = d.payment_id
WHERE p.merchant_id = %s AND p.reference LIKE %s AND d.status = 'delivered'
"""
_ENDPOINTS_ON = "UPDATE webhook_endpoints SET disabled_at = NULL"
_ENDPOINTS_OFF = "UPDATE webhook_endpoints SET disabled_at = clock_timestamp()"


@click.command(name="outbox")
@common_options(payments=2000)
@workers_option
def command(common: Common, workers: int) -> None:
    """Measure delivery of events to the Redis Stream, and to a webhook endpoint on this machine; three per payment."""

    def prepare(rig: Rig) -> Callable[[Round], None]:
        url = rig.start_sink()
        with opened_database() as database:
            create_endpoint(database, load_settings(), Owner(rig.merchant_id, "test"), url, [])
        rig.warm_up()

        def measure(round_: Round) -> None:
            rig.cursor.execute(_ENDPOINTS_OFF)
            _measure(rig, common.payments, _STREAM, _told, round_)
            rig.cursor.execute(_ENDPOINTS_ON)
            _measure(rig, common.payments, _WEBHOOKS, _posted, round_)

        return measure

    run_mode(
        Mode(
            "outbox",
            "event",
            _ABOUT,
            Setup(workers),
            cases=2,
            options={"payments": common.payments},
            prepare=prepare,
        ),
        common,
    )


def _measure(
    rig: Rig,
    payments: int,
    case: str,
    delivered: Callable[[Rig, str, int], tuple[int, float]],
    round_: Round,
) -> None:
    key = new_key()
    told_before, _ = rig.events_told()
    begun: list[tuple[Reading, float]] = []
    each = seed_finished(
        rig.cursor,
        rig.merchant_id,
        key,
        payments,
        told=False,
        # Beat's drain may find the events as soon as they are committed.
        before_commit=lambda: begun.append((rig.meter.read(), time.time())),
    )
    ((before, started_at),) = begun
    events = payments * each
    rig.hint("outbox")
    round_.note(case, left=rig.wait_until_quiet())
    cost = rig.cost(before, events, "event")
    count, last_at = delivered(rig, key, told_before)
    if count != events:
        round_.note(case, left=f"of {events} events {count} were delivered")
    if count:
        round_.cases[case] = {"throughput_per_s": count / (last_at - started_at), **cost}
    round_.step()


def _told(rig: Rig, key: str, told_before: int) -> tuple[int, float]:
    told, last_at = rig.events_told()
    return told - told_before, last_at


def _posted(rig: Rig, key: str, told_before: int) -> tuple[int, float]:
    rig.cursor.execute(_POSTED, (rig.merchant_id, f"{key}-%"))
    count, last_at = rig.cursor.fetchone() or (0, None)
    return int(count), float(last_at or 0.0)
