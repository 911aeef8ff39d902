"""`aegis vault`: the card vault's schema, keys and stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from aegis_worker.errors import ConfigurationError, DatabaseUnusable
from aegis_worker.observability.logs import configure_logs
from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, progress
from aegis_worker.vault.migrations import upgrade
from aegis_worker.vault.reseal import reseal
from aegis_worker.vault.vault import Vault
from aegis_worker.vault_settings import KEYS, KEYS_FILE
from aegis_worker.wiring.vault import built_vault, why_unfit_database

_OFF = f"the card vault is off: set {KEYS} or {KEYS_FILE} to turn it on (docs/howto/vault.md)"


@click.group(
    name="vault",
    epilog=examples(
        """
        aegis vault migrate
        aegis vault status
        aegis vault reseal
        """
    ),
)
def command() -> None:
    """Look after the card vault: its schema, its keys, and which cards still need which key."""


@command.command(epilog=examples("aegis vault migrate"))
@json_option
def migrate(as_json: bool) -> None:
    """Bring the schema of the vault's own database up to date."""
    settings = load_settings().vault
    if settings is None:
        raise ConfigurationError(_OFF)
    configure_logs("WARNING")
    upgrade(settings.database_url)
    if as_json:
        print_json({"schema": "up to date"})
    else:
        print_facts("The vault's schema", {"result": "up to date"})


@command.command(epilog=examples("aegis vault status --json"))
@json_option
def status(as_json: bool) -> None:
    """Show how many cards are kept, by the key that sealed them, and what is held for moments.

    A key that no card needs, and that was replaced at least a day ago, can be taken out of AEGIS_VAULT_KEYS.
    """
    with _opened() as vault:
        kept, (cards, codes) = vault.by_key(), vault.memory.count()
        ring = vault.sealer.key_ids
    rows = [(key, _role(key, ring), kept.get(key, 0)) for key in dict.fromkeys((*ring, *kept))]
    if as_json:
        shown: list[dict[str, Any]] = [{"key": key, "role": role, "kept": count} for key, role, count in rows]
        print_json({"keys": shown, "held": {"cards": cards, "codes": codes}})
        return
    print_table("Kept cards", ("key", "it", "cards"), rows)
    print_facts("Held for moments", {"cards of single payments": cards, "security codes": codes})


@command.command(name="reseal", epilog=examples("aegis vault reseal"))
@json_option
def reseal_cards(as_json: bool) -> None:
    """Seal every kept card anew with the newest key, so that older keys can be taken out.

    May run while payments are made, and be stopped and run again.
    """
    with _opened() as vault:
        newest = vault.sealer.key_ids[0]
        outdated = sum(count for key, count in vault.by_key().items() if key != newest)
        with progress("cards", outdated) as advance:
            resealed = reseal(vault, advance)
    if as_json:
        print_json({"resealed": resealed, "key": newest})
    else:
        print_facts("Resealed", {"cards": resealed, "with the key": newest})


def _role(key: str, ring: tuple[str, ...]) -> str:
    if key not in ring:
        return "is missing: its cards can't be charged"
    return "seals" if key == ring[0] else "opens"


@contextmanager
def _opened() -> Iterator[Vault]:
    """The vault of the settings. Raises ConfigurationError where it is off, and DatabaseUnusable without its schema."""
    settings = load_settings()
    configure_logs("WARNING")
    vault = built_vault(settings)
    if vault is None:
        raise ConfigurationError(_OFF)
    try:
        if unfit := why_unfit_database(vault):
            raise DatabaseUnusable(unfit[0])
        yield vault
    finally:
        vault.close()
