"""The parts of this worker process, built when they are first asked for."""

from __future__ import annotations

from functools import cache

from aegis_worker.settings import load_settings

from .observed import observed
from .worker import Worker, build_worker


def worker() -> Worker:
    """The parts of this worker process. Raises SchemaUnfit while the database has a schema that it can't work with."""
    parts = _worker_of_this_process()
    parts.schema.check()
    return parts


def forget_worker() -> None:
    """After a fork: connections of the parent must not be used by its children."""
    _worker_of_this_process.cache_clear()


def finish_worker() -> None:
    """Wait for what this worker process has under way, and settle it; nothing to do where it never worked."""
    if _worker_of_this_process.cache_info().currsize:
        _worker_of_this_process().finish()


@cache
def _worker_of_this_process() -> Worker:
    return build_worker(observed(load_settings()))
