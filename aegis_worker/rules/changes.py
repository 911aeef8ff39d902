"""What operators change about rules while everything runs."""

from __future__ import annotations

from aegis_worker.persistence.database import Database
from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.persistence.versions import Version

from .config import rules_document
from .rule import RulesConfig


def put_rules(
    database: Database,
    config: RulesConfig | None,
    *,
    actor: str,
    reason: str,
    expected_version: int | None = None,
) -> Version | None:
    """Have `config` hold from now on, or config/rules.toml where it is None: the version that holds then.

    Where it holds already nothing is written; None: the file holds, and nothing was ever put. Raises RulesMoved where
    another version holds than the expected one; InvalidReason; DatabaseUnavailable.
    """
    return VERSIONS.put(
        database,
        None if config is None else rules_document(config),
        actor=actor,
        reason=reason,
        expected_version=expected_version,
    )
