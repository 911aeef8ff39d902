"""All the parts of a worker, for the subcommands that do a worker's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.hints import NoHints
from aegis_worker.observability.logs import configure_logs
from aegis_worker.persistence.compatibility import require_fit
from aegis_worker.settings import load_settings
from aegis_worker.wiring.worker import Worker, build_worker

from .installation import tables_expected


@contextmanager
def opened_worker(
    *, log_level: str = "WARNING", hinting: bool = True, disturbed: bool = False
) -> Iterator[Worker]:
    """The parts of a worker, run by hand. With `hinting` off it never tells other workers, and so never needs Redis.
    `disturbed`: by the plan of AEGIS_CHAOS.

    Raises as `opened_database` does.
    """
    settings = load_settings()
    configure_logs(log_level)
    parts = build_worker(settings, hints=None if hinting else NoHints(), disturbed=disturbed)
    try:
        with tables_expected(parts.database):
            with suppress(DatabaseUnavailable):  # what needs the database will report that it is away
                require_fit(parts.database)
            yield parts
    finally:
        parts.finish()
        parts.close()
