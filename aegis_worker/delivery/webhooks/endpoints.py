"""A merchant's endpoints and what was delivered to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from aegis_worker import ids
from aegis_worker.domain.hosts import is_hook_url
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import DuplicateEndpoint, NotFound
from aegis_worker.persistence import endpoint_rows, merchant_deliveries
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.persistence.merchant_deliveries import Delivery
from aegis_worker.settings import Settings

from .addresses import EndpointRefused, Target, parse_target
from .signing import endpoint_secret

MAX_ENDPOINTS = 16
_BY_WIRE_NAME = {event_type.wire: event_type for event_type in EventType}


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """A new endpoint, and the secret (`whsec_…`) with which its merchant checks signatures."""

    endpoint: Endpoint
    secret: str = field(repr=False)


def create_endpoint(
    database: Database, settings: Settings, owner: Owner, url: str, event_types: Sequence[str]
) -> EndpointWithSecret:
    """Have the owner's events from now on posted to `url`; no `event_types` (such as `payment.succeeded`) means all.

    Raises EndpointRefused for a URL that webhooks may not go to, an unknown type, or one endpoint too many, and
    DuplicateEndpoint where an active one posts some of these events there already.
    """
    target = parse_target(url, allow_private=settings.webhook_allow_private)
    if not is_hook_url(url):  # endpoints that were registered before this check are still posted to
        raise EndpointRefused("the URL must be written as https://host:port/path")
    unknown = [name for name in event_types if name not in _BY_WIRE_NAME]
    if unknown:
        raise EndpointRefused(f"unknown event type {unknown[0]!r}; known are {', '.join(_BY_WIRE_NAME)}")
    wanted = [_BY_WIRE_NAME[name] for name in dict.fromkeys(event_types)]
    new_id = ids.new_id(ids.ENDPOINT)

    def insert(connection: Connection) -> Endpoint | None:
        endpoint = endpoint_rows.insert(
            connection,
            id=new_id,
            owner=owner,
            url=url,
            event_types=wanted,
            most=MAX_ENDPOINTS,
        )
        # A request that registers the same endpoint at this moment waits for our lock, or we have waited for its lock.
        for other in endpoint_rows.of_owner(connection, owner, limit=MAX_ENDPOINTS):
            if other.id != new_id and _overlap(other.event_types, wanted) and _leads_to(other, target):
                raise DuplicateEndpoint(other.id)
        return endpoint

    endpoint = database.run(insert)
    if endpoint is None:
        raise EndpointRefused(f"there are already {MAX_ENDPOINTS} endpoints; disable one first")
    return EndpointWithSecret(
        endpoint, endpoint_secret(settings.secret, endpoint.id, endpoint.secret_version)
    )


def _overlap(one: Sequence[EventType], other: Sequence[EventType]) -> bool:
    return not one or not other or not set(one).isdisjoint(other)


def _leads_to(endpoint: Endpoint, target: Target) -> bool:
    try:
        return parse_target(endpoint.url, allow_private=True) == target
    except EndpointRefused:
        return False


def list_endpoints(database: Database, owner: Owner) -> list[Endpoint]:
    """The owner's active endpoints, oldest first."""
    with database.read() as connection:
        return endpoint_rows.of_owner(connection, owner, limit=MAX_ENDPOINTS)


def disable_endpoint(database: Database, owner: Owner, endpoint_id: str) -> None:
    """Post nothing more to an endpoint; what it has not got is cancelled. Raises NotFound, also when already disabled."""
    if not database.run(partial(endpoint_rows.disable, ids=[endpoint_id], owner=owner)):
        raise NotFound(f"no active webhook endpoint {endpoint_id}")


def list_deliveries(
    database: Database,
    owner: Owner,
    *,
    payment_id: str | None = None,
    status: str | None = None,
    limit: int,
    starting_after: str | None = None,
) -> list[Delivery]:
    """Up to `limit` of the owner's deliveries, newest first, after the one with the id `starting_after`."""
    with database.read() as connection:
        return merchant_deliveries.of_owner(
            connection,
            owner,
            payment_id=payment_id,
            status=status,
            limit=limit,
            starting_after=starting_after,
        )


@dataclass(frozen=True, slots=True)
class Redelivery:
    """To how many endpoints an event is posted again, and if to none, why."""

    deliveries: int
    reason: str | None


def redeliver(database: Database, owner: Owner, event_id: str) -> int:
    """Have one event posted again to each active endpoint that wants it, whatever became of it before; returns to how many.

    Also to endpoints that are newer than the event. Its tries start again. Raises NotFound for an event of nobody or of
    another owner.
    """
    return redelivery(database, owner, event_id).deliveries


def redelivery(database: Database, owner: Owner, event_id: str) -> Redelivery:
    """As `redeliver`, with the reason where nobody gets it."""
    place = ids.parse_event_id(event_id)

    def again(connection: Connection) -> Redelivery | None:
        if place is None:
            return None
        payment_id, seq = place
        count = merchant_deliveries.deliver_again(connection, owner, payment_id, seq)
        if count is None:
            return None
        reason = None if count else merchant_deliveries.nobody_because(connection, owner, payment_id, seq)
        return Redelivery(count, reason)

    made = database.run(again)
    if made is None:
        raise NotFound(f"no event {event_id}")
    return made
