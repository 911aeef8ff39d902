"""What operators do about webhooks of any merchant: have an event posted again, and try an endpoint with a test event."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from aegis_worker import ids
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import NotFound
from aegis_worker.persistence import audit_log, merchant_deliveries
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings

from .endpoints import Redelivery
from .schedule import Answer, Answered
from .sender import HttpSender
from .signing import ID, SIGNATURE, TIMESTAMP, endpoint_secret, sign

TEST_EVENT = "test"
_OWNER = "SELECT merchant_id, mode FROM payments WHERE id = %(payment_id)s"
_ENDPOINT = (
    "SELECT url, secret_version, merchant_id FROM webhook_endpoints WHERE id = %(id)s AND disabled_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What an endpoint answered to a test event: its status and the beginning of its body, or why there is no answer."""

    endpoint_id: str
    event_id: str
    at: datetime
    took_ms: float
    answer: Answer

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint took it, as it would an event."""
        return isinstance(self.answer, Answered) and 200 <= self.answer.status < 300


def redeliver_any(database: Database, event_id: str, *, actor: str) -> Redelivery:
    """Have an event of any merchant posted again, as its merchant could; kept in the audit log. Raises NotFound."""
    place = ids.parse_event_id(event_id)

    def again(connection: Connection) -> Redelivery | None:
        if place is None:
            return None
        payment_id, seq = place
        owner = connection.exec_driver_sql(_OWNER, {"payment_id": payment_id}).one_or_none()
        if owner is None:
            return None
        whose = Owner(owner.merchant_id, owner.mode)
        count = merchant_deliveries.deliver_again(connection, whose, payment_id, seq)
        if count is None:
            return None
        reason = None if count else merchant_deliveries.nobody_because(connection, whose, payment_id, seq)
        details = {"event_id": event_id, "deliveries": count}
        audit_log.append(
            connection, actor=actor, action="event.redelivered", payment_id=payment_id, details=details
        )
        return Redelivery(count, reason)

    made = database.run(again)
    if made is None:
        raise NotFound(f"no event {event_id}")
    return made


def send_test_event(
    database: Database, sender: HttpSender, settings: Settings, endpoint_id: str, *, actor: str
) -> Tried:
    """Post a test event to an active endpoint of any merchant, once, and wait for its answer.

    It is signed as any event and has the type `test`, no payment and no `seq`; it is tried once and stored nowhere. The
    audit log keeps who sent it. No transaction is open meanwhile. Raises NotFound.
    """
    with database.read() as connection:
        endpoint = connection.exec_driver_sql(_ENDPOINT, {"id": endpoint_id}).one_or_none()
    if endpoint is None:
        raise NotFound(f"no active webhook endpoint {endpoint_id}")
    at, event_id = datetime.now(UTC), ids.new_id("test")
    told = {
        "id": event_id,
        "type": TEST_EVENT,
        "created_at": rfc3339(at),
        "data": {
            "endpoint_id": endpoint_id,
            "note": "sent by an operator, to see whether this endpoint answers",
        },
    }
    body, now_s = json.dumps(told, separators=(",", ":")).encode(), int(time.time())
    secret = endpoint_secret(settings.secret, endpoint_id, endpoint.secret_version)
    headers = {ID: event_id, TIMESTAMP: str(now_s), SIGNATURE: sign(secret, event_id, now_s, body)}
    began = time.monotonic()
    answer = sender.post(endpoint.url, headers, body)
    tried = Tried(endpoint_id, event_id, at, (time.monotonic() - began) * 1000, answer)
    details = {
        "endpoint_id": endpoint_id,
        "merchant_id": endpoint.merchant_id,
        "event_id": event_id,
        "taken": tried.is_taken,
    }
    database.run(
        lambda connection: audit_log.append(
            connection, actor=actor, action="webhook_endpoint.tested", details=details
        )
    )
    return tried
