"""Celery tasks: doors into the use cases."""

from __future__ import annotations

import gc
import time
from typing import Any

from celery.signals import (
    beat_init,
    celeryd_init,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)

from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import TASKS
from aegis_worker.observability.refusals import refuse_to_start
from aegis_worker.observability.tracing import TRACING
from aegis_worker.wiring import process
from aegis_worker.wiring.installation import check_installation

# A batch keeps some ten thousand objects alive until it is done, none of them in a cycle. By default the collector would
# scan them, and everything that was imported, after every few hundred new objects.
_NEW_OBJECTS = 20_000
_BEGAN_S: dict[str, float] = {}  # of the task that runs; a process runs one at a time


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
    METER.flush()
    TRACING.end()


@task_prerun.connect
def _begin_task(task_id: str, task: Any, **_: Any) -> None:
    _BEGAN_S[task_id] = time.perf_counter()
    TRACING.work_for(TRACING.root(f"task {task.name}", "consumer"))


@task_postrun.connect
def _end_task(task_id: str, task: Any, **_: Any) -> None:
    began_s = _BEGAN_S.pop(task_id, None)
    if began_s is not None:
        METER.timing(TASKS, time.perf_counter() - began_s, task.name)
    if (span := TRACING.current) is not None:
        TRACING.work_for(None)
        span.end()
