"""The parts of the OpenAPI document that all operations share. The rest comes from the routes and their schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar, cast

import flask_smorest
import marshmallow
from flask import Flask

from aegis_worker import __version__

from .openapi_shared import HEADERS, PARAMETERS, Schemas
from .problems import MIMETYPE, PROBLEMS
from .requests import CARD_FOUND, CONVERTERS, read_body, read_query
from .schemas import ProblemSchema

View = TypeVar("View", bound=Callable[..., Any])

DESCRIPTION = """\
Post a payment and get an answer in milliseconds; the money moves later, once.

Amounts are integers of minor units. Every answer carries a `Request-Id`; quote it when you ask for help. Errors are
problem documents (RFC 9457) with a stable `code`. A decline is not an HTTP error: it is `last_error` on the payment.
"""

_ON_ANY_REQUEST = ("Request-Id", "Correlation-Id")
_HEADERS_OF_STATUS = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}
_EXAMPLE_ERRORS = {
    "validation_failed": [{"pointer": "/amount", "code": "invalid_type", "detail": "Must be an integer."}],
    "sensitive_data_rejected": [{"pointer": "/reference", "code": "card_number", "detail": CARD_FOUND}],
}
# The problems that an operation may answer besides where it reads a JSON body, and where it takes an Idempotency-Key.
A_BODY = ("malformed_json", "unsupported_media_type", "validation_failed", "sensitive_data_rejected")
A_KEY = ("idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_reused")
# The problems that any operation under /v1 may answer.
_ANY_OPERATION = (
    "bad_request",
    "invalid_api_key",
    "insufficient_scope",
    "request_timeout",
    "payload_too_large",
    "expectation_failed",
    "uri_too_long",
    "headers_too_large",
    "internal_error",
    "database_unavailable",
)


class Api(flask_smorest.Api):
    """flask-smorest without its default error response: every operation names its own errors."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ProblemSchema


class Blueprint(flask_smorest.Blueprint):
    """A blueprint that reads arguments strictly and documents request headers by `takes`.

    It keeps what flask-smorest's decorators note for the document, but not what they do on each request: reading is done
    here, and nothing needs to serialize an answer, because views return whole responses.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_request_headers)

    def arguments(
        self,
        schema: marshmallow.Schema,
        *,
        location: str = "json",
        card_at: str | None = None,
        check: Callable[[Mapping[str, Any]], None] | None = None,
        **documented: Any,
    ) -> Callable[[View], View]:
        """Reads the body (`json`) or query string (`query`) through `schema`; it becomes the view's first argument.

        `card_at` and `check` as `read_body` takes them.
        """
        read = read_query if location == "query" else partial(read_body, card_at=card_at, check=check)
        document = _documenting(super().arguments(schema, location=location, **documented))

        def decorate(view: View) -> View:
            @wraps(view)
            def reading(*args: Any, **kwargs: Any) -> Any:
                return view(read(schema), *args, **kwargs)

            return cast("View", document(reading))

        return decorate

    def response(self, *args: Any, **documented: Any) -> Callable[[View], View]:
        """Documents the view's usual answer."""
        return _documenting(super().response(*args, **documented))

    def alt_response(self, *args: Any, **documented: Any) -> Callable[[View], View]:
        """Documents another answer of the view."""
        return _documenting(super().alt_response(*args, **documented))


def _documenting(decorator: Callable[[View], View]) -> Callable[[View], View]:
    """A decorator of flask-smorest that only adds its notes to the view and does not wrap it."""

    def documented(view: View) -> View:
        vars(view)["_apidoc"] = vars(decorator(view))["_apidoc"]
        return view

    return documented


