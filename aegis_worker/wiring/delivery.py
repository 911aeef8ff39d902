"""Wires delivery: the sinks that events go to, and the sender of webhooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from redis import Redis

from aegis_worker.delivery.changes import ChangesFanOut
from aegis_worker.delivery.drain import DrainReport, drain
from aegis_worker.delivery.listeners.deliver import LONGEST_S, HookDelivery
from aegis_worker.delivery.listeners.fan_out import HookFanOut
from aegis_worker.delivery.listeners.listening import Listening
from aegis_worker.delivery.listeners.numbers import MetricsHooks
from aegis_worker.delivery.sink import Sink
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.webhooks.deliver import DeliveryReport, deliver_due
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.hints import Hints, NoHints
from aegis_worker.hooks import Hooks
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings

# A run of the drain is short, so that a worker can be stopped. One endpoint may take a quarter of a batch of webhooks;
# in a smaller batch that would be too few, and its lanes would wait for the next claim.
_OUTBOX_BATCH, _WEBHOOK_BATCH, _BUDGET_S = 500, 2048, 5.0
# Half of it is for those that wait for their turn.
_HOOK_LEASE_S = 2 * LONGEST_S


def sinks(settings: Settings, redis: Redis, hooks: Hooks) -> list[Sink]:
    """The sinks that events go to. Add a new sink here."""
    stream = EventStream(redis, maxlen=settings.stream_maxlen)
    sinks = [WebhookFanOut(), stream, HookFanOut(hooks), MetricsHooks(hooks)]
    return [*sinks, ChangesFanOut()] if settings.projections else sinks


def hook_delivery(settings: Settings, database: Database, hooks: Hooks) -> Listening:
    """Tells the hooks that listen."""
    delivery = HookDelivery(database, hooks, lease_s=_HOOK_LEASE_S, max_tries=settings.webhook_max_tries)
    return Listening(delivery, hooks.close)


def webhook_sender(settings: Settings) -> HttpSender:
    """The sender that posts webhooks."""
    return HttpSender(
        timeout_s=settings.webhook_timeout_s,
        allow_private=settings.webhook_allow_private,
        ca_bundle=settings.ca_bundle,
    )


def outbox_drain(
    settings: Settings, database: Database, redis: Redis, hints: Hints | NoHints, hooks: Hooks
) -> Callable[[], DrainReport]:
    """Hands what the outbox holds to the sinks. Raises DatabaseUnavailable."""
    return partial(
        drain,
        database,
        sinks(settings, redis, hooks),
        limit=_OUTBOX_BATCH,
        lease_s=settings.outbox_lease_s,
        budget_s=_BUDGET_S,
        fanned_out=partial(hints.notify, "webhooks"),
    )


def webhook_delivery(
    settings: Settings, database: Database, sender: HttpSender
) -> Callable[..., DeliveryReport]:
    """Posts the webhooks that are due; takes `leave` as `deliver_due` does. Raises DatabaseUnavailable."""
    return partial(
        deliver_due,
        database,
        sender,
        settings,
        limit=_WEBHOOK_BATCH,
        lease_s=settings.outbox_lease_s,
        budget_s=_BUDGET_S,
    )
