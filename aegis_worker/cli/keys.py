"""`aegis keys`: API keys of merchants and of operators."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import click

from aegis_worker.persistence import api_keys
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark

_MERCHANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_LABEL = 100


def merchant_id(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check the form of a merchant's id, because it goes into every row and log line of that merchant."""
    if value is not None and not _MERCHANT.fullmatch(value):
        raise click.BadParameter("1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit")
    return value


def _label(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if len(value) > _LONGEST_LABEL or not (value.isprintable() or not value):
        raise click.BadParameter(f"at most {_LONGEST_LABEL} printable characters")
    return value


@click.group(
    name="keys",
    epilog=examples(
        """
        aegis keys create --merchant shop --label web-1
        aegis keys create --operator --label "night shift"
        aegis keys list
        aegis keys revoke key_0199f5…
        """
    ),
)
def command() -> None:
    """Create, list and revoke API keys."""


@command.command(
    epilog=examples(
        """
        aegis keys create --merchant shop --label web-1
        aegis keys create --operator --label "night shift"
        """
    )
)
@click.option(
    "--merchant", callback=merchant_id, help="The merchant whose payments the key can make and see."
)
@click.option(
    "--operator",
    is_flag=True,
    help=(
        "Make an operator's key, for /v1/ops, /v1/gateways and /v1/routing. With it, a person sees every merchant and "
        "decides about payments, but makes none."
    ),
)
@click.option("--label", default="", callback=_label, help="What the key is for; shown by `aegis keys list`.")
@json_option
def create(merchant: str | None, operator: bool, label: str, as_json: bool) -> None:
    """Make a key and print it. It can't be shown again, because only its hash is kept."""
    if (merchant is not None) == operator:
        raise click.UsageError("say whose key it is: either --merchant NAME or --operator")
    live, actor = load_settings().is_production, cli_actor()
    with opened_database() as database:
        if merchant is None:
            key_id, key = api_keys.create_operator_key(database, label, live=live, actor=actor)
        else:
            key_id, key = api_keys.create_key(database, merchant, label, live=live, actor=actor)
    facts = {"id": key_id, "role": "operator" if operator else "merchant", "merchant_id": merchant or "*"}
    if as_json:
        print_json({**facts, "label": label, "key": key})
    else:
        print_facts("API key", {**facts, "label": label or None, "key": key})
        remark("Keep it now: it is not shown again.")


@command.command(name="list", epilog=examples("aegis keys list --merchant shop"))
@click.option("--merchant", callback=merchant_id, help="Show only this merchant's keys.")
@json_option
def list_(merchant: str | None, as_json: bool) -> None:
    """Show the newest 1000 keys, including revoked ones."""
    with opened_database() as database:
        keys = api_keys.list_keys(database, merchant)
    if as_json:
        print_json([asdict(key) for key in keys])
        return
    print_table(
        "API keys",
        ("id", "role", "merchant", "label", "key", "created (UTC)", "revoked (UTC)"),
        [
            (key.id, key.role, key.merchant_id, key.label, key.hint, key.created_at, key.revoked_at)
            for key in keys
        ],
    )


@command.command(epilog=examples("aegis keys revoke key_0199f5c8b2a17d01b6a7b0a1c2d3e4f5"))
@click.argument("key_id", metavar="ID")
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """Revoke a key. API processes refuse it within 5 s."""
    with opened_database() as database:
        api_keys.revoke_key(database, key_id, actor=cli_actor())
    facts: dict[str, Any] = {"id": key_id, "revoked": True}
    if as_json:
        print_json(facts)
    else:
        print_facts("API key", facts)
