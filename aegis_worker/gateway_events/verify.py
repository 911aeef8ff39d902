"""Verify webhooks that the web process could not: fetch what vouches for them, and keep the events of the genuine ones."""

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
from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.errors import CannotUnseal, InvalidWebhook
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.persistence import unverified_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.unverified_rows import Unverified
from aegis_worker.sealing.ring import KeyRing

from .receive import keeping
from .unverified import opened

log = structlog.get_logger(__name__)

_BATCH, _BUDGET_S = 50, 5.0
# Whose certificate does not come within this time is not waited for again in the same turn.
_SILENT_AFTER_S = 0.5


@dataclass(frozen=True, slots=True)
class VerifyParts:
    """What verifying works with. `ring` opens what the web process has sealed."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    ring: KeyRing


def verify(parts: VerifyParts) -> dict[str, int]:
    """Verify what waits until nothing does, or the budget is spent.

    Returns how many were genuine, forged, or stay unverified, because their certificate can't be had now.
    """
    counts: Counter[str] = Counter()
    silent: set[str] = set()
    stop_at = time.monotonic() + _BUDGET_S
    while time.monotonic() < stop_at:
        claimed = parts.database.run(partial(unverified_rows.claim, limit=_BATCH))
        for one in claimed:
            began_s = time.monotonic()
            if began_s >= stop_at or one.gateway in silent:
                continue  # due again when its lease ends
            became = _verified(parts, one)
            counts[became] += 1
            if became == "unverified" and time.monotonic() - began_s > _SILENT_AFTER_S:
                silent.add(one.gateway)
        if len(claimed) < _BATCH:
            break
    if counts["forged"]:
        log.warning("webhooks refused that nobody vouches for", count=counts["forged"])
    return dict(counts)


def _verified(parts: VerifyParts, one: Unverified) -> str:
    """What became of it: genuine, forged or unverified. Whatever stays is due again when its lease ends."""
    gateway = parts.gateways.get(one.gateway)
    if gateway is None:
        return "unverified"
    try:
        headers, body = opened(unverified_rows.content_of(parts.ring, one))
        events = gateway.verify_webhook(headers, body, one.received_at)
        if isinstance(events, NotSent | Unknown):
            log.warning("webhook not verified yet", gateway=one.gateway, reason=events.reason)
            return "unverified"
        keep = keeping(gateway, parts.ring, events, body)
    except InvalidWebhook as problem:
        log.info("webhook refused", gateway=one.gateway, reason=str(problem))
        parts.database.run(partial(unverified_rows.forget, one=one))
        return "forged"
    except CannotUnseal as problem:
        log.error("webhook can't be opened", gateway=one.gateway, reason=str(problem))
        return "unverified"

    def kept(connection: Connection) -> bool:
        return unverified_rows.forget(connection, one=one) and keep(connection)

    try:
        is_new = parts.database.run(kept)
    except DBAPIError:
        log.exception("a verified event can't be kept", gateway=one.gateway)
        return "unverified"
    if is_new:
        crash_point("gateway_event.committed")
    return "genuine"
