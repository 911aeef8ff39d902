"""What the subcommands of `aegis rules` share: where the rules are, and how they are printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_worker.rules.changes import RULES, installed_rules
from aegis_worker.rules.config import checked_rules_document, load_rules
from aegis_worker.rules.rule import Rule, RulesConfig
from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import print_facts, print_table
from aegis_worker.versioned import Installed

from ..config_documents import short
from ..versioned import Spoken, VersionedCommands


def rules_file() -> Path:
    """The path of config/rules.toml, whether or not the file exists."""
    return load_settings().config_dir / "rules.toml"


def _installed() -> Installed[RulesConfig]:
    return installed_rules(load_rules(rules_file()))


def print_rules(config: RulesConfig, title: str = "Rules") -> None:
    """Print rules: each as a line of a table, those that come with AegisPay first, and the settings."""
    facts: dict[str, Any] = {"on_redis_loss": config.on_redis_loss, "most_entries": config.most_entries}
    if config.thresholds:
        facts["thresholds"] = ", ".join(
            f"{action.value} from {least}" for action, least in config.thresholds.items()
        )
    print_facts(title, facts)
    rows = [_row(rule) for rule in (*config.built, *config.rules)]
    print_table(
        "Of all that are met, the most severe holds", ("id", "on", "when", "does", "without Redis"), rows
    )


def _row(rule: Rule) -> tuple[Any, ...]:
    document = rule.document()
    when = " and ".join(_condition(condition) for condition in document["conditions"])
    does = rule.action.value if rule.action is not None else f"score {rule.score}"
    return rule.id, rule.enabled, when, does, document.get("on_redis_loss")


def _condition(condition: Mapping[str, Any]) -> str:
    said = f"{condition['field']} {condition['operator']} {short(condition['value'])}"
    return f"{said} in {condition['window']}" if "window" in condition else said


def _described(document: Mapping[str, Any] | None) -> tuple[Any, Any]:
    return ("config/rules.toml", None) if document is None else ("put", len(document.get("rules", ())))


COMMANDS = VersionedCommands(
    RULES,
    Spoken("Rules", "rules", "They", "them", "version {} of the rules", "Versions of the rules"),
    "config/rules.toml",
    _installed,
    lambda: checked_rules_document,
    print_rules,
    ("what", "own rules"),
    _described,
)
