"""What a person decides about a capture, void or refund in doubt, and what its gateway says of that. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import AnswerAttempt, JobChange
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.entities import EntityChange, EntityStatus, Order
from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, Operation, Pending
from aegis_worker.errors import ResolutionRefused
from aegis_worker.pipeline.operations import order_room

from .answers import Checked, Said
from .case import Case, Kind
from .decide import OPERATOR, Decided


def contradiction(kind: Kind, says: Sequence[Said], gateway_ref: str | None) -> Said | None:
    """The first answer that contradicts the decision, or None. What is still pending contradicts either."""
    for said in says:
        outcome = said.outcome
        if isinstance(outcome, Pending | ActionRequired) or said.is_of_another or said.is_other_money:
            return said
        if kind == "failed" and isinstance(outcome, Approved):
            return said
        if kind == "succeeded" and isinstance(outcome, Declined):
            return said
        if kind == "succeeded" and isinstance(outcome, Approved) and _is_another(outcome, gateway_ref):
            return said
    return None


def _is_another(outcome: Approved, gateway_ref: str | None) -> bool:
    return gateway_ref not in (None, outcome.gateway_ref)


def what_to_do(against: Said) -> str:
    """What the person can do instead."""
    if isinstance(against.outcome, Approved):
        return f"decide `succeeded`, with `gateway_ref` {against.outcome.gateway_ref} or none"
    if isinstance(against.outcome, Declined):
        return "decide `failed`"
    return "it is not over, or it is another one's: have it asked about later with `ask_again`"


def succeeded(case: Case, says: Sequence[Said], how: Checked, reference: str | None) -> Decided:
    """The gateway did what was ordered. Raises ResolutionRefused where it was never sent."""
    order, call = _order(case), case.order_call
    if call is None:
        raise ResolutionRefused(f"nothing was ever sent for {order.id}: decide `failed`, or `ask_again`")
    answer = next((said.outcome for said in says if isinstance(said.outcome, Approved)), None)
    ref = answer.gateway_ref if answer else reference or call.gateway_ref or case.payment.gateway_ref
    room = order_room(order)
    facts = [*room.told(order, call.gateway, ref), *room.follows(case.payment, order)]
    captured = order.operation is not Operation.VOID
    stored = StoredOutcome(captured=captured, decided_by=OPERATOR, checked=how)
    change = EntityChange(order, EntityStatus.SUCCEEDED, call.gateway, ref)
    job = JobChange("succeeded", result={"resolution": "succeeded", "checked": how})
    answered = _ended(call, AttemptStatus.APPROVED, stored, how, ref)
    return Decided(facts, job, f"recorded: the {order.kind} has succeeded", answered, (change,))


def failed(case: Case, says: Sequence[Said], how: Checked) -> Decided:
    """It was not done, and is not going to be."""
    order, call = _order(case), case.order_call
    refusal = next((said.outcome for said in says if isinstance(said.outcome, Declined)), None)
    gateway = call.gateway if call else None
    if refusal is not None:
        error = describe_error(
            refusal.code, gateway=gateway, gateway_code=refusal.gateway_code, message=refusal.message
        )
    else:
        message = f"an operator found that the {order.kind} was not done"
        error = describe_error("resolved_not_done", gateway=gateway, gateway_code=None, message=message)
    answered = None
    if call is not None:
        said = StoredOutcome.of_error(error, decided_by=OPERATOR, checked=how)
        answered = _ended(call, AttemptStatus.DECLINED, said, how, None)
    change = EntityChange(order, EntityStatus.FAILED, gateway, error=error)
    job = JobChange("failed", reason=error["code"], result={"resolution": "failed", "checked": how})
    note = f"recorded: the {order.kind} has failed, and its amount is reserved no more"
    return Decided(order_room(order).told_failed(order, error), job, note, answered, (change,))


def _ended(
    call: Attempt, status: AttemptStatus, said: StoredOutcome, how: Checked, gateway_ref: str | None
) -> AnswerAttempt:
    return AnswerAttempt(
        call.operation,
        call.number,
        call.gateway,
        status,
        gateway_ref=gateway_ref,
        outcome=said.marked(call.outcome),
        asked=how != "unanswered",
        not_found=how == "not_found",
    )


def _order(case: Case) -> Order:
    if case.order is None:
        raise AssertionError("unreachable: only an order's review may be decided so")
    return case.order
