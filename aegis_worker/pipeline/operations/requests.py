"""The calls of an operation: what is sent, and which steps of a charge are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.changes import OpenAttempt
from aegis_worker.domain.charges import last_hop
from aegis_worker.domain.entities import EntityChange, order_in
from aegis_worker.domain.gateway_keys import gateway_key, is_ordered
from aegis_worker.domain.instruments import as_seen_by
from aegis_worker.domain.outcomes import CHARGING_STEPS, Operation, charges
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.screening import demands_three_ds
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.pipeline.work import Send, Work


@cache
def steps_from(operation: Operation, steps: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """This step of a charge and those that come after it; it may be none of `steps` any more, after an upgrade."""
    if operation in steps:
        return steps[steps.index(operation) :]
    order = list(Operation)
    return operation, *(step for step in steps if order.index(step) > order.index(operation))


def new_call(
    work: Work,
    operation: Operation,
    number: int,
    gateway: str,
    *,
    account: str | None,
    decision: Mapping[str, Any],
    facts: Sequence[Fact] = (),
    entities: tuple[EntityChange, ...] = (),
) -> Send:
    """A new attempt and its call. `decision`: why it is made. `account`: at the gateway; None if it has no name."""
    request = request_for(work, operation, number, gateway)
    opened = OpenAttempt(
        operation=operation,
        number=number,
        gateway=gateway,
        gateway_key=request.idempotency_key,
        request_hash=request.fingerprint(),
        decision=decision,
        account=account,
    )
    return Send(opened, request, list(facts), entities)


def request_for(work: Work, operation: Operation, number: int, gateway: str) -> GatewayRequest:
    """The call to this gateway, built from immutable facts only, so that building it again gives the same body."""
    payment, terms = work.payment, work.payment.terms
    method = as_seen_by(terms.payment_method, gateway)
    order = order_in(work.job.request)
    if order is not None and is_ordered(number):
        return GatewayRequest(
            operation=operation,
            payment_id=payment.id,
            idempotency_key=gateway_key(payment.id, operation, number),
            terms=replace(terms, amount=order.money(terms.amount.currency), payment_method=method),
            gateway_ref=payment.gateway_ref,
            final=order.final,
        )
    is_confirm = operation is Operation.CONFIRM
    hop = last_hop(work.attempts) if is_confirm else number
    earlier = [
        attempt
        for attempt in work.attempts
        if attempt.number == hop and attempt.operation != operation and attempt.operation in CHARGING_STEPS
    ]
    return GatewayRequest(
        operation=operation,
        payment_id=payment.id,
        idempotency_key=gateway_key(payment.id, operation, number),
        terms=terms if method is terms.payment_method else replace(terms, payment_method=method),
        payer=_shown_payer(work, operation, gateway),
        gateway_ref=next((attempt.gateway_ref for attempt in reversed(earlier) if attempt.gateway_ref), None),
        confirm=work.job.confirm if is_confirm else None,
        vaulted=OpenCard.of(method) if charges(operation) and is_vaulted(method) else None,
        three_ds=payment.screening is not None and operation in CHARGING_STEPS and demands_three_ds(payment),
    )


def _shown_payer(work: Work, operation: Operation, gateway: str) -> Payer | None:
    """Of who pays, what this gateway takes, and only where it is to be charged."""
    if work.job.payer is None or operation not in CHARGING_STEPS:
        return None
    return work.job.payer.only(work.route.capabilities[gateway].payer)
