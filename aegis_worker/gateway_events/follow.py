"""Follow kept events: find the payment of each, and have its gateway asked where the event may tell something new."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.crash_points import crash_point
from aegis_worker.domain.gateway_events import ClaimedEvent, Followed, Matched
from aegis_worker.domain.gateway_keys import named_by
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Notifier
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.asking import ask_now, is_held, recheck_now, sync_now
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import charge_is_settled, check_now, open_checks
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges

from .decide import asked, behind_a_job, decide, is_of_given_up
from .disputes import ask_about, of_event

log = structlog.get_logger(__name__)

_BATCH, _BUDGET_S = 100, 5.0


@dataclass(frozen=True, slots=True)
class FollowParts:
    """What following works with."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    hints: Notifier
    exchanges: Exchanges = NOTHING_KEPT


def follow(parts: FollowParts) -> dict[str, int]:
    """Follow what is due until nothing is, or the budget is spent.

    Returns how many were claimed, and how many ended in each status.
    """
    counts: Counter[str] = Counter(claimed=0)
    stop_at = time.monotonic() + _BUDGET_S
    while time.monotonic() < stop_at:
        claimed, found = parts.database.run(_claim)
        if not claimed:
            break
        crash_point("event_inbox.claimed")
        counts["claimed"] += len(claimed)
        counts.update(_follow(parts, claimed, found))
        if len(claimed) < _BATCH:
            break  # What came meanwhile has a hint of its own, and following it with more costs no more.
    if counts["followed"]:
        parts.hints.notify("verify")
    return dict(counts)


def _claim(connection: Connection) -> tuple[list[ClaimedEvent], list[Matched | None]]:
    claimed = gateway_event_rows.claim(connection, limit=_BATCH)
    places = [named_by(event.reference or "") for event in claimed]
    return claimed, gateway_event_rows.match(connection, claimed, places) if claimed else []


def _follow(parts: FollowParts, claimed: list[ClaimedEvent], found: list[Matched | None]) -> list[str]:
    """Those that ask for nothing are settled together; each of the others in a transaction with what it asks for, or, if it
    is about a dispute, with what the gateway says of that.
    """
    modes = {name: gateway.config.mode for name, gateway in parts.gateways.items()}
    decided = [
        (decide(event, matched, modes.get(event.gateway)), matched)
        for event, matched in zip(claimed, found, strict=True)
    ]
    quiet = [followed for followed, _ in decided if followed.status != "followed"]
    if quiet:
        parts.database.run(partial(gateway_event_rows.settle, followed=quiet))
    asking = [(one, matched) for one, matched in decided if one.status == "followed" and matched is not None]
    about_payments = [_ask(parts, one, matched) for one, matched in asking if one.claimed.dispute_ref is None]
    disputes = [
        of_event(one.claimed, matched) for one, matched in asking if one.claimed.dispute_ref is not None
    ]
    answered = ask_about(parts.database, parts.gateways, disputes, parts.exchanges)
    return [one.status for one in [*quiet, *about_payments]] + answered


def _ask(parts: FollowParts, followed: Followed, matched: Matched) -> Followed:
    """Have the gateway asked. What PostgreSQL refuses is tried again when the event's lease ends, and holds up no other."""
    gateway = parts.gateways.get(followed.claimed.gateway)
    is_told_only = gateway is not None and gateway.capabilities.tells_by_events_alone
    try:
        followed = parts.database.run(
            partial(_asked, followed=followed, matched=matched, is_told_only=is_told_only)
        )
    except DBAPIError:
        log.exception("a gateway's event can't be followed", gateway=followed.claimed.gateway)
        return followed
    crash_point("event_inbox.followed")
    return followed


def _asked(connection: Connection, followed: Followed, matched: Matched, *, is_told_only: bool) -> Followed:
    became = _have_asked(connection, followed, matched)
    if is_told_only and is_held(connection, matched.payment_id):
        # What its gateway told may have been read before this event was there, and is not read again by itself.
        became = behind_a_job(followed.claimed, matched)
    gateway_event_rows.settle(connection, [became])
    return became


def _have_asked(connection: Connection, followed: Followed, matched: Matched) -> Followed:
    what = asked(followed.claimed, matched)
    if what == "charged":
        is_asked = sync_now(connection, matched.payment_id)
        if is_asked and matched.number is not None and is_of_given_up(matched):
            # The sync may not be shown it yet, so it is looked for anew.
            recheck_now(connection, [(matched.payment_id, matched.number, None)])
        return followed if is_asked else behind_a_job(followed.claimed, matched)
    if what == "settled":
        charge_is_settled(connection, matched.payment_id)
        open_checks(connection, limit=_BATCH)
        return followed
    if what == "order" and matched.order is not None:
        check_now(connection, matched.order)
        open_checks(connection, limit=_BATCH)
    if what == "given_up" and matched.number is not None:
        recheck_now(connection, [(matched.payment_id, matched.number, None)])
    ask_now(connection, matched.payment_id)
    return followed
