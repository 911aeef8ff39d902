"""Sets up how a process is observed, its log, metrics and error reports, and its crash points."""

from __future__ import annotations

from aegis_worker.crash_points import arm
from aegis_worker.observability.errors import configure_error_reports
from aegis_worker.observability.logs import configure_logs, log_the_uncaught
from aegis_worker.observability.telling import TELLING
from aegis_worker.observability.tracing import TRACING
from aegis_worker.settings import Settings

from .metrics import measured, resource


def observed(settings: Settings) -> Settings:
    """Set up logs, metrics, error reports and crash points of this process; returns the settings. Raises
    ConfigurationError.
    """
    configure_logs(settings.log_level, settings.observation.log_format)
    log_the_uncaught()
    tells(settings)
    configure_error_reports(settings.sentry_dsn, settings.environment)
    arm(settings.environment)
    return settings


def tells(settings: Settings) -> None:
    """Have this process log, measure and trace its everyday work. Raises ConfigurationError."""
    TELLING.configure(settings.observation)
    measured(settings)
    TRACING.configure(settings.observation, resource(settings))
