"""The Celery application: settings only. A message carries no facts; it means "look at the jobs table" (design D1)."""

from __future__ import annotations

import os
import ssl
from typing import Any

import structlog
from celery import Celery, Task, signals
from celery.utils.log import get_multiprocessing_logger
from kombu import Exchange, Queue

from aegis_worker.errors import OperatorError, Retryable
from aegis_worker.observability.logs import configure_logs, form_of, level_of, log_the_uncaught
from aegis_worker.store_urls import broker_url

log = structlog.get_logger(__name__)

QUEUES = ("payments", "verify", "outbox", "maintenance")

# By queue, the name of the task that looks for its due work in the database.
TASK_OF = {
    "payments": "payments.run",
    "verify": "payments.verify",
    "outbox": "outbox.drain",
    "webhooks": "webhooks.deliver",
    "gateway_events": "gateway_events.follow",
}
QUEUE_OF = {
    "payments": "payments",
    "verify": "verify",
    "outbox": "outbox",
    "webhooks": "outbox",
    "gateway_events": "verify",
}


# Send no hint or tick to a queue in which this many wait: then no worker runs, or workers are behind, and another message
# would tell them nothing new. Messages are bounded by their number and not by an expiry time, because an expiry compares
# the clocks of two hosts: everything that a host with a late clock sends would be thrown away.
ENOUGH_WAIT = 50


def _beat(task: str, queue: str, every_s: float) -> dict[str, Any]:
    return {"task": task, "schedule": every_s, "options": {"queue": queue}}


class HintedTask(Task):
    """A task that looks at a table. What it can't do now stays due and is found by a later look, so these errors are only
    logged, as one line each: a database that is away, and what an operator has to change.
    """

    abstract = True
    throws = (Retryable, OperatorError)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log an expected error as a warning, because Celery logs those of `throws` at INFO, which nobody sees."""
        if isinstance(exc, self.throws):
            log.warning("put off", task=self.name, error=str(exc))


# Celery warns of root before it sets up logging, and the first signal comes before that.
@signals.celeryd_init.connect
@signals.setup_logging.connect
def _setup_logs(**_: Any) -> None:
    # Because this signal has a receiver, Celery leaves logging, standard output and standard error alone. Otherwise it
    # would replace the latter two by objects that drop a line which is written while another line is being written. Our
    # own log handler writes just such lines, so all logs would be lost.
    configure_logs(level_of(os.environ), form_of(os.environ))
    log_the_uncaught()
    # The process pool reports children that died to this logger, which by default passes nothing on.
    get_multiprocessing_logger().propagate = True


_BROKER_URL = broker_url()

app = Celery("aegis", broker=_BROKER_URL, task_cls=HintedTask)
app.conf.update(
    include=[
        "aegis_worker.tasks.payments",
        "aegis_worker.tasks.outbox",
        "aegis_worker.tasks.gateway_events",
        "aegis_worker.tasks.maintenance",
    ],
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
    # Calls may be in flight while no task runs, so a worker that looks idle must not stop at once.
    worker_enable_soft_shutdown_on_idle=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_max_tasks_per_child=10_000,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_consumer="aegis_worker.consumer:Consumer",
    broker_transport="aegis_worker.broker:Transport",
    # Check the server's certificate, as redis-py does by default. `ssl_cert_reqs` in the URL overrides it.
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
    result_expires=None,  # no results are kept, so there are none to clean up once a day
    beat_scheduler="aegis_worker.beat:TickScheduler",
    beat_schedule={
        "sweep": _beat("maintenance.sweep", "maintenance", 5.0),
        "verify": _beat("payments.verify", "verify", 2.0),
        "gateway_events": _beat("gateway_events.follow", "verify", 2.0),
        "outbox": _beat("outbox.drain", "outbox", 1.0),
        "webhooks": _beat("webhooks.deliver", "outbox", 1.0),
        "reconcile": _beat("maintenance.reconcile", "maintenance", 60.0),
        "recheck": _beat("maintenance.recheck", "maintenance", 15.0),
        "disputes": _beat("maintenance.disputes", "maintenance", 60.0),
        "decisions": _beat("maintenance.decisions", "maintenance", 15.0),
        "audit": _beat("maintenance.audit", "maintenance", 60.0),
        "gauges": _beat("maintenance.gauges", "maintenance", 15.0),
        "projections": _beat("maintenance.projections", "maintenance", 5.0),
        "purge": _beat("maintenance.purge", "maintenance", 3600.0),
    },
)
