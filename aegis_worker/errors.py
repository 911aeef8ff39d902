"""Every error that AegisPay raises on purpose, in one tree that says what the caller may do.

`Retryable`: the same call may be made again. `Refused`: the call is wrong as it stands. `OperatorError`: someone has
to change the installation. `ProgrammingError`: a bug; nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any


class AegisError(Exception):
    """Base of the tree. `code` is stable and appears in logs and in problem documents."""

    code = "internal_error"


class Retryable(AegisError):
    """Nothing was half-done; the same call may be made again, after `retry_after_s` seconds."""

    retry_after_s = 1


class LeaseLost(Retryable):
    """Another worker holds this job; what this run computed was dropped."""

    code = "lease_lost"


class VersionConflict(Retryable):
    """The payment moved since it was read: load it again and decide again."""

    code = "version_conflict"

    def __init__(self, payment_ids: list[str]) -> None:
        super().__init__(
            f"{len(payment_ids)} payment(s) moved since they were read: {', '.join(payment_ids[:5])}"
        )
        self.payment_ids = payment_ids


class DatabaseUnavailable(Retryable):
    """PostgreSQL can't be reached, is read-only, or the pool is exhausted; nothing was committed."""

    code = "database_unavailable"


class DatabaseUnusable(DatabaseUnavailable):
    """PostgreSQL answers, and its role, schema or address doesn't let us work; the message says what an operator changes.

    For whoever called nothing was done, and the same call may be made again once that is changed.
    """


class LockTimeout(DatabaseUnavailable):
    """Another transaction held a row or a table for longer than the lock timeout; nothing was committed."""


class IdempotencyInProgress(Retryable):
    """A request with the same key is still being accepted; ask again for its answer."""

    code = "idempotency_in_progress"


class VaultUnavailable(Retryable):
    """A store of the card vault can't be reached, or is one that the vault must not use; nothing was kept or sent."""

    code = "vault_unavailable"


class HookFailed(Retryable):
    """A hook that must be asked gave no answer, and its failure policy is closed; nothing was written.

    The message names the hook and says why, for the operator's log.
    """

    code = "hook_failed"


class TooBusy(Retryable):
    """So many requests of this kind are under way that one more could keep others waiting; nothing was done."""

    code = "too_busy"


class JobBusy(Retryable):
    """The payment's job is just changing hands."""

    code = "job_open"


class Refused(AegisError):
    """The call is wrong as it stands; repeating it unchanged gives the same refusal. `more`: what a program needs of it."""

    more: Mapping[str, Any] = MappingProxyType({})


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


class ResolutionContradicted(Refused):
    """A gateway says something else than the person who decided; `gateways_say` what."""

    code = "resolution_contradicted"

    def __init__(self, message: str, gateways_say: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.more = {"gateways_say": list(gateways_say)}


class ResolutionRefused(Refused):
    """The decision lacks something, or can't be carried out on what is on record; the message says what."""

    code = "resolution_refused"


class InvalidApiKey(Refused):
    """The API key is missing, unknown or revoked."""

    code = "invalid_api_key"


class InsufficientScope(Refused):
    """The API key is good, but not for this: merchants' keys for payments, operators' keys for operating."""

    code = "insufficient_scope"


class InvalidWebhook(Refused):
    """An inbound webhook whose signature, age or form is wrong."""

    code = "invalid_webhook"


class InvalidDocument(Refused):
    """A document that can't be used. `problems`: the pointer (RFC 6901) to each wrong value, and what is wrong."""

    code = "validation_failed"

    def __init__(self, problems: Sequence[Mapping[str, str]]) -> None:
        first = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{first['pointer'] or 'the document'}: {first['detail']}{more}")
        self.problems = list(problems)


class InvalidRouting(InvalidDocument):
    """A routing document that can't be used."""


class InvalidRules(InvalidDocument):
    """A document of rules that can't be used."""


class RulesMoved(Refused):
    """The rules are not at the version that the caller saw: look at them again, and decide again."""

    code = "version_conflict"


class RoutingMoved(Refused):
    """The routing configuration is not at the version that the caller saw: look at it again, and decide again."""

    code = "version_conflict"


class OwnApproval(Refused):
    """Who asked for something can't approve it: it takes a second person."""

    code = "own_approval"


class ApprovalMoved(Refused):
    """What is asked for is not what the caller has seen, or its payment has moved on since it was asked."""

    code = "version_conflict"


class CredentialRefused(Refused):
    """A new password, or the code that proves an authenticator, can't be taken; the message says why."""

    code = "validation_failed"


class UserRefused(Refused):
    """A user can't be added or changed like that; the message says why."""

    code = "validation_failed"


class InvalidReason(Refused):
    """The reason for a decision is missing, or can't be kept as it is."""

    code = "validation_failed"


class OperatorError(AegisError):
    """Someone has to change the installation; the message says what."""


class ConfigurationError(OperatorError):
    """A setting or configuration file is missing or wrong; the message names it."""

    code = "configuration_error"


class CannotUnseal(OperatorError):
    """A sealed text can't be opened: its key is not in the ring, or it was changed or moved to another place."""

    code = "cannot_unseal"


class SchemaUnfit(OperatorError):
    """The database's schema is not one that this code can work with; the message says what to do."""

    code = "schema_unfit"


class StackFailed(OperatorError):
    """An embedded server or a child process did not start; the message ends with its log."""

    code = "stack_failed"


class EmulatorNotStarted(OperatorError):
    """The emulator can't have a port or its folder; the message says which and why."""

    code = "emulator_not_started"


class ProgrammingError(AegisError):
    """A bug: the state on disk was protected, the operation was not carried out."""


class IllegalTransition(ProgrammingError):
    """An event that the payment's state does not allow."""

    code = "illegal_transition"


class RowRefused(ProgrammingError):
    """PostgreSQL takes no row of what was validated; nothing of it was written."""
