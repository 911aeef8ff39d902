"""Wires the hooks of a process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from redis import Redis, RedisError

from aegis_worker.gateways.gateways_file import variables_of
from aegis_worker.hooks.asking import NO_HOOKS, Hooks, InstalledHooks
from aegis_worker.hooks.config import Configured, configured, load_config
from aegis_worker.hooks.environment import environment_for_hooks
from aegis_worker.hooks.loading import anything_offered
from aegis_worker.hooks.points import ABOUT
from aegis_worker.hooks.pool import HookPool
from aegis_worker.hooks.statistics import HookStatistics, read_statistics
from aegis_worker.settings import Settings


def built_hooks(settings: Settings, redis: Redis | None = None) -> InstalledHooks:
    """The hooks of one process; NO_HOOKS where no plug-in is installed or named. Starts nothing: that happens at the first
    question, or with `load`.

    `redis`: where statistics go. Raises ConfigurationError for config/hooks.toml.
    """
    pool = _pool(settings, redis)
    return NO_HOOKS if pool is None else pool


def hooks_of_the_api(settings: Settings, redis: Redis) -> Hooks:
    """The hooks that a web process asks, loaded; NO_HOOKS, and no process beside it, where it asks none.

    Raises ConfigurationError where hooks can't be loaded.
    """
    hooks = built_hooks(settings, redis)
    if any(hooks.has(point) for point, about in ABOUT.items() if about.runs == "api"):
        return hooks
    hooks.close()
    return NO_HOOKS


def installed_hooks(settings: Settings) -> tuple[Configured, ...]:
    """All hooks, those too that are switched off, with what holds for them.

    Loads them in a process of their own, which ends with this. Raises ConfigurationError where they can't be loaded, or
    config/hooks.toml is wrong.
    """
    pool = _pool(settings, None)
    if pool is None:
        return ()
    try:
        return pool.load()
    finally:
        pool.close()


HookReport = tuple[Configured, HookStatistics | None]
"""A hook and what it did this hour and the one before; None where Redis can't be asked."""


def hook_reports(settings: Settings, redis: Redis) -> Callable[[], Sequence[HookReport]]:
    """What tells of all hooks. They are loaded at the first call, once in this process: they change only with a new one.

    Calling it raises ConfigurationError where they can't be loaded, or config/hooks.toml is wrong.
    """
    known = cache(lambda: installed_hooks(settings))

    def report() -> Sequence[HookReport]:
        hooks = known()
        lately = _statistics(redis) if hooks else None
        return [(hook, None if lately is None else lately.get(hook.name, HookStatistics())) for hook in hooks]

    return report


def _statistics(redis: Redis) -> Mapping[str, HookStatistics] | None:
    try:
        return read_statistics(redis)
    except RedisError:
        return None


def _pool(settings: Settings, redis: Redis | None) -> HookPool | None:
    config = load_config(settings.config_dir / "hooks.toml")
    if not anything_offered(settings.hooks):
        configured((), config)
        return None
    keys = variables_of(settings.config_dir / "gateways.toml")
    return HookPool(settings.hooks, config, environment_for_hooks(os.environ, keys), redis=redis)
