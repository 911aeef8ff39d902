"""Follow kept events: find the payment of each, and have its gateway asked where the event may tell something new."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.entities import UNSETTLED
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed, Matched
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import Operation
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Notifier
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.asking import ask_now, recheck_now, sync_now, tell_job
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import charge_is_settled, check_now, open_checks

from .decide import behind_a_job, decide, is_about_a_charge_given_up, is_about_what_was_charged
from .disputes import ask_about, of_event

log = structlog.get_logger(__name__)

_BATCH, _BUDGET_S = 100, 5.0

Asked = Callable[[Connection, Followed, Matched], Followed]


@dataclass(frozen=True, slots=True)
class FollowParts:
    """What following works with."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    hints: Notifier


def follow(parts: FollowParts) -> dict[str, int]:
    """Follow what is due until nothing is, or the budget is spent.

    Returns how many were claimed, and how many ended in each status.
    """
    counts: Counter[str] = Counter(claimed=0)
    stop_at = time.monotonic() + _BUDGET_S
    while time.monotonic() < stop_at:
        claimed = parts.database.run(partial(gateway_event_rows.claim, limit=_BATCH))
        if not claimed:
            break
        crash_point("event_inbox.claimed")
        counts["claimed"] += len(claimed)
        counts.update(_follow(parts, claimed))
    if counts["followed"]:
        parts.hints.notify("verify")
    return dict(counts)


def _follow(parts: FollowParts, claimed: list[ClaimedEvent]) -> list[str]:
    """Those that ask for nothing are settled together; each of the others in a transaction with what it asks for, or, if it
    is about a dispute, with what the gateway says of that.
    """
    places = [parse_gateway_key(event.reference or "") for event in claimed]
    with parts.database.read() as connection:
        found = gateway_event_rows.match(connection, claimed, places)
    decided = [(decide(event, matched), matched) for event, matched in zip(claimed, found, strict=True)]
    quiet = [followed for followed, _ in decided if followed.status != "followed"]
    if quiet:
        parts.database.run(partial(gateway_event_rows.settle, followed=quiet))
    asking = [(one, matched) for one, matched in decided if one.status == "followed" and matched is not None]
    about_payments = [_ask(parts, one, matched) for one, matched in asking if one.claimed.dispute_ref is None]
    disputes = [
        of_event(one.claimed, matched) for one, matched in asking if one.claimed.dispute_ref is not None
    ]
    answered = ask_about(parts.database, parts.gateways, disputes)
    return [one.status for one in [*quiet, *about_payments]] + answered


def _ask(parts: FollowParts, followed: Followed, matched: Matched) -> Followed:
    """Have the gateway asked, or its event believed where it can't be asked.

    What PostgreSQL refuses is tried again when the event's lease ends, and holds up no other.
    """
    try:
        is_evidence = _is_evidence(parts.gateways.get(followed.claimed.gateway), followed.claimed, matched)
        asked = _handed_over if is_evidence else _have_asked
        followed = parts.database.run(partial(_asked, asked=asked, followed=followed, matched=matched))
    except DBAPIError:
        log.exception("a gateway's event can't be followed", gateway=followed.claimed.gateway)
        return followed
    crash_point("event_inbox.followed")
    return followed


def _asked(connection: Connection, asked: Asked, followed: Followed, matched: Matched) -> Followed:
    became = asked(connection, followed, matched)
    gateway_event_rows.settle(connection, [became])
    return became


def _is_evidence(gateway: PaymentGateway | None, event: ClaimedEvent, matched: Matched) -> bool:
    """Whether nothing but the event can tell: its gateway can't be asked about what it shows."""
    if gateway is None or event.movement is None:
        return False
    about = event.movement.operation if matched.order_status in UNSETTLED else Operation.PROCESS
    return about not in gateway.capabilities.look_ups


def _handed_over(connection: Connection, followed: Followed, matched: Matched) -> Followed:
    """The event is handed to the job that it concerns, which writes down what it tells."""
    order = matched.order if matched.order_status in UNSETTLED else None
    if order is not None:
        check_now(connection, order)
        open_checks(connection, limit=_BATCH)
    else:
        sync_now(connection, matched.payment_id)
    movement = followed.claimed.movement
    is_told = movement is not None and tell_job(connection, matched.payment_id, order, movement)
    return followed if is_told else behind_a_job(followed.claimed, matched)


def _have_asked(connection: Connection, followed: Followed, matched: Matched) -> Followed:
    if matched.order is not None and matched.order_status in UNSETTLED:
        # Its own job asks about it.
        check_now(connection, matched.order)
        open_checks(connection, limit=_BATCH)
    elif followed.claimed.kind == "payment.settled":
        charge_is_settled(connection, matched.payment_id)
        open_checks(connection, limit=_BATCH)
        return followed
    elif is_about_what_was_charged(matched):
        is_asked = sync_now(connection, matched.payment_id)
        return followed if is_asked else behind_a_job(followed.claimed, matched)
    elif is_about_a_charge_given_up(matched) and matched.number is not None:
        # The payment's job asks only about the charge that it works on. A charge that was given up needs a recheck.
        recheck_now(connection, [(matched.payment_id, matched.number)])
    ask_now(connection, matched.payment_id)
    return followed
