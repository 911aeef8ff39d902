"""`aegis bench`: what this machine can do, measured on a throw-away installation, with the load from another process."""

from __future__ import annotations

import click

from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.output import examples

MODES = {
    "intake": (".intake", "POST /v1/payments without a worker, beside a bare Flask route with one INSERT."),
    "drain": (".drain", "Accepted payments that stand in the tables, worked off: the worker's side only."),
    "e2e": (".e2e", "From the POST to the payment's end; throughput, or latency at a given rate."),
    "isolation": (".isolation", "A gateway's payments alone, and beside those of a gateway that is slow."),
    "outbox": (".outbox", "Events to the Redis Stream, and to a webhook endpoint on this machine."),
    "calls": (".calls", "Measure calls to gateways, without anything around them."),
    "reads": (".reads", "GET a payment, a job and a list while payments are posted."),
    "slow-clients": (
        ".slow_clients",
        "Measure pings beside clients that send or read slowly, or not at all.",
    ),
    "compare": (".compare", "This checkout and another, or two environments, measured in turn: ratios."),
}


@click.group(
    name="bench",
    cls=LazyGroup,
    package=__name__,
    modules=MODES,
    epilog=examples(
        """
        aegis bench e2e --payments 5000
        aegis bench e2e --rate 100 --rate 300 --gateway-ms 50
        aegis bench intake --json before.json
        aegis bench intake --against before.json
        aegis bench compare ../another-checkout
        """
    ),
)
def command() -> None:
    """Measure how fast AegisPay is on this machine: stores, API, worker and load together, on a temporary installation.

    Each figure is the median of several rounds, with the minimum and maximum. Compare only figures that were measured at
    about the same time, because other programs on the machine or its host change all of them. `loop_ms` says how fast the
    machine was.
    """
