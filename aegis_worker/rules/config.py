"""Rules read from a document and written as one: config/rules.toml, or what an operator has put."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_worker.domain.screening import Action
from aegis_worker.errors import InvalidRules
from aegis_worker.matching.checks import Checks
from aegis_worker.matching.documents import usable_document
from aegis_worker.toml_file import parsed_toml, text_if_any

from .built_in import BUILT_IN, checked_built_in
from .rule import ACTIONS, DEFAULT_ON_REDIS_LOSS, MOST_ENTRIES, RulesConfig
from .rule_checks import checked_loss, checked_rules

_SETTINGS = ("on_redis_loss", "most_entries", "thresholds")
_HIGHEST_SUM = 10_000
_FEWEST_ENTRIES, _MOST_ENTRIES = 1_000, 10_000_000


def load_rules(path: Path) -> RulesConfig:
    """The file's rules; none where there is no file. Raises ConfigurationError, one line for each wrong place."""
    text = text_if_any(path)
    return RulesConfig() if text is None else parse_rules(parsed_toml(path, text), where=str(path), text=text)


def parse_rules(document: Mapping[str, Any], *, where: str, text: str | None = None) -> RulesConfig:
    """The rules that a document describes; `text`: the TOML that it was read from, for the lines of what is wrong.

    Raises ConfigurationError, one line for each wrong place.
    """
    return usable_document(checked_rules_document, document, where=where, text=text)


def checked_rules_document(document: Any) -> RulesConfig:
    """The rules that a document describes. Raises InvalidRules."""
    checks = Checks()
    table = checks.table((), document, (*_SETTINGS, *BUILT_IN, "rules"))
    loss = checked_loss(
        checks, ("on_redis_loss",), table.get("on_redis_loss", DEFAULT_ON_REDIS_LOSS), DEFAULT_ON_REDIS_LOSS
    )
    entries = checks.whole(
        ("most_entries",), table.get("most_entries", MOST_ENTRIES), _FEWEST_ENTRIES, _MOST_ENTRIES
    )
    thresholds = _thresholds(checks, table.get("thresholds", {}))
    built = tuple(
        rule
        for name in BUILT_IN
        if name in table
        for rule in checked_built_in(checks, name, table[name], loss)
    )
    taken = {rule.id: f"[{rule.id.partition('.')[0]}]" for rule in built}
    rules = checked_rules(checks, ("rules",), table.get("rules", []), loss, taken)
    if not checks.problems and not thresholds and any(rule.score is not None for rule in (*built, *rules)):
        checks.wrong(("thresholds",), "is missing: scores come to nothing without it")
    if checks.problems:
        raise InvalidRules(checks.problems)
    tables = {name: dict(table[name]) for name in BUILT_IN if name in table}
    return RulesConfig(loss, entries or MOST_ENTRIES, thresholds, tables, built, rules)


def _thresholds(checks: Checks, value: Any) -> dict[Action, int]:
    known = [action.value for action in ACTIONS]
    found = {
        name: checks.whole(("thresholds", name), least, 1, _HIGHEST_SUM)
        for name, least in checks.table(("thresholds",), value, known).items()
        if name in known
    }
    return {action: least for action in ACTIONS if (least := found.get(action.value)) is not None}


def rules_document(config: RulesConfig) -> dict[str, Any]:
    """The document that describes rules: `checked_rules_document` makes the same of it."""
    document: dict[str, Any] = {
        "on_redis_loss": config.on_redis_loss,
        "most_entries": config.most_entries,
        "thresholds": {action.value: least for action, least in config.thresholds.items()},
        **config.built_in,
        "rules": [rule.document() for rule in config.rules],
    }
    return {
        name: value for name, value in document.items() if value not in ([], {}) or name in config.built_in
    }
