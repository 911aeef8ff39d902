"""Ordering a capture, cancel or refund over HTTP: what their routes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, request

from aegis_api.http.answers import answer
from aegis_api.http.idempotency import idempotency_key
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, known_form
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.ordering import Able
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.intake import OrderCommand, order
from aegis_worker.queries import jobs
from aegis_worker.queries.entities import ORDERED, get_one
from aegis_worker.strict_json import request_hmac
from aegis_worker.views.entities import entity_body
from aegis_worker.views.jobs import job_body


def ordered(kind: EntityKind, payment_id: str, body: Mapping[str, Any]) -> Response:
    """Accept the order, or replay what was accepted under its key, and answer with the entity as it stands."""
    web, payment_id = parts().web, known_form(payment_id, PAYMENT)
    route = f"POST {request.path}"
    command = OrderCommand(
        kind,
        g.owner,
        payment_id,
        idempotency_key(),
        request_hmac(web.settings.secret, route, body),
        body.get("amount"),
        body.get("final"),
        body.get("force", False),
        g.trail,
    )
    accepted = order(web.database, command, _able)
    if accepted.job_id is not None:
        web.hints.notify("payments")
    with web.database.read() as connection:
        stored = get_one(connection, ORDERED[kind], g.owner, accepted.id)
        job = accepted.job_id and jobs.get_job(connection, g.owner, accepted.job_id)
    if stored is None:
        raise NotFound(NOTHING_HERE)
    replayed = {"Idempotent-Replayed": "true"} if accepted.replayed else {}
    where = {"Location": f"/v1/{kind}s/{accepted.id}", "Retry-After": "1"}
    return answer({**entity_body(stored), "job": job_body(job) if job else None}, 202, where | replayed)


def _able(gateway: str) -> Able | None:
    configured = parts().web.gateways().get(gateway)
    return None if configured is None else configured.capabilities
