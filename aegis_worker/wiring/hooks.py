"""Wires the hooks of a process."""

from __future__ import annotations

import os

from aegis_worker.gateways.registry import variables_of
from aegis_worker.hooks.asking import NO_HOOKS, InstalledHooks
from aegis_worker.hooks.config import HooksConfig, configured, load_config
from aegis_worker.hooks.environment import environment_for_hooks
from aegis_worker.hooks.loading import anything_offered
from aegis_worker.hooks.pool import HookPool
from aegis_worker.settings import Settings


def built_hooks(settings: Settings, *, processes: int | None = None) -> InstalledHooks:
    """The hooks of one process; NO_HOOKS where no plug-in is installed or named. Starts nothing: that happens at the first
    question, or with `load`.

    `processes`: how many may be asked at once, where it is not what config/hooks.toml says. Raises ConfigurationError for
    that file.
    """
    pool = hook_pool(settings, processes=processes)
    return NO_HOOKS if pool is None else pool


def hook_pool(settings: Settings, *, processes: int | None = None) -> HookPool | None:
    """The same, for whoever looks into it; None where there is none."""
    config = configured_hooks(settings)
    if not anything_offered(settings.hooks):
        configured((), config)
        return None
    return HookPool(
        settings.hooks,
        config,
        environment_for_hooks(os.environ, variables_of(settings.config_dir / "gateways.toml")),
        processes=processes,
    )


def configured_hooks(settings: Settings) -> HooksConfig:
    """What config/hooks.toml says. Raises ConfigurationError."""
    return load_config(settings.config_dir / "hooks.toml")


def check_hooks(settings: Settings) -> None:
    """Raises ConfigurationError where hooks can't be loaded, or config/hooks.toml is wrong."""
    pool = hook_pool(settings)
    if pool is None:
        return
    try:
        pool.load()
    finally:
        pool.close()
