"""aegis erase: what is known of a customer's person goes."""

from __future__ import annotations

import click

from aegis_worker.erasing import erase_customer
from aegis_worker.persistence import api_keys
from aegis_worker.persistence.database import Database
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json

from .keys import merchant_id


@click.command(epilog=examples("aegis erase --customer cus_117"))
@click.option(
    "--merchant",
    callback=merchant_id,
    help="The merchant whose customer it is. May be left out where there is one only.",
)
@click.option("--customer", required=True, metavar="ID", help="The merchant's own id of the customer.")
@json_option
def command(merchant: str | None, customer: str, as_json: bool) -> None:
    """Erase the personal data of a customer's payments, in both modes.

    Deletes the payers' details, the customer's name and e-mail address, the bodies of gateways' events, and what is kept of
    the exchanges with gateways, and says how many of each. Payments, events and attempts stay. What is erased is sent to no
    gateway any more. It can't be undone.
    """
    actor = cli_actor()
    with opened_database() as database:
        erased = erase_customer(database, merchant or _only_merchant(database), customer, actor=actor)
    if as_json:
        print_json(erased._asdict())
    else:
        print_facts(
            "Erased",
            {
                "payers' details": erased.payer_details,
                "customers' names": erased.customers,
                "gateways' events": erased.event_bodies,
                "exchanges with gateways": erased.exchanges,
            },
        )


def _only_merchant(database: Database) -> str:
    merchants = {key.merchant_id for key in api_keys.list_keys(database, None)} - {api_keys.EVERY_MERCHANT}
    if len(merchants) != 1:
        raise click.UsageError("say whose customer it is: --merchant NAME")
    return merchants.pop()
