"""The JSON forms of the rules and of their versions."""

from __future__ import annotations

from typing import Any

from aegis_worker.persistence.versions import Version
from aegis_worker.rules.config import checked_rules_document, rules_document
from aegis_worker.rules.rule import RulesConfig

from . import versions


def rules_body(held: Version | None, from_file: RulesConfig) -> dict[str, Any]:
    """The rules in force. `held` is None if none were ever put."""
    return versions.held_body(
        "rules",
        held,
        rules_document(from_file),
        lambda document: rules_document(checked_rules_document(document)),
    )


def version_body(version: Version) -> dict[str, Any]:
    """One change of the rules."""
    return versions.version_body("rules_version", version)
