"""Razorpay's errors: razorpay.com/docs/errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..replies import Refusal, Reply, json_reply

# Where something went wrong: `source`, `step` and `reason`.
Where = tuple[str, str, str]
NOWHERE: Where = ("NA", "NA", "NA")
INPUT: Where = ("business", "payment_initiation", "input_validation_failed")
BAD_REQUEST, GATEWAY_ERROR = "BAD_REQUEST_ERROR", "GATEWAY_ERROR"


class Refused(Refusal):
    """The call is refused: nothing of it is kept."""

    def __init__(
        self,
        description: str,
        *,
        status: int = 400,
        where: Where = NOWHERE,
        field: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, BAD_REQUEST, description)
        self._reply = error_reply(status, description, where=where, field=field, metadata=metadata)

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return self._reply


class Unavailable(Refusal):
    """Look-ups are down."""

    def __init__(self) -> None:
        super().__init__(503, "SERVICE_UNAVAILABLE", "look-ups are down")

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return RazorpayWording().unavailable()


class RazorpayWording:
    """What goes wrong at the gateway itself."""

    def failed(self, *, done: bool) -> Reply:
        """A 500, which does not say whether the call was carried out."""
        return error_reply(
            500,
            "We are facing some trouble completing your request at the moment. Please try again shortly.",
            code="SERVER_ERROR",
        )

    def unavailable(self) -> Reply:
        """A 503."""
        return error_reply(503, "The service is temporarily unavailable.", code="SERVICE_UNAVAILABLE")

    def unauthorized(self) -> Reply:
        """Key id and secret do not belong together."""
        return error_reply(401, "Authentication failed")

    def busy(self) -> Reply:
        """The first refund with this key is still under way."""
        return error_reply(409, "Another request with the same idempotency key is still in progress.")

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        reply = error_reply(429, "Request failed. Please try after sometime.")
        reply.headers["Retry-After"] = str(retry_after_s)
        return reply

    def misspelt(self, message: str) -> Refusal:
        """A script that is not there."""
        return invalid(message, "emulator-script")


def error_reply(
    status: int,
    description: str,
    *,
    code: str = BAD_REQUEST,
    where: Where = NOWHERE,
    field: str = "",
    metadata: Mapping[str, str] | None = None,
) -> Reply:
    """`{"error": {…}}`. `metadata`: which payment and order it is about."""
    source, step, reason = where
    shown: dict[str, Any] = {
        "code": code,
        "description": description,
        "source": source,
        "step": step,
        "reason": reason,
        "metadata": dict(metadata or {}),
        **({"field": field} if field else {}),
    }
    return json_reply(status, {"error": shown})


def invalid(description: str, field: str, metadata: Mapping[str, str] | None = None) -> Refused:
    """A field that is not what it should be."""
    return Refused(description, where=INPUT, field=field, metadata=metadata)


def no_such_id() -> Refused:
    """Razorpay says 400, not 404, of an id that is nobody's."""
    return Refused("The id provided does not exist", where=INPUT)


def no_such_url() -> Reply:
    """The answer for a path that is not there."""
    return error_reply(400, "The requested URL was not found on the server.")
