"""Examples of captures and refunds, rendered by the same functions as real answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from aegis_api.jobs.examples import A_JOB
from aegis_worker.domain.entities import Entity, EntityKind, EntityStatus, Order
from aegis_worker.queries.entities import StoredEntity
from aegis_worker.views.entities import entity_body
from aegis_worker.views.jobs import job_body

CAPTURE_REQUEST: Mapping[str, Any] = {"amount": 1200, "final": False}
REFUND_REQUEST: Mapping[str, Any] = {"amount": 500}
_CAPTURED = Entity(
    Order(EntityKind.CAPTURE, "cap_0199a7c5a0f47d5a8f0e6b1c2d3e4f52", 1, 1200),
    payment_id=A_JOB.payment_id,
    currency="USD",
    status=EntityStatus.SUCCEEDED,
    gateway="sandbox_a",
    gateway_ref="ch_8c1f",
)
_REFUNDED = replace(
    _CAPTURED,
    order=Order(EntityKind.REFUND, "ref_0199a7c5a0f47d5a8f0e6b1c2d3e4f53", 1, 500),
    gateway_ref="re_27b0",
)
_VOIDED = replace(_CAPTURED, order=Order(EntityKind.VOID, "voi_0199a7c5a0f47d5a8f0e6b1c2d3e4f54", 1, 1999))


def _settled(entity: Entity) -> dict[str, Any]:
    return entity_body(StoredEntity(entity, A_JOB.created_at, A_JOB.updated_at))


def _accepted(entity: Entity) -> dict[str, Any]:
    asked = replace(entity, status=EntityStatus.REQUESTED, gateway=None, gateway_ref=None)
    job = replace(
        A_JOB,
        operation=entity.order.kind.value,
        status="queued",
        result=None,
        updated_at=A_JOB.created_at,
        finished_at=None,
    )
    return {**entity_body(StoredEntity(asked, A_JOB.created_at, A_JOB.created_at)), "job": job_body(job)}


CAPTURE, ORDERED_CAPTURE = _settled(_CAPTURED), _accepted(_CAPTURED)
REFUND, ORDERED_REFUND = _settled(_REFUNDED), _accepted(_REFUNDED)
VOID, ORDERED_VOID = _settled(_VOIDED), _accepted(_VOIDED)
