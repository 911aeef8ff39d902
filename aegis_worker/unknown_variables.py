"""Variables in the environment that look like ours, and that nothing reads: most are misspelt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches

from aegis_worker.console_settings import VARIABLES as CONSOLE_VARIABLES
from aegis_worker.observation_settings import VARIABLES as OBSERVATION_VARIABLES
from aegis_worker.settings import Settings
from aegis_worker.vault_settings import VARIABLES as VAULT_VARIABLES

_WITHOUT_PREFIX = ("DATABASE_URL", "REDIS_URL", "SENTRY_DSN")
# Read elsewhere than in the settings: by the command line, the API's server, the Procfile, docker-compose.yml, the scripts,
# and the crash points.
_OTHER_VARIABLES = {
    "AEGIS_ENV",
    "AEGIS_PORT",
    "AEGIS_PYTHON",
    "AEGIS_API_URL",
    "AEGIS_API_KEY",
    "AEGIS_OPERATOR_KEY",
    "AEGIS_BIND",
    "AEGIS_WEB_WORKERS",
    "AEGIS_WEB_THREADS",
    "AEGIS_BODY_WITHIN_S",
    "AEGIS_WORKER_CONCURRENCY",
    "AEGIS_BEAT_SCHEDULE",
    "AEGIS_CRASH_AT",
}


def unknown_variables(environ: Mapping[str, str], also_known: Collection[str] = ()) -> list[str]:
    """A line for each `AEGIS_…` variable that nothing reads, with the known one that it looks like.

    `also_known`: those that gateways.toml names. Their values are not looked at.
    """
    ours = {one.name.upper() for one in fields(Settings)} - {
        "CONSOLE",
        "ENVIRONMENT",
        "OBSERVATION",
        "VAULT",
        *_WITHOUT_PREFIX,
    }
    known = (
        _OTHER_VARIABLES
        | VAULT_VARIABLES
        | OBSERVATION_VARIABLES
        | CONSOLE_VARIABLES
        | {f"AEGIS_{name}" for name in ours}
        | set(also_known)
    )
    lines = []
    for name in sorted(name for name in environ if name.upper().startswith("AEGIS_") and name not in known):
        bare = name.upper().removeprefix("AEGIS_")
        alike = get_close_matches(name.upper(), sorted(known.union(_WITHOUT_PREFIX)), n=1, cutoff=0.75)
        near = [bare] if bare in _WITHOUT_PREFIX else alike
        advice = f"did you mean {near[0]}?" if near else "see config/aegis.env.example"
        lines.append(f"{name} is set, and nothing reads it: {advice}")
    return lines
