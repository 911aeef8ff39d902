"""`aegis demo`: payments end to end on a throw-away installation, and what the gateways' ledgers say about them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.domain.modes import Owner
from aegis_worker.ids import new_id
from aegis_worker.lab.embedded.stack import temporary_data_dir
from aegis_worker.lab.local.config_files import emulated_tables
from aegis_worker.lab.local.options import figures_option, gateways_option, vault_option, workers_option
from aegis_worker.lab.local.stack import LocalStack, Running
from aegis_worker.lab.local.stopping import Stopped, ending_when_stopped, stop_on_signals
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import examples, progress, remark

from .cast import Order, cast, posts
from .draft import print_draft
from .findings import Findings
from .issuers import issuers_of
from .ledgers import compare, read_ledger
from .merchant import Merchant, Posted
from .report import print_report
from .sink import Sink
from .vaulted import Outage, post_during_an_outage

_PAUSE_S = 0.1
# Longer than the 60 s after which a delivery is sent again whose worker died.
_WEBHOOK_PATIENCE_S = 75.0


@click.command(
    name="demo",
    epilog=examples(
        """
        aegis demo
        aegis demo --gateways stripe,adyen,paypal,braintree,razorpay --vault
        aegis demo --payments 1000 --workers 4 --json out.json
        """
    ),
)
@click.option("--payments", type=click.IntRange(1, 100_000), default=200, show_default=True)
@workers_option
@gateways_option
@vault_option
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same payments.")
@figures_option()
@click.pass_context
def command(
    ctx: click.Context,
    payments: int,
    workers: int,
    gateways: tuple[str, ...],
    vault: bool,
    seed: int,
    json_file: Path | None,
) -> None:
    """Run payments end to end, compare the results with the gateways' ledgers, and exit.

    Everything runs in a temporary folder that is removed afterwards. Exits with 0 only when no payment was charged twice,
    charged without ending in SUCCESS, in SUCCESS without being charged, or left open, when captures, voids and refunds are
    those of the gateways' ledgers, and when every webhook came in order. With --vault the first gateway that takes card
    numbers is killed for a while, and cards of the vault have to be charged by the second, once.
    """
    with ending_when_stopped(ctx, _say), stop_on_signals() as stopping, temporary_data_dir() as data_dir:
        merchant_id = new_id("demo")
        stack = LocalStack(
            data_dir,
            port=0,
            workers=workers,
            merchant_id=merchant_id,
            environ=dict(os.environ),
            say=_say,
            choose=partial(emulated_tables, gateways) if gateways else None,
            vault=vault,
            # With a vault a gateway is killed on purpose, and started again when it is time.
            watched=not vault,
        )
        with stack:
            running = stack.start(stopping)
            outage = partial(post_during_an_outage, stack) if vault else None
            findings = _run(running, merchant_id, payments, seed, stopping, gateways, outage)
            print_draft()
            print_report(findings)
    if json_file is not None:
        json_file.write_text(json.dumps(findings.as_json(), indent=2) + "\n")
    _say("passed" if not findings.problems() else "FAILED: what is wrong stands above")
    ctx.exit(1 if findings.problems() else 0)


def _say(text: str) -> None:
    remark(f"aegis demo: {text}")


def _run(
    running: Running,
    merchant_id: str,
    payments: int,
    seed: int,
    stopping: threading.Event,
    chosen: Sequence[str],
    outage_of: Callable[..., Outage] | None,
) -> Findings:
    places = {name: place["url"] for name, place in running.sandboxes.items()}
    gateways = configured_gateways()
    issuers = issuers_of(chosen, gateways)
    orders = cast(payments, seed, first_gateway=next(iter(places)), issuers=issuers)
    merchant = Merchant(running.api_url, running.api_key, places, stopping)
    with Sink() as sink:
        with opened_database() as database:
            sink.secret = create_endpoint(
                database, load_settings(), Owner(merchant_id, "test"), sink.url, []
            ).secret
        started = time.monotonic()
        posted = _post(merchant, orders, seed)
        merchant.take_steps(posted)
        merchant.await_jobs({one.job_id: one.order.role for one in posted}, load_settings().verify_ladder_s)
        outage = outage_of(merchant, gateways, seed, stopping) if outage_of else Outage()
        if outage.posted:
            _say(f"{outage.gateway} was down for {len(outage.posted)} payments by cards of the vault")
        posted += outage.posted
        found = merchant.payments(list(dict.fromkeys(one.payment_id for one in posted)))
        expected = {payment["id"]: payment["events"]["data"][-1]["seq"] for payment in found}
        _await_webhooks(sink, expected, stopping)
        duration_s = time.monotonic() - started
        merchant.close()
        charges = [charge for name, url in places.items() for charge in read_ledger(name, url)]
        return Findings(seed, duration_s, posted, found, compare(found, charges), sink.arrivals(), outage)


def _post(merchant: Merchant, orders: Sequence[Order], seed: int) -> list[Posted]:
    sent = posts(list(orders), seed)
    _say(f"posting {len(orders)} payments, {len(sent) - len(orders)} of them twice with the same key")
    return merchant.post(sent)


def _await_webhooks(sink: Sink, expected: dict[str, int], stopping: threading.Event) -> None:
    """Until every event has arrived, or none has for a while."""
    total = sum(expected.values())
    arrived, last_arrival = 0, time.monotonic()
    with progress("webhooks", total) as advance:
        while arrived < total and time.monotonic() - last_arrival < _WEBHOOK_PATIENCE_S:
            now_arrived = total - sum(sink.arrivals().missing(expected).values())
            for _ in range(now_arrived - arrived):
                last_arrival = time.monotonic()
                advance()
            arrived = now_arrived
            if arrived < total and stopping.wait(_PAUSE_S):
                raise Stopped
