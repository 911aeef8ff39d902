"""What merchants and gateways ask, and is wrong as it stands: repeating it unchanged gives the same refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .tree import Refused


class NotFound(Refused):
    """No such object for this merchant."""

    code = "not_found"


class IdempotencyKeyReused(Refused):
    """The key was used before with a different request."""

    code = "idempotency_key_reused"


class DuplicateReference(Refused):
    """Another payment of this merchant that has not failed carries the same reference; `payment_id`, where it is known."""

    code = "duplicate_reference"

    def __init__(self, payment_id: str | None) -> None:
        which = f"payment {payment_id}" if payment_id else "another payment"
        super().__init__(f"{which}, which has not failed, carries this reference")
        self.more = {"payment_id": payment_id} if payment_id else {}


class DuplicateEndpoint(Refused):
    """An active endpoint of this merchant posts the same events to the same place; they would arrive twice."""

    code = "duplicate_endpoint"

    def __init__(self, endpoint_id: str) -> None:
        super().__init__(
            f"{endpoint_id} posts to this URL already, and each event that both want would arrive twice: use it, or "
            "delete it first"
        )
        self.more = {"endpoint_id": endpoint_id}


class MethodRefused(Refused):
    """The payment method lacks what gateways need, or leaves open whose its token is. `pointer`: a JSON Pointer (RFC 6901)
    to the field in the payment's body; `reason`: the code of what is wrong there.
    """

    code = "validation_failed"

    def __init__(self, pointer: str, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.more = {"errors": [{"pointer": pointer, "code": reason, "detail": detail}]}


class HookRefused(Refused):
    """A hook of the installation refuses what was asked for. `errors`: each as `{pointer, code, detail}`, at least one."""

    code = "validation_failed"

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"{len(errors)} reason(s) of this installation's own checks; errors says which.")
        self.more = {"errors": list(errors)}


class ScheduleRefused(Refused):
    """The payment can't be scheduled for then."""

    code = "validation_failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.more = {"errors": [{"pointer": "/scheduled_at", "code": "out_of_range", "detail": detail}]}


class CardGone(Refused):
    """The vault does not hold this card any more, or never did."""

    code = "card_gone"


class CodeGone(CardGone):
    """The vault holds the card, and not its security code any more, without which it must not be sent."""


class VaultOff(Refused):
    """This installation has no card vault, so it takes no card numbers."""

    code = "vault_off"


class PaymentFrozen(Refused):
    """The audit found that the payment's events don't lead to its row; nothing touches it until a person has decided."""

    code = "payment_frozen"


class InvalidState(Refused):
    """The payment does not take this now; `allowed` says what it takes."""

    code = "invalid_state"

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.more = {"allowed": list(allowed)}


class AmountExceedsCapturable(Refused):
    """More than may still be captured; `capturable`, in minor units."""

    code = "amount_exceeds_capturable"

    def __init__(self, capturable: int) -> None:
        super().__init__(f"{capturable} minor units may still be captured, those under way not counted")
        self.more = {"capturable": capturable}


class AmountExceedsRefundable(Refused):
    """More than may still be refunded; `refundable`, in minor units."""

    code = "amount_exceeds_refundable"

    def __init__(self, refundable: int) -> None:
        super().__init__(f"{refundable} minor units may still be refunded, those under way not counted")
        self.more = {"refundable": refundable}


class DisputeOpen(Refused):
    """The payer disputes the payment, so a refund may pay them twice; `disputed`, in minor units."""

    code = "dispute_open"

    def __init__(self, disputed: int) -> None:
        super().__init__(
            f"the payer disputes {disputed} minor units of this payment: a refund beside a lost dispute pays them twice. "
            "Send `force: true` to refund all the same"
        )
        self.more = {"disputed": disputed}


class AmountStep(Refused):
    """The payment's gateway can't write the amount exactly."""

    code = "amount_step"


class UnsupportedByGateway(Refused):
    """The payment's gateway can't do this with a charge."""

    code = "unsupported_by_gateway"


class JobOpen(Refused):
    """A capture, refund or cancel of the payment is under way; its end decides whether this may follow."""

    code = "job_open"


class TooManyWaiting(Refused):
    """So many captures and refunds of the payment wait already that no further one is taken now."""

    code = "too_many_waiting"


class ReferenceTaken(Refused):
    """A gateway's reference is another payment's already; nothing was written. One of `payment_ids` was given it."""

    code = "reference_taken"

    def __init__(self, payment_ids: Sequence[str]) -> None:
        super().__init__("the gateway's reference is another payment's already")
        self.payment_ids = list(payment_ids)


class ChangeRefused(Refused):
    """A constraint or guard of the tables refuses one of the changes; nothing was written. Writing it again won't help."""

    code = "change_refused"

    def __init__(self, payment_ids: Sequence[str]) -> None:
        super().__init__(f"the tables refuse a change of {', '.join(payment_ids[:5])}")
        self.payment_ids = list(payment_ids)


class InvalidApiKey(Refused):
    """The API key is missing, unknown or revoked."""

    code = "invalid_api_key"


class InsufficientScope(Refused):
    """The API key is good, but not for this: merchants' keys for payments, operators' keys for operating."""

    code = "insufficient_scope"


class InvalidWebhook(Refused):
    """An inbound webhook whose signature, age or form is wrong."""

    code = "invalid_webhook"
