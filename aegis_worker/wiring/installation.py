"""The checks that every process makes before it starts."""

from __future__ import annotations

import os

import structlog

from aegis_worker.crash_points import check as check_crash_point
from aegis_worker.gateways.gateways_file import variables_of
from aegis_worker.hints import NoHints
from aegis_worker.observability.logs import configure_logs
from aegis_worker.settings import Settings, load_settings
from aegis_worker.unknown_variables import unknown_variables

from .chaos import chaos_plan
from .gateways import close_gateways, configured_gateways, configured_routing
from .hooks import installed_hooks
from .metrics import check_extra
from .rules import configured_rules
from .vault import refuse_unfit_vault
from .worker import build_worker

log = structlog.get_logger(__name__)


def check_installation(*, for_worker: bool = False) -> Settings:
    """Check settings, the files of gateways, routing, rules and hooks, and whether they fit together; returns the settings.

    `for_worker`: also check what only processes that work on payments need. Opens no connection but to the stores of the
    card vault, where it is on. Logs a line for each variable that nothing reads. Raises ConfigurationError.
    """
    settings = load_settings()
    check_crash_point(settings.environment)
    check_extra(settings)
    gateways = configured_gateways(settings)
    configured_routing(settings, gateways)
    configured_rules(settings)
    chaos_plan(settings)
    close_gateways(gateways)
    if not for_worker:
        installed_hooks(settings)
    else:
        worker = build_worker(settings, hints=NoHints())
        worker.hooks.load()
        refuse_unfit_vault(worker.vault, worker.redis)
        worker.close()
    if unread := unread_variables(settings):
        configure_logs(settings.log_level, settings.observation.log_format)
        for line in unread:
            log.warning(line)
    return settings


def unread_variables(settings: Settings) -> list[str]:
    """A line for each `AEGIS_…` variable that nothing reads. Raises ConfigurationError."""
    return unknown_variables(os.environ, variables_of(settings.config_dir / "gateways.toml"))
