"""How requests are read: each gets a request id; bodies and query strings go through strict schemas; ids are checked."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow
import structlog
from flask import Flask, Response, g, request
from werkzeug.routing import BaseConverter

from aegis_worker import strict_json
from aegis_worker.domain.card_pointers import may_hold_one, pointers_to
from aegis_worker.errors import NotFound
from aegis_worker.ids import REQUEST, new_id
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import HTTP
from aegis_worker.observability.telling import TELLING, trail_fields

from . import framing
from .parts import asked, parts
from .problems import RequestRefused, body_faults, query_faults
from .shown import shown
from .trails import end_span, known_method, own_id, route_of, span_of, trail_of

log = structlog.get_logger(__name__)
_logger = logging.getLogger(__name__)

# A slower request is logged at INFO. Under `Prefer: wait` most requests are slower.
_SLOW_S = 1.0
_ID = re.compile(r"([a-z]{2,8})_[0-9a-f]{32}", re.ASCII)
_EVENT_ID = re.compile(r"(evt)_[0-9a-f]{32}_[1-9][0-9]{0,5}", re.ASCII)
_NO_VERSION = -1
NOTHING_HERE = "There is nothing at this path, or it belongs to another merchant."
CARD_FOUND = (
    "Must not hold a card number or security code; send a token. Where it only looks like one (an order's number may pass "
    "the same checks), send a UUID made of it (version 5) or its SHA-256 in hexadecimal instead: neither is ever refused."
)


def read_body(
    schema: marshmallow.Schema,
    *,
    card_at: str | None = None,
    check: Callable[[Mapping[str, Any]], None] | None = None,
) -> Any:
    """The request's body through `schema`. Raises RequestRefused or MalformedJson.

    `card_at`: the JSON Pointer of the object in which a card number is taken, where the card vault is on. `check` is shown
    the JSON object before the schema is, and raises what refuses it.
    """
    taken = card_at if card_at and parts().web.vault is not None else None
    document = json_object(whole_body("application/json"), card_at=taken)
    if check is not None:
        check(document)
    return validated(document, schema)


def validated(document: dict[str, Any], schema: marshmallow.Schema) -> Any:
    """A JSON object from a merchant, through `schema`. Raises RequestRefused with every refused field."""
    try:
        return schema.load(document)
    except marshmallow.ValidationError as error:
        raise _invalid(body_faults(error.messages)) from error


def read_query(schema: marshmallow.Schema) -> Any:
    """The request's query string through `schema`; no parameter may repeat. Raises RequestRefused."""
    for name, values in request.args.lists():
        if len(values) > 1:
            fault = {
                "parameter": shown(name),
                "code": "repeated",
                "detail": "Must be given once.",
            }
            raise RequestRefused("validation_failed", "A query parameter is given twice.", [fault])
    try:
        return schema.load(request.args.to_dict(), unknown=marshmallow.RAISE)
    except marshmallow.ValidationError as error:
        raise _invalid(query_faults(error.messages_dict)) from error


def json_object(raw: bytes, *, card_at: str | None = None) -> dict[str, Any]:
    """The JSON object in `raw`. Raises MalformedJson, or RequestRefused if a card number is in it.

    `card_at`: the JSON Pointer of a card whose number and security code may stand in their own two fields.
    """
    body = strict_json.parse(raw)
    if may_hold_one(raw):
        taken = () if card_at is None else (f"{card_at}/number", f"{card_at}/cvc")
        refuse_card_numbers([{"pointer": pointer} for pointer in pointers_to(body) if pointer not in taken])
    return body


def _invalid(errors: list[dict[str, str]]) -> RequestRefused:
    """One problem document for all refused fields."""
    return RequestRefused("validation_failed", f"{len(errors)} invalid field(s); errors says which.", errors)


def whole_body(media_type: str) -> bytes:
    """The request's body. Raises RequestRefused unless it is of this media type."""
    request = asked()
    environ = request.environ
    # Most send it in the plainest form, which needs no parsing.
    is_right = environ.get("CONTENT_TYPE") == media_type or request.mimetype == media_type
    if not is_right or environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise RequestRefused(
            "unsupported_media_type", f"Send Content-Type: {media_type}, without a Content-Encoding."
        )
    body: bytes = g.body
    return body


