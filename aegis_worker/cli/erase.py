"""aegis erase: what is known of a customer's person goes."""

from __future__ import annotations

import click

from aegis_worker.erasing import erase_customer
from aegis_worker.persistence import api_keys
from aegis_worker.persistence.database import Database
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, remark
from aegis_worker.views.erasures import erasure_body
from aegis_worker.wiring.vault import opened_destroying

from .keys import merchant_id

_IN_WORDS = {
    "cards": "cards in the vault",
    "payments": "payments",
    "reviews": "payments that were held back",
    "payer_details": "payers' details",
    "actions": "what payers had to do",
    "confirms": "what payers brought back",
    "event_bodies": "gateways' events",
    "exchanges": "exchanges with gateways",
    "endpoint_answers": "answers of endpoints",
    "facts": "facts to search by",
}


@click.command(
    epilog=examples('aegis erase --customer cus_117 --reason "asked for it by letter of 20 November"')
)
@click.option(
    "--merchant",
    callback=merchant_id,
    help="The merchant whose customer it is. May be left out where there is one only.",
)
@click.option("--customer", required=True, metavar="ID", help="The merchant's own id of the customer.")
@click.option("--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log.")
@json_option
def command(merchant: str | None, customer: str, reason: str, as_json: bool) -> None:
    """Erase a customer's cards in the vault, and the personal data of the customer's payments, in both modes.

    Of payments go the customer's name and e-mail address, the tokens they were paid by, description, metadata, return URL,
    mandate and order lines, the payers' details, what they had to do and brought back, the bodies of gateways' events, what
    is kept of the exchanges with gateways, and what endpoints answered; it is said how many of each. Amounts, events and
    attempts stay. What is erased is sent nowhere any more: payments that were not charged yet fail. It can't be undone.
    """
    actor, settings = cli_actor(), load_settings()
    if settings.vault is None:
        remark("the card vault is off here: where there is one, erase with its settings")
    with opened_database() as database, opened_destroying(settings) as destroy:
        erased = erase_customer(
            database,
            merchant or _only_merchant(database),
            customer,
            actor=actor,
            reason=reason,
            destroy=destroy,
        )
    if as_json:
        print_json(erasure_body(erased, has_vault=settings.vault is not None))
    else:
        print_facts("Erased", {_IN_WORDS[kind]: count for kind, count in erased.counts.items()})


def _only_merchant(database: Database) -> str:
    merchants = {key.merchant_id for key in api_keys.list_keys(database, None)} - {api_keys.EVERY_MERCHANT}
    if len(merchants) != 1:
        raise click.UsageError("say whose customer it is: --merchant NAME")
    return merchants.pop()
