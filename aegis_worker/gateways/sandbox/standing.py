"""What the status of a sandbox payment says about one of the steps that lead to a charge. Pure."""

from __future__ import annotations

from aegis_worker.domain.outcomes import ActionRequired, Approved, Declined, NotFound, Operation, Pending

from .codes import declined
from .payment import NOT_YET, SandboxPayment


def by_status(
    operation: Operation, payment: SandboxPayment
) -> Approved | Declined | ActionRequired | Pending | NotFound:
    """What became of the step, `NotFound` where the payment stands before it."""
    status = payment.status
    if status in NOT_YET[operation]:
        return NotFound()
    if status == "failed":
        return declined(payment.error_code, "", payment.id)
    if status == "voided":
        return Declined("generic_decline", status, "released at the gateway", payment.id)
    if operation is Operation.INITIATE:
        return Approved(payment.id, captured=False)
    if status == "requires_action":
        return ActionRequired(payment.id, payment.redirect_url)
    if status == "pending" and operation is Operation.PROCESS:
        return Pending(payment.id)
    if operation is Operation.AUTHENTICATE:
        return Approved(payment.id, captured=False)
    return Approved(payment.id, status == "succeeded", payment.captured_minor, payment.refunded_minor)
