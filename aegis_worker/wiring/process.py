"""The parts of this worker process, built when they are first needed."""

from __future__ import annotations

from functools import cache
from math import isnan

from aegis_worker.observability.metrics.meter import METER
from aegis_worker.settings import load_settings

from .metrics import shared_readings
from .observed import observed
from .worker import Worker, build_worker


def worker() -> Worker:
    """The parts of this worker process. Raises SchemaUnfit while this version can't work with the database's schema, and
    ConfigurationError while hooks can't be loaded.
    """
    parts = _worker_of_this_process()
    parts.schema.check()
    parts.hooks.load()
    return parts


def forget_worker() -> None:
    """Forget the parts after a fork, because children must not use their parent's connections."""
    _worker_of_this_process.cache_clear()


def finish_worker() -> None:
    """Wait for the calls and posts that this process has under way, and settle them. Does nothing if it never worked."""
    if _worker_of_this_process.cache_info().currsize:
        _worker_of_this_process().finish()


def tell_gauges() -> None:
    """Hand what is asked of the shared state, where it has a value, to the sinks that want to be told. Raises
    DatabaseUnavailable.
    """
    parts = worker()
    if METER.wants_gauges:
        for metric, labels, value in shared_readings(parts):
            if not isnan(value):
                METER.gauge(metric, value, *labels)


@cache
def _worker_of_this_process() -> Worker:
    return build_worker(observed(load_settings()), disturbed=True)
