"""The check of the rules that screen payments."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_worker.rules.book import RulesTable

from .checks import Check, ok, warn


def rules_version(table: RulesTable) -> Iterator[Check]:
    """Whether this process can use the newest version of the rules, and how many rules are on."""
    if table.unusable is not None:
        advice = "upgrade the processes of an older release, or put other rules with `aegis rules apply`"
        yield warn("rules", table.unusable, advice)
        return
    where = f"version {table.version}" if table.version else "config/rules.toml"
    on = len(table.config.on)
    yield ok("rules", f"{on} on, in {where}" if on else f"none is on in {where}")