def refuse_card_numbers(places: list[dict[str, str]]) -> None:
    """Raise RequestRefused if `places` names any place. What was found there is neither repeated nor logged."""
    if places:
        errors = [{**place, "code": "card_number", "detail": CARD_FOUND} for place in places]
        raise RequestRefused(
            "sensitive_data_rejected", "Card numbers are not taken; nothing was stored.", errors
        )


def known_form(value: str, prefix: str) -> str:
    """Return an id from a path. Raises NotFound, without asking the database, if it doesn't look like one."""
    found = (_EVENT_ID if prefix == "evt" else _ID).fullmatch(value)
    if found is None or found.group(1) != prefix:
        raise NotFound(NOTHING_HERE)
    return value


def wanted_version() -> int | None:
    """The version in If-Match. If the header holds no single version of ours, a version that nothing has."""
    wanted = request.if_match
    if wanted.star_tag or "If-Match" not in request.headers:
        return None
    tags = list(wanted)
    return int(tags[0]) if len(tags) == 1 and tags[0].isdecimal() and len(tags[0]) < 10 else _NO_VERSION


class PaymentInPath(BaseConverter):
    """Matches anything in a path that may be a payment's id, but not the names of routes beside it with other methods."""

    regex = "(?!batches$)[^/]+"


# The parts of paths that routes name by a word of ours.
CONVERTERS = {"payment": PaymentInPath}


def id_parameter(name: str, prefix: str, description: str) -> dict[str, Any]:
    """An id in a path, as the OpenAPI document shows it."""
    number = "_[1-9][0-9]{0,5}" if prefix == "evt" else ""
    schema = {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}{number}$"}
    return {"name": name, "in": "path", "description": description, "schema": schema}


def number_requests(app: Flask) -> None:
    """Give every request an id and a trail, for the answer, problems and the log: the caller's own if well-formed."""

    @app.before_request
    def take_id() -> None:
        g.started = time.perf_counter()
        environ = asked().environ
        g.request_id = own_id(environ, "HTTP_REQUEST_ID") or new_id(REQUEST)
        g.span = span_of(asked())
        g.trail = trail_of(environ, g.request_id, g.span)
        structlog.contextvars.bind_contextvars(request_id=g.request_id, **trail_fields(g.trail))
        framing.check_head()

    @app.after_request
    def tell_id(response: Response) -> Response:
        headers = response.headers
        headers.add("Request-Id", g.request_id)
        headers.add("Correlation-Id", g.trail.correlation_id)
        headers.add("X-Content-Type-Options", "nosniff")
        if asked().path.startswith("/v1/"):
            headers["Cache-Control"] = "no-store"
        g.status = response.status_code
        _log(response)
        return response

    @app.teardown_request
    def forget_id(error: BaseException | None) -> None:
        structlog.contextvars.unbind_contextvars("request_id", "correlation_id", "trace_id", "span_id")
        if "span" in g:
            end_span(g.span, g.trail, g.get("status"))


def _log(response: Response) -> None:
    # A line in the log costs several per cent of accepting a payment, so an ordinary request is logged at DEBUG only.
    duration_s = time.perf_counter() - g.started
    if METER.on:
        rule = route_of(asked()) or "none"
        status = f"{response.status_code // 100}xx"
        METER.timing(
            HTTP, duration_s, known_method(request.method), rule, status, traceparent=g.trail.traceparent
        )
    is_worth_it = response.status_code >= 400 or duration_s >= _SLOW_S
    level = logging.INFO if is_worth_it or TELLING.wants("request", g.request_id) else logging.DEBUG
    if _logger.isEnabledFor(level):
        log.log(
            level,
            "request",
            method=request.method,
            route=request.url_rule.rule
            if request.url_rule
            else None,  # not the path, which may hold a card number
            status=response.status_code,
            merchant_id=None if (owner := g.get("owner")) is None else owner.merchant_id,
            duration_ms=round(duration_s * 1000, 1),
        )
