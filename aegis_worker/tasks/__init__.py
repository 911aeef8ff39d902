"""Celery tasks: doors into the use cases."""

from __future__ import annotations

import gc
from typing import Any

from celery.signals import beat_init, celeryd_init, worker_process_init, worker_process_shutdown

from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.refusals import refuse_to_start
from aegis_worker.wiring import process
from aegis_worker.wiring.installation import check_installation

# A batch keeps some ten thousand objects alive until it is done, none of them in a cycle. By default the collector would
# scan them, and everything that was imported, after every few hundred new objects.
_NEW_OBJECTS = 20_000


@worker_process_init.connect
def _fresh_parts(**_: Any) -> None:
    process.forget_worker()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)


@celeryd_init.connect
def _check_worker(**_: Any) -> None:
    # Checked in the parent, because otherwise each child would report the fault with every task and none would ever work.
    _check(for_worker=True)


@beat_init.connect
def _check_beat(**_: Any) -> None:
    _check(for_worker=False)


def _check(*, for_worker: bool) -> None:
    try:
        check_installation(for_worker=for_worker)
    except ConfigurationError as error:
        refuse_to_start(error)


@worker_process_shutdown.connect
def _finish_parts(**_: Any) -> None:
    # No task runs any more, but calls that earlier tasks made may still be under way.
    process.finish_worker()
