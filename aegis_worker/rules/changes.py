"""Rules that operators put in place of config/rules.toml while everything runs."""

from __future__ import annotations

from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.versioned import Installed, Versioned

from .config import checked_rules_document, rules_document
from .rule import RulesConfig

RULES = Versioned("rules", VERSIONS, rules_document)


def installed_rules(from_file: RulesConfig) -> Installed[RulesConfig]:
    """The rules in a process whose file says `from_file`."""
    return Installed(RULES, from_file, checked_rules_document)
