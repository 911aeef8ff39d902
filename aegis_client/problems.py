"""An exception for each code that the API refuses with.

Written by scripts/documents from the OpenAPI document of the API: change that.
"""

from __future__ import annotations

from .errors import ApiError


class AmountExceedsCapturable(ApiError):
    """More than may still be captured."""

    code = "amount_exceeds_capturable"


class AmountExceedsRefundable(ApiError):
    """More than may still be refunded."""

    code = "amount_exceeds_refundable"


class AmountStep(ApiError):
    """The gateway can't write this amount exactly."""

    code = "amount_step"


class BadRequest(ApiError):
    """The request is not valid HTTP."""

    code = "bad_request"


class CardGone(ApiError):
    """The card is destroyed."""

    code = "card_gone"


class DatabaseUnavailable(ApiError):
    """The database is not available; nothing was written."""

    code = "database_unavailable"


class DisputeOpen(ApiError):
    """The payer disputes the payment."""

    code = "dispute_open"


class DuplicateEndpoint(ApiError):
    """Another webhook endpoint posts there."""

    code = "duplicate_endpoint"


class DuplicateReference(ApiError):
    """Another payment carries this reference."""

    code = "duplicate_reference"


class ExpectationFailed(ApiError):
    """The expectation can't be met."""

    code = "expectation_failed"


class HeadersTooLarge(ApiError):
    """The headers are too many or too long."""

    code = "headers_too_large"


class HookFailed(ApiError):
    """A check of this installation can't be made; nothing was written."""

    code = "hook_failed"


class IdempotencyInProgress(ApiError):
    """A request with this idempotency key is in progress."""

    code = "idempotency_in_progress"


class IdempotencyKeyInvalid(ApiError):
    """The Idempotency-Key header is invalid."""

    code = "idempotency_key_invalid"


class IdempotencyKeyMissing(ApiError):
    """The Idempotency-Key header is missing."""

    code = "idempotency_key_missing"


class IdempotencyKeyReused(ApiError):
    """The idempotency key was used with a different request."""

    code = "idempotency_key_reused"


class InsufficientScope(ApiError):
    """The API key is not good for this."""

    code = "insufficient_scope"


class InternalError(ApiError):
    """Something went wrong on our side."""

    code = "internal_error"


class InvalidApiKey(ApiError):
    """The API key is missing, unknown or revoked."""

    code = "invalid_api_key"


class InvalidState(ApiError):
    """The payment does not take this now."""

    code = "invalid_state"


class JobOpen(ApiError):
    """A job of the payment is under way, or changing hands."""

    code = "job_open"


class MalformedJson(ApiError):
    """The body is not a JSON object."""

    code = "malformed_json"


class NotFound(ApiError):
    """There is no such resource."""

    code = "not_found"


class NotReady(ApiError):
    """This process is not ready to take requests."""

    code = "not_ready"


class OwnApproval(ApiError):
    """Who asked for it can't approve it."""

    code = "own_approval"


class PayloadTooLarge(ApiError):
    """The body is too large."""

    code = "payload_too_large"


class PaymentFrozen(ApiError):
    """The payment is frozen until a person has looked at it."""

    code = "payment_frozen"


class RequestTimeout(ApiError):
    """The body came too slowly."""

    code = "request_timeout"


class ResolutionContradicted(ApiError):
    """A gateway says something else."""

    code = "resolution_contradicted"


class ResolutionRefused(ApiError):
    """The decision can't be carried out as it stands."""

    code = "resolution_refused"


class SensitiveDataRejected(ApiError):
    """The request holds a card number."""

    code = "sensitive_data_rejected"


class TooManyWaiting(ApiError):
    """Too many captures and refunds of the payment wait."""

    code = "too_many_waiting"


class UnsupportedByGateway(ApiError):
    """The payment's gateway can't do this."""

    code = "unsupported_by_gateway"


class UnsupportedMediaType(ApiError):
    """The body is not of the media type that this takes."""

    code = "unsupported_media_type"


class UriTooLong(ApiError):
    """The path and query are too long."""

    code = "uri_too_long"


class ValidationFailed(ApiError):
    """The request has invalid fields."""

    code = "validation_failed"


class VaultOff(ApiError):
    """No card vault is turned on here."""

    code = "vault_off"


class VaultUnavailable(ApiError):
    """The card vault is not available; nothing was written."""

    code = "vault_unavailable"


class VersionConflict(ApiError):
    """It is not at the version of If-Match."""

    code = "version_conflict"


class WebhookEndpointRefused(ApiError):
    """Webhooks can't be posted there."""

    code = "webhook_endpoint_refused"
