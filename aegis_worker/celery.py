"""The Celery application: settings only. A message carries no facts; it means "look at the jobs table" (design D1)."""

from __future__ import annotations

import os
import ssl
from typing import Any

from celery import Celery, Task
from kombu import Exchange, Queue

from aegis_worker.errors import Retryable

QUEUES = ("payments", "verify", "outbox", "maintenance")

# The task that looks at each queue's table.
TASK_OF = {
    "payments": "payments.run",
    "verify": "payments.verify",
    "outbox": "outbox.drain",
    "webhooks": "webhooks.deliver",
}
QUEUE_OF = {"payments": "payments", "verify": "verify", "outbox": "outbox", "webhooks": "outbox"}


# Without expiry, ticks pile up while no worker runs. Celery compares with the worker's own clock: much less, and a
# worker whose clock is ten minutes ahead would throw away everything that it is told. A tick too many costs a look.
EXPIRES_S = 900.0


def _beat(task: str, queue: str, every_s: float) -> dict[str, Any]:
    return {"task": task, "schedule": every_s, "options": {"queue": queue, "expires": EXPIRES_S}}


class HintedTask(Task):
    """A task that looks at a table. What it can't do now stays due, so a database that is away is a line in the log."""

    abstract = True
    throws = (Retryable,)


_BROKER_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

app = Celery("aegis", broker=_BROKER_URL, task_cls=HintedTask)
app.conf.update(
    include=["aegis_worker.tasks.payments", "aegis_worker.tasks.outbox", "aegis_worker.tasks.maintenance"],
    task_queues=[Queue(name, Exchange("aegis", type="direct"), routing_key=name) for name in QUEUES],
    task_default_queue="maintenance",
    task_default_exchange="aegis",
    task_default_routing_key="maintenance",
    task_create_missing_queues=False,
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    # The database decides what is due, so a message may be lost or come twice; acknowledging late only saves a tick.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # A run ends after AEGIS_RUN_LIMIT_S (10 s) and one commit; the calls that it leaves in flight are under no limit of a
    # task, but of their own (70 s at most).
    task_soft_time_limit=150,
    task_time_limit=180,
    worker_soft_shutdown_timeout=25,
    # Calls may be in flight while no task runs.
    worker_enable_soft_shutdown_on_idle=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_max_tasks_per_child=10_000,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_transport="aegis_worker.broker:Transport",
    # As redis-py has it. ssl_cert_reqs in the URL wins.
    broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if _BROKER_URL.startswith("rediss://") else None,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Redis at maxmemory answers with an error that would otherwise end the worker.
    broker_channel_error_retry=True,
    broker_pool_limit=4,
    # Against a frozen Redis every wait is bounded; by default a publish blocks for ever.
    broker_transport_options={
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        "retry_on_timeout": False,
        "health_check_interval": 10,
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    },
    broker_pool_acquire_timeout=2,
    task_publish_retry=True,
    task_publish_retry_policy={
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
    beat_schedule={
        "sweep": _beat("maintenance.sweep", "maintenance", 5.0),
        "verify": _beat("payments.verify", "verify", 2.0),
        "outbox": _beat("outbox.drain", "outbox", 1.0),
        "webhooks": _beat("webhooks.deliver", "outbox", 1.0),
        "reconcile": _beat("maintenance.reconcile", "maintenance", 60.0),
        "recheck": _beat("maintenance.recheck", "maintenance", 15.0),
        "decisions": _beat("maintenance.decisions", "maintenance", 15.0),
        "audit": _beat("maintenance.audit", "maintenance", 60.0),
        "purge": _beat("maintenance.purge", "maintenance", 3600.0),
    },
)
