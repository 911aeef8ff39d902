"""What a sandbox payment's status says about a step that leads to a charge. Pure."""

from __future__ import annotations

from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, NotFound, Operation, Pending

from .codes import declined
from .payment import NOT_YET, SandboxPayment


def after_confirm(payment: SandboxPayment) -> Approved | Declined | ActionRequired | Pending | NotFound:
    """The outcome of the step that waited for the payer, once it has gone on."""
    step = Operation.AUTHENTICATE if payment.status == "authenticated" else Operation.PROCESS
    return by_status(step, payment)


def by_status(
    operation: Operation, payment: SandboxPayment
) -> Approved | Declined | ActionRequired | Pending | NotFound:
    """The outcome of the step. `NotFound` if the payment has not reached it."""
    status = payment.status
    if status in NOT_YET[operation]:
        return NotFound()
    if status == "failed":
        return declined(payment.error_code, "", payment.id)
    if status == "voided":
        return Declined("generic_decline", status, "released at the gateway", payment.id, released=True)
    if operation is Operation.INITIATE:
        return Approved(payment.id, captured=False)
    if status == "requires_action" and payment.action is not None:
        return ActionRequired(payment.id, payment.action, payment.action_ends_at)
    if status == "pending" and operation is Operation.PROCESS:
        return Pending(payment.id)
    if operation is Operation.AUTHENTICATE:
        return Approved(payment.id, captured=False)
    sums = (payment.captured_minor, payment.refunded_minor)
    return Approved(
        payment.id,
        payment.captured_minor > 0,
        *sums,
        capture_before=payment.capture_before,
        disputed=payment.disputed,
    )
