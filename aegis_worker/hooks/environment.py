"""The environment of the processes that hooks run in: no secret of ours, for a hook needs none.

Hooks are trusted like the rest of the installation, so this is no wall. It keeps what they don't need from what they log,
send to an error tracker, or hand to programs that they start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

_KEPT = frozenset({"AEGIS_ENV", "AEGIS_LOG_LEVEL"})
# Beside all of ours that begin with AEGIS_: what PostgreSQL's and Redis's clients, their images and Celery read.
_SECRET = frozenset(
    {
        "DATABASE_URL",
        "REDIS_URL",
        "SENTRY_DSN",
        "PGPASSWORD",
        "PGPASSFILE",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "CELERY_BROKER_URL",
        "CELERY_RESULT_BACKEND",
    }
)


def environment_for_hooks(environ: Mapping[str, str], keys_of_gateways: Collection[str]) -> dict[str, str]:
    """What of `environ` hooks get. `keys_of_gateways`: the variables that gateways.toml names."""
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT
        or not (name in _SECRET or name in keys_of_gateways or name.upper().startswith("AEGIS_"))
    }
