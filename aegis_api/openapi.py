"""The OpenAPI document: what all operations share. The rest comes from the routes and their schemas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import cleandoc
from typing import Any, TypeVar, cast

import flask_smorest
import marshmallow
from apispec.ext.marshmallow import MarshmallowPlugin, OpenAPIConverter
from flask import Flask

from aegis_worker import __version__
from aegis_worker.domain.text import KEY, LONGEST_NAME

from .problems import MIMETYPE, PROBLEMS
from .requests import CARD_FOUND, read_body, read_query
from .schemas.answers import ProblemSchema
from .schemas.batch import BatchLineSchema
from .schemas.payment_request import PAYMENT_METHODS
from .schemas.words import WORDS

View = TypeVar("View", bound=Callable[..., Any])

DESCRIPTION = """\
Post a payment and get an answer in milliseconds; the money moves later, once.

Amounts are integers of minor units. Every answer carries a `Request-Id`; quote it when you ask for help. Errors are
problem documents (RFC 9457) with a stable `code`. A decline is not an HTTP error: it is `last_error` on the payment.
"""

_HEADERS: dict[str, dict[str, Any]] = {
    "Request-Id": {
        "description": "The id of this request: the caller's own, or a new one.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where to look for what becomes of it.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {"description": "Seconds to wait before asking (again).", "schema": {"type": "integer"}},
    "ETag": {
        "description": "The version of what is answered, in quotes.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Idempotent-Replayed": {
        "description": "`true` on the answer to a request that was accepted before with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Preference-Applied": {
        "description": "`wait=N` where Prefer was honoured.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}

_PARAMETERS: dict[str, dict[str, Any]] = {
    "Request-Id": {
        "description": "Your own id for this request, 8 to 128 characters of `A-Z a-z 0-9 . _ -`; it comes back.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,128}$"},
    },
    "Idempotency-Key": {
        "required": True,
        "description": (
            "1 to 255 printable ASCII characters without a comma, new for every payment and the same for every try of it. "
            "The same key with the same request gives the first answer again; with another request it is refused. Kept for "
            "72 h. Spaces around it don't count; sent twice, it is refused."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": KEY},
        "example": "order-1042",
    },
    "Prefer": {
        "description": "`wait=N`: hold the answer for up to N seconds, 10 at most, until the payment is decided.",
        "schema": {"type": "string"},
        "example": "wait=5",
    },
    "If-Match": {
        "description": "An ETag from before: refused once it is at another version.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "If-None-Match": {
        "description": "An ETag from before: 304 while the payment is still at that version.",
        "schema": {"type": "string"},
    },
}

_HEADERS_OF_STATUS = {401: ("WWW-Authenticate",), 503: ("Retry-After",)}
_EXAMPLE_ERRORS = {
    "validation_failed": [{"pointer": "/amount", "code": "invalid_type", "detail": "Must be an integer."}],
    "sensitive_data_rejected": [{"pointer": "/reference", "code": "card_number", "detail": CARD_FOUND}],
}
# What any operation under /v1 may answer.
_ANY_OPERATION = (
    "bad_request",
    "invalid_api_key",
    "insufficient_scope",
    "payload_too_large",
    "expectation_failed",
    "uri_too_long",
    "headers_too_large",
    "internal_error",
    "database_unavailable",
)


class Api(flask_smorest.Api):
    """flask-smorest; every operation names its own errors, so there is no default one."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ProblemSchema


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose arguments are read strictly and whose request headers are documented by `takes`.

    Of flask-smorest's decorators it takes what they note for the document. What they would do on each request is done
    here: reading; or not needed: views answer with whole responses.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(_document_request_headers)

    def arguments(
        self, schema: marshmallow.Schema, *, location: str = "json", **documented: Any
    ) -> Callable[[View], View]:
        """The request's body (`json`) or query string (`query`) through `schema`, as the view's first argument."""
        read = {"json": read_body, "query": read_query}[location]
        document = _documenting(super().arguments(schema, location=location, **documented))

        def decorate(view: View) -> View:
            @wraps(view)
            def reading(*args: Any, **kwargs: Any) -> Any:
                return view(read(schema), *args, **kwargs)

            return document(cast("View", reading))

        return decorate

    def response(self, *args: Any, **documented: Any) -> Callable[[View], View]:
        """Documents how the view answers."""
        return _documenting(super().response(*args, **documented))

    def alt_response(self, *args: Any, **documented: Any) -> Callable[[View], View]:
        """Documents how else the view answers."""
        return _documenting(super().alt_response(*args, **documented))


