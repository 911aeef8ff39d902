"""`aegis keys`: API keys of merchants and of operators."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import click

from aegis_worker.domain.modes import MODES, Mode
from aegis_worker.persistence import api_keys
from aegis_worker.persistence.api_keys import SCOPES, Scope
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
        aegis keys create --merchant shop --mode live --scope refunds:write
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
        aegis keys create --merchant shop --mode live --scope refunds:write
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
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help=(
        "live: its payments move real money. test (default): they go to sandboxes and gateways' test modes only. A key "
        "sees and moves nothing of the other mode."
    ),
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the key may do besides making, reading and capturing payments; may be given more than once.",
)
@click.option("--label", default="", callback=_label, help="What the key is for; shown by `aegis keys list`.")
@json_option
def create(
    merchant: str | None,
    operator: bool,
    mode: Mode | None,
    scopes: tuple[Scope, ...],
    label: str,
    as_json: bool,
) -> None:
    """Make a key and print it. It can't be shown again, because only its hash is kept."""
    if (merchant is not None) == operator:
        raise click.UsageError("say whose key it is: either --merchant NAME or --operator")
    if operator and (mode or scopes):
        raise click.UsageError("an operator's key has no --mode and no --scope: operators see both modes")
    actor = cli_actor()
    with opened_database() as database:
        if merchant is None:
            key_id, key = api_keys.create_operator_key(database, label, actor=actor)
            facts: dict[str, Any] = {"id": key_id, "role": "operator", "merchant_id": api_keys.EVERY_MERCHANT}
        else:
            mode = mode or "test"
            key_id, key = api_keys.create_key(
                database, merchant, label, mode=mode, scopes=scopes, actor=actor
            )
            facts = {"id": key_id, "role": "merchant", "merchant_id": merchant}
            facts |= {"mode": mode, "scopes": sorted(set(scopes))}
    if as_json:
        print_json({**facts, "label": label, "key": key})
    else:
        shown = facts | {"scopes": ", ".join(sorted(set(scopes))) or None, "label": label or None, "key": key}
        print_facts("API key", shown)
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
        ("id", "role", "merchant", "scopes", "label", "key", "created (UTC)", "used (UTC)", "revoked (UTC)"),
        [
            (
                key.id,
                key.role,
                key.merchant_id,
                ", ".join(key.scopes),
                key.label,
                key.hint,
                key.created_at,
                key.last_used_at,
                key.revoked_at,
            )
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
