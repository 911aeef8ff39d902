"""`aegis cancel`: cancel a payment, or release what it holds, over the API."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.terminal.output import examples

from .ordering import order, ordering_options


@click.command(name="cancel", epilog=examples("aegis cancel pay_0199f5…"))
@ordering_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    payment_id: str,
    **options: Any,
) -> None:
    """Cancel a payment of which nothing was sent, or release what it holds, and wait for the end.

    Exits with 1 when it was refused, came too late, or has not ended in time.
    """
    ctx.exit(order(f"/v1/payments/{payment_id}/cancel", {}, **options))