def _document_request_headers(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    named = doc_info.get("request_headers", _ON_ANY_REQUEST)
    return doc | {"parameters": [*doc.get("parameters", []), *named]}


def document(blueprints: Iterable[Blueprint], named_schemas: Iterable[marshmallow.Schema]) -> dict[str, Any]:
    """The document of the routes of `blueprints`, in their order.

    `named_schemas` are given the names by which parts of the document refer to them. flask-smorest documents the routes of
    an application that it is installed in. This one serves nothing, so what flask-smorest adds to it never answers anybody.
    """
    documented = Flask(__name__)
    documented.url_map.converters.update(CONVERTERS)
    documented.config.update(API_TITLE="AegisPay", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    api = _empty_document(documented, named_schemas)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    return cast("dict[str, Any]", api.spec.to_dict())


def _empty_document(app: Flask, named_schemas: Iterable[marshmallow.Schema]) -> Api:
    api = Api(
        app,
        spec_kwargs={
            "info": {
                "description": DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
                "contact": {"name": "The operator of this installation"},
            },
            # Relative to the document's own URL, because an installation doesn't know under which name it is reached.
            "servers": [{"url": "/", "description": "The installation that this document comes from."}],
            "security": [{"apiKey": []}],
            "marshmallow_plugin": Schemas(),
        },
    )
    components = api.spec.components
    components.schemas.pop("PaginationMetadata")  # flask-smorest's own pagination is not used
    components.security_scheme(
        "apiKey",
        {"type": "http", "scheme": "bearer", "description": "An API key; `aegis keys create` makes one."},
    )
    components.security_scheme(
        "metricsToken",
        {"type": "http", "scheme": "bearer", "description": "The AEGIS_METRICS_TOKEN of the installation."},
    )
    for name, header in HEADERS.items():
        components.header(name, header)
    for name, parameter in PARAMETERS.items():
        components.parameter(name, "header", parameter)
    for schema in named_schemas:
        components.schema(type(schema).__name__.removesuffix("Schema"), schema=schema)
    return api


def headers(*names: str) -> dict[str, Any]:
    """The documented headers of an answer. Those of any answer are always among them."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ON_ANY_REQUEST, *names)}


def takes(*names: str) -> Callable[[View], View]:
    """Documents the request headers of a route. Those of any request are always among them."""

    def documented(view: View) -> View:
        # `_apidoc` is where flask-smorest's own decorators leave their notes for the document.
        vars(view)["_apidoc"] = {
            **vars(view).get("_apidoc", {}),
            "request_headers": [*_ON_ANY_REQUEST, *names],
        }
        return view

    return documented


def refuses(
    *codes: str, open_to_all: bool = False, security: Sequence[Mapping[str, Any]] | None = None
) -> Callable[[View], View]:
    """Documents the problems that a route may answer, and those of every route under /v1 unless it is `open_to_all`.

    A route with a `security` of its own answers none of the shared problems and takes no API key.
    """
    if open_to_all:
        security = []
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes + _ANY_OPERATION if security is None else codes):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    responses = {
        status: _problem_response(status, of_status) for status, of_status in sorted(by_status.items())
    }
    more: dict[str, Any] = {} if security is None else {"security": list(security)}

    def documented(view: View) -> View:
        document = _documenting(Blueprint.doc(operationId=view.__name__, responses=responses, **more))
        return cast("View", document(view))

    return documented


def _problem_response(status: int, codes: list[str]) -> dict[str, Any]:
    return {
        "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes) + ".",
        "headers": headers(*_HEADERS_OF_STATUS.get(status, ())),
        "content": {
            MIMETYPE: {
                "schema": ProblemSchema,
                "examples": {code: {"value": _problem_example(code)} for code in codes},
            }
        },
    }


def _problem_example(code: str) -> dict[str, Any]:
    meaning = PROBLEMS[code]
    example: dict[str, Any] = {
        "type": f"urn:aegispay:problem:{code}",
        "title": meaning.title,
        "status": meaning.status,
        "detail": f"{meaning.title}.",
        "instance": "/v1/payments",
        "code": code,
        "request_id": "req_0199a7c5a0f47d5a8f0e6b1c2d3e4f50",
        "retryable": meaning.retryable,
    }
    if code in _EXAMPLE_ERRORS:
        example["errors"] = _EXAMPLE_ERRORS[code]
    return example
