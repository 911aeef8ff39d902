"""Whether this process is to be disturbed, by which plan; refused in production unless it was allowed twice."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from aegis_worker.errors import ConfigurationError

from .plan import Plan
from .reading import read_plan

VARIABLE = "AEGIS_CHAOS"
ALLOW, HASH = "AEGIS_CHAOS_ALLOW_PRODUCTION", "AEGIS_CHAOS_SHA256"


def wanted_plan(
    path: Path, gateways: Collection[str], *, production: bool, allowed: bool, sha256: str
) -> Plan:
    """The plan that AEGIS_CHAOS asks for. Raises ConfigurationError for one that can't be read, and in production for one
    that is not allowed by both settings: the second names the very file, so that another one can't slip in.
    """
    plan = read_plan(path, gateways)
    if not production:
        return plan
    if not allowed:
        raise ConfigurationError(
            f"{VARIABLE} is refused in production: it breaks payments' calls on purpose. To do it all the same, set"
            f" {ALLOW}=true, and {HASH} to the file's SHA-256"
        )
    if sha256.strip().lower() != plan.sha256:
        raise ConfigurationError(
            f"{VARIABLE} is refused in production: {HASH} is not the SHA-256 of {path}, as `sha256sum` prints it"
        )
    return plan