def _documenting(decorator: Callable[[View], View]) -> Callable[[View], View]:
    """A decorator of flask-smorest without its wrapper: only its notes."""

    def documented(view: View) -> View:
        vars(view)["_apidoc"] = vars(decorator(view))["_apidoc"]
        return view

    return documented


def _document_request_headers(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    named = doc_info.get("request_headers", ["Request-Id"])
    return doc | {"parameters": [*doc.get("parameters", []), *named]}


class _Converter(OpenAPIConverter):
    def init_attribute_functions(self) -> None:
        super().init_attribute_functions()
        self.add_attribute_function(_keywords)


class _Schemas(MarshmallowPlugin):
    """apispec's plugin; a schema's docstring and the names of its fields are told too."""

    Converter = _Converter

    def schema_helper(self, name: Any, _: Any, schema: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """What the document says about a schema."""
        told = super().schema_helper(name, _, schema=schema, **kwargs)
        about = (schema if isinstance(schema, type) else type(schema)).__doc__
        return told and {**told, "description": cleandoc(about or "")}


def _keywords(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    """What apispec does not take from a field's metadata, and what a field of its name means everywhere."""
    told = {
        name: field.metadata[name] for name in ("discriminator", "propertyNames") if name in field.metadata
    }
    if "description" not in field.metadata and field.name in WORDS:
        told["description"] = WORDS[field.name]
    if field.allow_none and "enum" in field.metadata:
        told["enum"] = [*field.metadata["enum"], None]
    return told


def document(app: Flask) -> Api:
    """Start the document of an application; blueprints are registered with what this returns."""
    app.config.update(API_TITLE="AegisPay", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    api = Api(
        app,
        spec_kwargs={
            "info": {
                "description": DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
                "contact": {"name": "The operator of this installation"},
            },
            # Relative to where the document is: an installation doesn't know under which name it is reached.
            "servers": [{"url": "/", "description": "The installation that this document comes from."}],
            "security": [{"apiKey": []}],
            "marshmallow_plugin": _Schemas(),
        },
    )
    components = api.spec.components
    components.schemas.pop("PaginationMetadata")  # of flask-smorest's own pagination, which is not used
    components.security_scheme(
        "apiKey",
        {"type": "http", "scheme": "bearer", "description": "An API key; `aegis keys create` makes one."},
    )
    components.security_scheme(
        "metricsToken",
        {"type": "http", "scheme": "bearer", "description": "The AEGIS_METRICS_TOKEN of the installation."},
    )
    for name, header in _HEADERS.items():
        components.header(name, header)
    for name, parameter in _PARAMETERS.items():
        components.parameter(name, "header", parameter)
    for schema in PAYMENT_METHODS.values():
        components.schema(type(schema).__name__.removesuffix("Schema"), schema=schema)
    components.schema("BatchLine", schema=BatchLineSchema())
    return api


def headers(*names: str) -> dict[str, Any]:
    """Documented headers of an answer; Request-Id is always one of them."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Request-Id", *names)}


def takes(*names: str) -> Callable[[View], View]:
    """Documents the headers that a route takes; Request-Id is always one of them."""

    def documented(view: View) -> View:
        # Where flask-smorest's own decorators note what the document is made from.
        vars(view)["_apidoc"] = {**vars(view).get("_apidoc", {}), "request_headers": ["Request-Id", *names]}
        return view

    return documented


def refuses(
    *codes: str, open_to_all: bool = False, security: Sequence[Mapping[str, Any]] | None = None
) -> Callable[[View], View]:
    """Documents the problems that a route may answer, and, unless it is `open_to_all`, those of every route under /v1.

    A route with a `security` of its own is none of these, and takes no API key.
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
        return _documenting(Blueprint.doc(operationId=view.__name__, responses=responses, **more))(view)

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
