"""Ask the gateways about charges before a person's decision takes effect."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.charges import hop_reference
from aegis_worker.domain.outcomes import Lookup, Operation, Unknown, charges
from aegis_worker.exchange.engine import STUCK, begun
from aegis_worker.exchange.watched import Begin, about, watched_by
from aegis_worker.gateways.accounts import out_of_reach
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.kit.identity import NOTHING
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.pipeline.calls import begin_call, longest_s
from aegis_worker.pipeline.exchanges import NOTHING_KEPT, Exchanges
from aegis_worker.pipeline.work import Answer, Ask

from .answers import Said
from .case import Case


def ask(
    gateways: Mapping[str, PaymentGateway],
    case: Case,
    charges: Sequence[Attempt],
    gateway_ref: str | None = None,
    exchanges: Exchanges = NOTHING_KEPT,
) -> list[Said]:
    """Ask about all charges at the same time; the first one is asked about under `gateway_ref` if that is given.

    No transaction is open meanwhile. If a gateway can't be asked any more, its answer is Unknown.
    """
    questions: list[tuple[Attempt, str | None]] = [(charge, None) for charge in charges]
    if gateway_ref is not None and charges:
        questions.insert(0, (charges[0], gateway_ref))
    # All are asked before the first answer is waited for.
    waits = [_asked(gateways, case, exchanges, *question) for question in questions]
    says = [wait() for wait in waits]
    exchanges.write()
    return says


def _asked(
    gateways: Mapping[str, PaymentGateway],
    case: Case,
    exchanges: Exchanges,
    charge: Attempt,
    asked_for: str | None,
) -> Callable[[], Said]:
    """Ask about the charge; what is returned waits for what the gateway says."""
    gateway = gateways.get(charge.gateway)
    config = None if gateway is None else gateway.config
    unreachable = out_of_reach(charge.gateway, config, charge.account, case.payment.mode)
    if gateway is None or unreachable is not None:
        return lambda: Said(charge, Unknown(unreachable or ""), asked_for)
    query = _query(case, charge, asked_for)
    operation, number = charge.operation.value, charge.number
    note = exchanges.noting_look_up(case.payment.id, operation, number, "decision")
    call: Begin[Answer | BaseException | None] = partial(begin_call, gateway, Ask(query), math.inf, note=note)
    asked = watched_by(call, about(charge.gateway, query), _answer)
    wait: Callable[[], Answer | BaseException | None] = begun(
        asked,
        longest_s(gateway),
        Answer(STUCK, longest_s(gateway) * 1000, looked_up=True, asked_at_s=clock_s()),
    )
    return lambda: _said(gateway, charge, asked_for, wait())


def _query(case: Case, call: Attempt, asked_for: str | None) -> StatusQuery:
    order = case.order
    if order is None:
        gateway_ref = asked_for or hop_reference(case.calls, call)
        capture = case.payment.terms.capture_method == "automatic"
        return StatusQuery(
            Operation.PROCESS, call.gateway_key, gateway_ref, case.payment.amount, capture=capture
        )
    amount = order.money(case.payment.amount.currency)
    own_ref = asked_for or call.gateway_ref
    return StatusQuery(call.operation, call.gateway_key, case.payment.gateway_ref, amount, own_ref)


def _answer(told: Answer | BaseException | None) -> Lookup | None:
    return told.outcome if isinstance(told, Answer) else None  # type: ignore[return-value]


def _said(
    gateway: PaymentGateway, charge: Attempt, asked_for: str | None, answer: Answer | BaseException | None
) -> Said:
    if isinstance(answer, BaseException):
        raise answer
    if answer is None:
        raise AssertionError("unreachable: only what would be sent can be too late")
    capabilities = gateway.capabilities
    about = Operation.PROCESS if charges(charge.operation) else charge.operation
    carries = capabilities.identity.look_ups.get(about, NOTHING)
    return Said(
        charge,
        answer.outcome,  # type: ignore[arg-type]
        asked_for,
        is_proof=asked_for is None or carries.reference,
        sent_ago_s=charge.sent_ago_s(answer.asked_at_s),
        absent_after_s=capabilities.absence_window_s,
    )
