"""Celery tasks: doors into the use cases."""

from __future__ import annotations

import gc
from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown

from aegis_worker import bootstrap

# A batch keeps some ten thousand objects alive until it is done with, none of them in a cycle. By default the collector
# would go through them, and through everything that was imported, every few hundred new ones.
_NEW_OBJECTS = 20_000


@worker_process_init.connect
def _fresh_parts(**_: Any) -> None:
    bootstrap.forget_worker()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)


@worker_process_shutdown.connect
def _finish_parts(**_: Any) -> None:
    # No task runs any more, but what earlier ones sent may still be out.
    bootstrap.finish_worker()
