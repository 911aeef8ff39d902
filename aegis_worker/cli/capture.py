"""`aegis capture`: capture what a payment holds, or a part of it, over the API."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.terminal.output import examples

from .ordering import amount_option, order, ordering_options


@click.command(name="capture", epilog=examples("aegis capture pay_0199f5… --amount 1200 --not-final"))
@click.option(
    "--final/--not-final",
    default=None,
    help="Release the rest of the hold, or keep it. The default depends on the amount and the gateway.",
)
@amount_option
@ordering_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    payment_id: str,
    amount: int | None,
    final: bool | None,
    **options: Any,
) -> None:
    """Capture what a payment holds, or a part of it, and wait for the end.

    Exits with 1 when it was refused, failed, or has not ended in time.
    """
    ctx.exit(order(f"/v1/payments/{payment_id}/captures", {"amount": amount, "final": final}, **options))
