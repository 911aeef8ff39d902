"""`aegis refund`: give back what was captured, or a part of it, over the API."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.terminal.output import examples

from .ordering import amount_option, order, ordering_options


@click.command(name="refund", epilog=examples("aegis refund pay_0199f5… --amount 500"))
@amount_option
@click.option(
    "--force",
    is_flag=True,
    help="Refund although the payer disputes the payment. If the dispute is lost, they are paid twice.",
)
@ordering_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    payment_id: str,
    amount: int | None,
    force: bool,
    **options: Any,
) -> None:
    """Refund what was captured, or a part of it, and wait for the end. Needs a key with the scope refunds:write.

    Exits with 1 when it was refused, failed, or has not ended in time.
    """
    ctx.exit(
        order(f"/v1/payments/{payment_id}/refunds", {"amount": amount, "force": force or None}, **options)
    )
