"""Errors as RFC 9457 problem documents: one table from code to status, and the only place that writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import structlog
from flask import Flask, Response, current_app, g, got_request_exception, request
from sqlalchemy.exc import StatementError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from aegis_worker.domain.json_pointers import escaped
from aegis_worker.errors import AegisError, Refused, Retryable
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import IDEMPOTENCY_CONFLICTS

from .answers import dumps
from .fields import Fault
from .shown import shown

log = structlog.get_logger(__name__)

MIMETYPE = "application/problem+json"
_MOST_ERRORS, _LONGEST_NAME = 100, 200


@dataclass(frozen=True, slots=True)
class Problem:
    """What a code means. `retryable`: the same request, unchanged, may succeed later."""

    status: int
    title: str
    retryable: bool = False


PROBLEMS: dict[str, Problem] = {
    "bad_request": Problem(400, "The request is not valid HTTP"),
    "malformed_json": Problem(400, "The body is not a JSON object"),
    "idempotency_key_missing": Problem(400, "The Idempotency-Key header is missing"),
    "idempotency_key_invalid": Problem(400, "The Idempotency-Key header is invalid"),
    "invalid_webhook": Problem(401, "The event's signature, age or form is wrong"),
    "invalid_api_key": Problem(401, "The API key is missing, unknown or revoked"),
    "insufficient_scope": Problem(403, "The API key is not good for this"),
    "own_approval": Problem(403, "Who asked for it can't approve it"),
    "vault_off": Problem(403, "No card vault is turned on here"),
    "not_found": Problem(404, "There is no such resource"),
    "method_not_allowed": Problem(405, "The resource does not take this method"),
    "request_timeout": Problem(408, "The body came too slowly", retryable=True),
    "idempotency_in_progress": Problem(
        409, "A request with this idempotency key is in progress", retryable=True
    ),
    "duplicate_reference": Problem(409, "Another payment carries this reference"),
    "duplicate_endpoint": Problem(409, "Another webhook endpoint posts there"),
    "job_open": Problem(409, "A job of the payment is under way, or changing hands", retryable=True),
    "payment_frozen": Problem(409, "The payment is frozen until a person has looked at it"),
    "invalid_state": Problem(409, "The payment does not take this now"),
    "resolution_contradicted": Problem(409, "A gateway says something else"),
    "card_gone": Problem(410, "The card is destroyed"),
    "version_conflict": Problem(412, "It is not at the version of If-Match"),
    "payload_too_large": Problem(413, "The body is too large"),
    "uri_too_long": Problem(414, "The path and query are too long"),
    "unsupported_media_type": Problem(415, "The body is not of the media type that this takes"),
    "expectation_failed": Problem(417, "The expectation can't be met"),
    "validation_failed": Problem(422, "The request has invalid fields"),
    "amount_exceeds_capturable": Problem(422, "More than may still be captured"),
    "amount_exceeds_refundable": Problem(422, "More than may still be refunded"),
    "dispute_open": Problem(409, "The payer disputes the payment"),
    "amount_step": Problem(422, "The gateway can't write this amount exactly"),
    "unsupported_by_gateway": Problem(422, "The payment's gateway can't do this"),
    "too_many_waiting": Problem(409, "Too many captures and refunds of the payment wait", retryable=True),
    "idempotency_key_reused": Problem(422, "The idempotency key was used with a different request"),
    "sensitive_data_rejected": Problem(422, "The request holds a card number"),
    "webhook_endpoint_refused": Problem(422, "Webhooks can't be posted there"),
    "resolution_refused": Problem(422, "The decision can't be carried out as it stands"),
    "headers_too_large": Problem(431, "The headers are too many or too long"),
    "internal_error": Problem(500, "Something went wrong on our side", retryable=True),
    "not_ready": Problem(503, "This process is not ready to take requests", retryable=True),
    "too_busy": Problem(503, "Too many requests of this kind are under way", retryable=True),
    "database_unavailable": Problem(
        503, "The database is not available; nothing was written", retryable=True
    ),
    "hook_failed": Problem(
        503, "A check of this installation can't be made; nothing was written", retryable=True
    ),
    "vault_unavailable": Problem(503, "The card vault is not available; nothing was written", retryable=True),
}

# Codes for werkzeug's own errors. The code of any other status is made from its phrase.
_CODE_OF_STATUS = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


class RequestRefused(Refused):
    """A refusal that only HTTP knows. `errors` say where, each as `{pointer|parameter|header, code, detail}`."""

    def __init__(self, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.errors = errors


def register(app: Flask) -> None:
    """Make every error of the application answer with a problem document."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(AegisError, _aegis_error)
    app.register_error_handler(Exception, _unexpected)


