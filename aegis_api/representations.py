"""What the API shows of each object. One function per object, so that every route tells the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.datastructures import Headers

from aegis_worker.audit.incidents import Incident
from aegis_worker.domain.moments import rfc3339 as moment
from aegis_worker.domain.payment import Payment
from aegis_worker.ids import event_id
from aegis_worker.persistence.audit_log import Entry
from aegis_worker.persistence.delivery_rows import Delivery
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.jobs import StoredJob

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(body: Mapping[str, Any]) -> bytes:
    """The body as it goes out: UTF-8, the fields in the order given."""
    text = _encoder.encode(body)
    # An unpaired surrogate can only come from a refused request's own field name; escaped, it is still JSON.
    return text.encode("utf-8", "backslashreplace")


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    content = dumps(body)
    told = _Answer(content, status, headers, content_type="application/json")
    told.headers["Content-Length"] = str(len(content))
    return told


class _Answer(Response):
    """Whole, with headers that go out as they are: werkzeug would look for what it has to escape in them."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers."""
        return self.headers


def payment_body(payment: Payment, created_at: datetime, updated_at: datetime) -> dict[str, Any]:
    """A payment. Objects that the merchant gave come back in the order of their keys, as given or as stored."""
    path = f"/v1/payments/{payment.id}"
    return {
        "id": payment.id,
        "object": "payment",
        "amount": payment.amount.minor,
        "currency": payment.amount.currency,
        "reference": payment.reference,
        "state": payment.state.value,
        "certainty": payment.certainty,
        "capture_method": payment.capture_method,
        "payment_method": _sorted(payment.payment_method),
        "customer": _sorted(payment.customer),
        "description": payment.description,
        "return_url": payment.return_url,
        "metadata": _sorted(payment.metadata),
        "amounts": {
            "authorized": payment.authorized_minor,
            "captured": payment.captured_minor,
            "refunded": payment.refunded_minor,
        },
        "gateway": payment.gateway,
        "gateway_ref": payment.gateway_ref,
        "last_error": payment.last_error,
        "next_action": payment.next_action,
        "version": payment.version,
        "created_at": moment(created_at),
        "updated_at": moment(updated_at),
        "links": {"self": path, "events": f"{path}/events", "attempts": f"{path}/attempts"},
    }


def accepted_job_body(job_id: str) -> dict[str, Any]:
    """The job of a payment as of acceptance, which is all that the answer to the POST may depend on."""
    return {
        "id": job_id,
        "object": "job",
        "operation": "process",
        "status": "queued",
        "links": _job_links(job_id),
    }


def job_body(job: StoredJob) -> dict[str, Any]:
    """A job. `claims` counts the times it was taken up since it last made progress."""
    return {
        "id": job.id,
        "object": "job",
        "payment_id": job.payment_id,
        "operation": job.operation,
        "status": job.status,
        "run_at": moment(job.run_at),
        "claims": job.claim_count,
        "reason": job.reason,
        "result": job.result,
        "created_at": moment(job.created_at),
        "updated_at": moment(job.updated_at),
        "finished_at": _moment_or_none(job.finished_at),
        "links": {**_job_links(job.id), "payment": f"/v1/payments/{job.payment_id}"},
    }


def event_body(event: StoredEvent) -> dict[str, Any]:
    """An event, under the type and id that webhooks and streams carry too."""
    return {
        "id": event_id(event.payment_id, event.seq),
        "object": "event",
        "type": event.type.wire,
        "seq": event.seq,
        "payment_id": event.payment_id,
        "data": event.data,
        "created_at": moment(event.at),
    }


def attempt_body(attempt: StoredAttempt) -> dict[str, Any]:
    """An attempt: one call to one gateway, and what is known of its outcome."""
    return {
        "object": "attempt",
        "payment_id": attempt.payment_id,
        "operation": attempt.operation,
        "number": attempt.number,
        "gateway": attempt.gateway,
        "status": attempt.status,
        "gateway_ref": attempt.gateway_ref,
        "outcome": attempt.outcome,
        "decision": attempt.decision,
        "sends": attempt.sends,
        "checks": attempt.checks,
        "not_found_count": attempt.not_found_count,
        "latency_ms": None if attempt.latency_ms is None else round(attempt.latency_ms, 1),
        "sent_at": moment(attempt.sent_at),
        "answered_at": _moment_or_none(attempt.answered_at),
        "last_checked_at": _moment_or_none(attempt.last_checked_at),
    }


def endpoint_body(endpoint: Endpoint) -> dict[str, Any]:
    """A webhook endpoint. Its secret is shown only when it is made."""
    return {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "event_types": [kind.wire for kind in endpoint.event_types],
        "created_at": moment(endpoint.created_at),
        "resting_until": _moment_or_none(endpoint.resting_until),
    }


def delivery_body(delivery: Delivery) -> dict[str, Any]:
    """What became of one event at one endpoint; `log` has the latest tries, newest last."""
    return {
        "id": delivery.id,
        "object": "webhook_delivery",
        "event_id": event_id(delivery.payment_id, delivery.seq),
        "payment_id": delivery.payment_id,
        "endpoint_id": delivery.endpoint_id,
        "status": delivery.status,
        "tries": delivery.tries,
        "due_at": moment(delivery.due_at),
        "created_at": moment(delivery.created_at),
        "delivered_at": _moment_or_none(delivery.delivered_at),
        "log": [{**entry, "at": moment(datetime.fromisoformat(entry["at"]))} for entry in delivery.log],
    }


def audit_entry_body(entry: Entry) -> dict[str, Any]:
    """An entry of the audit log; hashes in hexadecimal digits."""
    return {
        "object": "audit_log_entry",
        "seq": entry.seq,
        "at": moment(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "payment_id": entry.payment_id,
        "details": entry.details,
        "previous_hash": entry.previous_hash.hex(),
        "hash": entry.hash.hex(),
    }


def incident_body(incident: Incident) -> dict[str, Any]:
    """What the audit found."""
    return {
        "id": incident.id,
        "object": "incident",
        "invariant": incident.invariant,
        "payment_id": incident.payment_id,
        "looked": incident.looked,
        "summary": incident.summary,
        "evidence": incident.evidence,
        "found_at": moment(incident.found_at),
        "last_seen_at": moment(incident.last_seen_at),
        "resolved_at": _moment_or_none(incident.resolved_at),
    }


def list_body(data: Sequence[Mapping[str, Any]], next_cursor: str | None) -> dict[str, Any]:
    """One page of a list. `next_cursor` goes into `starting_after` of the next call."""
    return {"data": list(data), "has_more": next_cursor is not None, "next_cursor": next_cursor}


def _moment_or_none(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def _sorted(given: Mapping[str, Any]) -> dict[str, Any]:
    # jsonb keeps an order of its own; without this a replay would spell the same answer differently.
    return {name: given[name] for name in sorted(given)}


def _job_links(job_id: str) -> dict[str, str]:
    return {"self": f"/v1/jobs/{job_id}"}
