"""The user's own configuration, made fit for a rehearsal: sandboxes are the only gateways, and every wait is short."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_worker.crash_points import VARIABLE
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.local.config_files import written
from aegis_worker.settings import default_config_dir

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
_SHORT_ABSENCE = {"absence_window_s": 2}
# Gateways are stopped and frozen here: their breakers are to open, and once they are healed payments go there again soon.
_SHORT_BREAKER_TIMES = {"open_s": 1, "max_open_s": 4, "probe_s": 5}


def environment(environ: Mapping[str, str], folder: Path, *, own_times: bool) -> dict[str, str]:
    """The environment of a rehearsal, with a copy of the configuration in `folder`.

    Stores are always its own, since it stops them, and no gateway is left that is not a sandbox, since it charges.
    Raises ConfigurationError where nothing is left, and in production.
    """
    if environ.get("AEGIS_ENV") == "production":
        raise ConfigurationError(f"AEGIS_ENV is production: {VARIABLE} is refused there, rehearse elsewhere")
    left = {
        name: value
        for name, value in environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "SENTRY_DSN", VARIABLE)
    }
    given = Path(environ.get("AEGIS_CONFIG_DIR") or default_config_dir())
    config_dir = folder / "config"
    config_dir.mkdir(mode=0o700)
    try:
        # routing.toml is left out, because it may name gateways that are not there in a rehearsal.
        for file in (given / "gateways.toml", *given.glob("*.py")):
            shutil.copy(file, config_dir)
        gateways = config_dir / "gateways.toml"
        gateways.write_text(only_sandboxes(gateways.read_text(), short=not own_times))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{given}/gateways.toml: {error}") from error
    return left | ({} if own_times else SHORT_TIMES) | {"AEGIS_CONFIG_DIR": str(config_dir)}


def only_sandboxes(text: str, *, short: bool) -> str:
    """gateways.toml without the gateways that are no sandbox, and without comments; with `short`, its times are shortened.

    Raises ConfigurationError when no gateway is left.
    """
    tables: dict[str, dict[str, Any]] = tomllib.loads(text).get("gateways", {})
    kept = {name for name, table in tables.items() if table.get("adapter") == "sandbox"}
    if not kept:
        raise ConfigurationError(
            "gateways.toml has no gateway whose adapter is `sandbox`: no others are used here"
        )
    return written(
        {name: _shortened(table) if short else table for name, table in tables.items() if name in kept}
    )


def _shortened(table: Mapping[str, Any]) -> dict[str, Any]:
    options = table.get("options", {})
    return {
        **table,
        **{name: value for name, value in _SHORT_GATEWAY_TIMES.items() if name in table},
        "options": options | {name: value for name, value in _SHORT_ABSENCE.items() if name in options},
        "breaker": table.get("breaker", {}) | _SHORT_BREAKER_TIMES,
    }
