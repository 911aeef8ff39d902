"""PayPal's errors, each by its issue: developer.paypal.com/api/rest/responses. Pure."""

from __future__ import annotations

import secrets
from typing import Any

from ..replies import Refusal, Reply, json_reply
from .issues import ISSUES

_NAMES = {
    400: ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
    401: (
        "AUTHENTICATION_FAILURE",
        "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    ),
    404: ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
    409: ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
    422: (
        "UNPROCESSABLE_ENTITY",
        "The requested action could not be performed, semantically incorrect, or failed business validation.",
    ),
    429: ("RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
    500: ("INTERNAL_SERVER_ERROR", "An internal server error occurred."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable."),
}


class Refused(Refusal):
    """The call is refused for an issue: nothing of it is kept, and no answer under its key."""

    def __init__(self, issue: str, *, field: str = "") -> None:
        status, description = ISSUES[issue]
        super().__init__(status, issue, description)
        self._issue, self._field = issue, field

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return issue_reply(self._issue, field=self._field)


class Unavailable(Refusal):
    """Look-ups are down."""

    def __init__(self) -> None:
        super().__init__(503, *_NAMES[503])

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return error_reply(503)


class PayPalWording:
    """What goes wrong at the gateway itself."""

    def failed(self, *, done: bool) -> Reply:
        """A 500, which does not say whether the call was carried out."""
        return error_reply(500)

    def unavailable(self) -> Reply:
        """A 503."""
        return error_reply(503)

    def unauthorized(self) -> Reply:
        """The access token does not hold."""
        return error_reply(401)

    def busy(self) -> Reply:
        """The first call with this id is still under way."""
        return issue_reply("PREVIOUS_REQUEST_IN_PROGRESS")

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        return error_reply(429, retry_after_s)

    def misspelt(self, message: str) -> Refusal:
        """A script that is not there."""
        return Refused("INVALID_PARAMETER_VALUE", field=message)


def issue_reply(issue: str, *, field: str = "", links: list[dict[str, Any]] | None = None) -> Reply:
    """An error with one issue. `links`: where the payer has to go."""
    status, description = ISSUES[issue]
    where = {"field": field, "location": "body"} if field else {}
    details = [{**where, "issue": issue, "description": description}]
    return json_reply(status, _error(status) | {"details": details, "links": links or []})


def error_reply(status: int, retry_after_s: int | None = None) -> Reply:
    """An error without an issue."""
    reply = json_reply(status, _error(status) | {"links": []})
    if retry_after_s is not None:
        reply.headers["Retry-After"] = str(retry_after_s)
    return reply


def _error(status: int) -> dict[str, Any]:
    name, message = _NAMES[status]
    return {"name": name, "message": message, "debug_id": secrets.token_hex(6) + "0"}
