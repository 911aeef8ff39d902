"""What the operations of the OpenAPI document share: headers, and how schemas are described."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin, OpenAPIConverter

from aegis_worker.domain.text import KEY, LONGEST_NAME

from .words import WORDS

HEADERS: dict[str, dict[str, Any]] = {
    "Request-Id": {
        "description": "The id of this request: the caller's own, or a new one.",
        "schema": {"type": "string"},
    },
    "Correlation-Id": {
        "description": "What logs, traces and webhooks name what this request brings about by: the caller's own, or the "
        "request's id.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The URL at which the result can be read.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "How many seconds to wait before asking, or asking again.",
        "schema": {"type": "integer"},
    },
    "ETag": {
        "description": "The version of the object in the answer, in quotes.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Idempotent-Replayed": {
        "description": "`true` if an earlier request with the same key was accepted, and this answer repeats its result.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Preference-Applied": {
        "description": "`wait=N` if the wait that Prefer asked for was made.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}

PARAMETERS: dict[str, dict[str, Any]] = {
    "Request-Id": {
        "description": "Your own id for this request, 8 to 128 characters of `A-Z a-z 0-9 . _ -`. The answer repeats it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,128}$"},
    },
    "Correlation-Id": {
        "description": (
            "Your own name for what this request is part of, 8 to 128 characters of `A-Z a-z 0-9 . _ -`. The answer "
            "repeats it, and so do the webhooks of what this request brings about. `X-Correlation-Id` is taken, too."
        ),
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,128}$"},
    },
    "Idempotency-Key": {
        "required": True,
        "description": (
            "1 to 255 printable ASCII characters without a comma. Use a new key for each payment, and repeat the key when "
            "you repeat the request. The same key with the same request gives the first answer again; with another request "
            "it is refused. Keys are kept for 72 h. Spaces around a key are ignored. A request that has this header twice "
            "is refused."
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
        "description": "An ETag from an earlier answer. The request is refused if the version has changed since.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "If-None-Match": {
        "description": "An ETag from an earlier answer. The answer is 304 while the payment still has that version.",
        "schema": {"type": "string"},
    },
}


class _Converter(OpenAPIConverter):
    def init_attribute_functions(self) -> None:
        super().init_attribute_functions()
        self.add_attribute_function(_keywords)


class Schemas(MarshmallowPlugin):
    """apispec's plugin, which also documents a schema's docstring and what the names of its fields mean."""

    Converter = _Converter

    def schema_helper(self, name: Any, _: Any, schema: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        """The document's description of a schema."""
        told = super().schema_helper(name, _, schema=schema, **kwargs)
        about = (schema if isinstance(schema, type) else type(schema)).__doc__
        return told and {**told, "description": cleandoc(about or "")}


def _keywords(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    """The keywords that apispec does not take from a field's metadata, and the usual meaning of the field's name."""
    told = {
        name: field.metadata[name] for name in ("discriminator", "propertyNames") if name in field.metadata
    }
    if "description" not in field.metadata and field.name in WORDS:
        told["description"] = WORDS[field.name]
    if field.allow_none and "enum" in field.metadata:
        told["enum"] = [*field.metadata["enum"], None]
    return told