def problem(
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The problem document of `code`."""
    status, body = PROBLEMS[code].status, problem_body(code, detail, errors=errors, **more)
    return Response(dumps(body), status, headers, content_type=MIMETYPE)


def problem_body(
    code: str, detail: str, *, errors: Sequence[Mapping[str, str]] = (), **more: Any
) -> dict[str, Any]:
    """The fields of the problem document of `code`."""
    meaning = PROBLEMS[code]
    return _members(code, meaning.status, meaning.title, meaning.retryable, detail, errors) | more


def body_faults(messages: Any) -> list[dict[str, str]]:
    """marshmallow's nested messages about a body as a flat list, each with its JSON Pointer; at most 100."""
    return [
        {"pointer": pointer, "code": fault.code, "detail": str(fault)}
        for pointer, fault in _flatten(messages, "")
    ][:_MOST_ERRORS]


def query_faults(messages: Mapping[str, Sequence[Fault]]) -> list[dict[str, str]]:
    """marshmallow's messages about a query string as a flat list, each with its parameter; at most 100."""
    return [
        {"parameter": shown(name[:_LONGEST_NAME]), "code": fault.code, "detail": str(fault)}
        for name, found in messages.items()
        for fault in found
    ][:_MOST_ERRORS]


def _flatten(messages: Any, pointer: str) -> Iterator[tuple[str, Fault]]:
    if not isinstance(messages, Mapping):
        yield from ((pointer, fault) for fault in messages)
        return
    for name, below in messages.items():
        # marshmallow files messages about the object itself under "_schema".
        step = "" if name == "_schema" else "/" + escaped(str(name)[:_LONGEST_NAME])
        yield from _flatten(below, pointer + step)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    headers = (
        {"Allow": ", ".join(sorted(error.valid_methods or ()))}
        if isinstance(error, MethodNotAllowed)
        else None
    )
    code = _CODE_OF_STATUS.get(status, "internal_error" if status >= 500 else "bad_request")
    if status == PROBLEMS[code].status:
        return problem(code, _DETAILS.get(code, PROBLEMS[code].title + "."), headers=headers)
    phrase = HTTPStatus(status).phrase
    body = _members(code, status, phrase, False, f"{phrase}.", ())
    return Response(dumps(body), status, headers, content_type=MIMETYPE)


# The problem's code, and the word that the metric counts it by.
CONFLICTS = {"idempotency_key_reused": "key_reused", "idempotency_in_progress": "in_progress"}
_DETAILS = {
    "not_found": "There is nothing at this path, or it belongs to another merchant.",
    "payload_too_large": "The body is longer than this API takes.",
}


def body_of(error: AegisError) -> dict[str, Any]:
    """The fields of an error's problem document. An error that is our fault is also logged and reported."""
    if isinstance(error, RequestRefused):
        return problem_body(error.code, str(error), errors=error.errors)
    if error.code not in PROBLEMS or error.code == "internal_error":
        report(error)
        return problem_body("internal_error", _INTERNAL)
    if error.code in CONFLICTS:
        METER.increment(IDEMPOTENCY_CONFLICTS, CONFLICTS[error.code])
    # A refusal's message was written for the caller. The message of any other error is for the log only.
    detail = str(error) if isinstance(error, Refused) else PROBLEMS[error.code].title + "."
    if error.code in ("database_unavailable", "hook_failed", "vault_unavailable"):
        log.warning(error.code.replace("_", " "), error=str(error))
    return problem_body(error.code, detail, **(error.more if isinstance(error, Refused) else {}))


def _aegis_error(error: AegisError) -> Response:
    body = body_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, Retryable) and body["code"] == error.code and body["retryable"]:
        headers["Retry-After"] = str(error.retry_after_s)
    if error.code == "invalid_api_key":
        headers["WWW-Authenticate"] = 'Bearer realm="AegisPay"'
    return Response(dumps(body), body["status"], headers, content_type=MIMETYPE)


_INTERNAL = "The request failed; the operator's log has it under this request_id."


def _unexpected(error: Exception) -> Response:
    report(error)
    return problem("internal_error", _INTERNAL)


def report(error: Exception) -> None:
    """Tell of an error that nobody foresaw, in the log and to whoever listens for such."""
    if isinstance(error, StatementError):
        error.hide_parameters = True  # they are the merchant's data, so the log gets only the statement
    # Error reporting listens to this signal, which Flask sends only for errors that no error handler takes.
    got_request_exception.send(current_app._get_current_object(), exception=error)  # type: ignore[attr-defined]
    log.error("request failed", error=type(error).__name__, exc_info=error)


def outside_body(code: str, request_id: str) -> dict[str, Any]:
    """The fields of the problem document of `code`, for bytes that the server could not read as a request."""
    meaning = PROBLEMS[code]
    return {
        "type": f"urn:aegispay:problem:{code}",
        "title": meaning.title,
        "status": meaning.status,
        "detail": f"{meaning.title}.",
        "instance": "",
        "code": code,
        "request_id": request_id,
        "retryable": meaning.retryable,
    }


def _members(
    code: str, status: int, title: str, retryable: bool, detail: str, errors: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    return {
        "type": f"urn:aegispay:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(shown(request.path)),
        "code": code,
        "request_id": g.get("request_id"),
        "retryable": retryable,
        **({"errors": list(errors)} if errors else {}),
    }
