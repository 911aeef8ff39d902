"""`aegis doctor`: whether hooks load, and whether one is left alone because it hangs."""

from __future__ import annotations

from collections.abc import Iterator

from redis import Redis, RedisError

from aegis_worker.errors import ConfigurationError
from aegis_worker.hooks.statistics import read_statistics
from aegis_worker.settings import Settings
from aegis_worker.wiring.hooks import installed_hooks

from .checks import Check, fail, ok, warn


def hooks(settings: Settings, redis: Redis) -> Iterator[Check]:
    """Whether hooks load, with those that are switched off; and a line for each whose breaker is open."""
    try:
        found = installed_hooks(settings)
    except ConfigurationError as error:
        yield fail(
            "hooks",
            str(error),
            "correct or uninstall the plug-in, or correct config/hooks.toml; see aegis hooks",
        )
        return
    off = sum(not hook.enabled for hook in found)
    yield ok("hooks", f"{len(found)} loaded{f', {off} of them switched off' if off else ''}")
    try:
        known = read_statistics(redis) if found else {}
    except RedisError:
        return
    for hook in found:
        if hook.name in known and known[hook.name].open_in:
            yield warn(
                "hooks",
                f"{hook.name} is left alone by {known[hook.name].open_in} processes: it took too long, or crashed",
                f"see aegis hooks; until it answers in time, on_failure = {hook.policy} holds",
            )
