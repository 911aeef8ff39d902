"""Celery tasks: doors into the use cases."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_process_init

from aegis_worker import bootstrap


@worker_process_init.connect
def _fresh_parts(**_: Any) -> None:
    # Connections of the parent must not be used by its children.
    bootstrap.worker.cache_clear()
