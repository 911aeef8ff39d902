"""The user's own configuration, made fit for a rehearsal: all gateways are emulated, and every wait is short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aegis_worker.chaos.loading import VARIABLE as CHAOS
from aegis_worker.crash_points import VARIABLE
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.local.config_files import Tables, emulated_tables

# A crash costs a lease, so these decide how long a run takes. Each is longer than what it has to cover: the lease than a
# call to a gateway (1 s + 2 s), the outbox lease than a webhook post (3 times 1 s).
SHORT_TIMES = {
    "AEGIS_LEASE_S": "4",
    "AEGIS_OUTBOX_LEASE_S": "4",
    "AEGIS_WEBHOOK_TIMEOUT_S": "1",
    "AEGIS_WEBHOOK_MAX_TRIES": "30",
    "AEGIS_RUN_LIMIT_S": "3",
    "AEGIS_VERIFY_LADDER_S": "1,1,1,2,2,3,5,5,5,10,10,10,20,20,30,30",
    "AEGIS_RECHECK_LADDER_S": "3,10",
    # Longer than any payer of the load takes who comes back where the gateway sets no end.
    "AEGIS_PAYER_WAIT_S": "5",
    # Workers are killed on purpose here, so their deaths must not send a payment to review.
    "AEGIS_POISON_CAP": "50",
    "AEGIS_WEB_WORKERS": "2",
}
_SHORT_GATEWAY_TIMES = {"connect_timeout_s": 1, "timeout_s": 2}
# The approval is AEGIS_PAYER_WAIT_S of a gateway that sets an end.
_SHORT_OPTIONS = {"absence_window_s": 2, "approval_s": 5}
# Gateways are stopped and frozen here: their breakers are to open, and once they are healed payments go there again soon.
_SHORT_BREAKER_TIMES = {"open_s": 1, "max_open_s": 4, "probe_s": 5}


def environment(environ: Mapping[str, str], *, own_times: bool) -> dict[str, str]:
    """The environment of a rehearsal. Its stores are always its own, since it stops them.

    Raises ConfigurationError in production.
    """
    if environ.get("AEGIS_ENV") == "production":
        raise ConfigurationError(f"AEGIS_ENV is production: {VARIABLE} is refused there, rehearse elsewhere")
    left = {
        name: value
        for name, value in environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "SENTRY_DSN", VARIABLE, CHAOS)
    }
    return left | ({} if own_times else SHORT_TIMES)


def rehearsed(names: Sequence[str], own_times: bool, given: Path) -> Tables:
    """The tables of a rehearsal's gateways: those of these names, or all sandboxes. None is left that is not emulated,
    since it charges. Raises ConfigurationError.
    """
    tables = emulated_tables(names, given)
    return tables if own_times else {name: _shortened(table) for name, table in tables.items()}


def _shortened(table: Mapping[str, Any]) -> dict[str, Any]:
    options = table.get("options", {})
    return {
        **table,
        **_SHORT_GATEWAY_TIMES,
        "options": options | {name: value for name, value in _SHORT_OPTIONS.items() if name in options},
        "breaker": table.get("breaker", {}) | _SHORT_BREAKER_TIMES,
    }
