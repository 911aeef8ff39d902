"""Fields with rules of their own: reasons, web addresses, unions (an object whose `type` picks a schema), metadata."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields

from aegis_worker.domain.hosts import PAGE_URL, is_host
from aegis_worker.domain.metadata import (
    FLOATS_BELOW,
    KEY_FORM,
    KEY_RULE,
    LARGEST_INTEGER,
    LONGEST_TEXT,
    MOST_KEYS,
    WrongValue,
    is_key,
    wrong_with,
)
from aegis_worker.domain.text import LINES
from aegis_worker.persistence.audit_log import LONGEST_REASON, SHORTEST_REASON
from aegis_worker.strict_json import canonical, deeper_than

from .fields import WRONG_CHARACTERS, Fault, StrictField, StrictSchema, Text, refusal

_OPAQUE_NAMES, _OPAQUE_LEVELS, _OPAQUE_BYTES = 50, 6, 32_768
_LOOPBACK_NAMES = {"localhost"}
_FAULTS: Mapping[WrongValue, Fault] = {
    "too long": Fault("too_long", f"Must be at most {LONGEST_TEXT} characters."),
    "characters": WRONG_CHARACTERS,
    "type": Fault("invalid_type", "Must be a string, a number, a boolean or null."),
    "64 bits": Fault("out_of_range", "Must fit into 64 bits."),
    "float": Fault(
        "out_of_range", "A number with a fraction must be smaller than 1e15; send a string instead."
    ),
}


class Reason(Text):
    """An operator's reason for a decision, at most as long as the audit log allows."""

    def __init__(self, description: str, **kwargs: Any) -> None:
        super().__init__(
            LONGEST_REASON, shortest=SHORTEST_REASON, metadata={"description": description}, **kwargs
        )


class WebAddress(Text):
    """The absolute URL of a page: https, or http on loopback for a developer's own machine."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {"format": "uri"} | kwargs.pop("metadata", {})
        form = "an absolute https URL without a user (http for loopback only)"
        super().__init__(2048, pattern=PAGE_URL, form=form, metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname, parts.port
        except ValueError:
            raise refusal("invalid_format", "Must be an absolute URL.") from None
        if not host or not is_host(host):
            raise refusal("invalid_format", "Must have the name or address of a host that can be.")
        if parts.scheme == "http" and not _is_loopback(host):
            raise refusal("invalid_format", "Must be https; http is for loopback addresses only.")
        return text


class Union(StrictField):
    """An object whose `type` says which schema it follows. `schemas` maps each type to an instance of its schema."""

    def __init__(self, schemas: Mapping[str, StrictSchema], **kwargs: Any) -> None:
        references = {name: _reference(schema) for name, schema in schemas.items()}
        documented = {
            "oneOf": [{"$ref": reference} for reference in references.values()],
            "discriminator": {"propertyName": "type", "mapping": references},
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self.schemas = schemas
        self._choices = ", ".join(schemas)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        kind = value.get("type")
        if kind is None:
            raise ValidationError(
                {"type": [Fault("required", f"This field is required: one of {self._choices}.")]}
            )
        schema = self.schemas.get(kind) if type(kind) is str else None
        if schema is None:
            raise ValidationError({"type": [Fault("invalid_value", f"Must be one of {self._choices}.")]})
        return schema.load(value)


class Objects(fields.List[Any]):
    """1 to `most` objects that follow the same schema."""

    def __init__(self, schema: StrictSchema, *, most: int, **kwargs: Any) -> None:
        documented = {"minItems": 1, "maxItems": most} | kwargs.pop("metadata", {})
        super().__init__(fields.Nested(schema), metadata=documented, **kwargs)
        self._schema, self._most = schema, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise refusal("invalid_type", "Must be an array.")
        if not 1 <= len(value) <= self._most:
            raise refusal("out_of_range", f"Must have 1 to {self._most} elements.")
        loaded: list[Any] = []
        refused: dict[int, Any] = {}
        for number, item in enumerate(value):
            try:
                loaded.append(self._schema.load(item))
            except ValidationError as error:
                refused[number] = error.messages
        if refused:
            raise ValidationError(refused)
        return loaded


class Metadata(StrictField):
    """At most 50 keys with plain values: string, integer, boolean, null, or a finite number."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "object",
            "maxProperties": MOST_KEYS,
            "additionalProperties": {
                "description": (
                    "A number that is written with a fraction or an exponent must be smaller than 1e15; send a string "
                    "instead."
                ),
                "anyOf": [
                    {"type": "string", "maxLength": LONGEST_TEXT, "pattern": LINES},
                    {"type": "integer", "minimum": -LARGEST_INTEGER - 1, "maximum": LARGEST_INTEGER},
                    {"type": "number", "exclusiveMinimum": -FLOATS_BELOW, "exclusiveMaximum": FLOATS_BELOW},
                    {"type": ["boolean", "null"]},
                ],
            },
            "propertyNames": {"pattern": f"^{KEY_FORM}$"},
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        if len(value) > MOST_KEYS:
            raise refusal("too_long", f"Must have at most {MOST_KEYS} keys.")
        faults = {key: list(_faults_of_entry(key, item)) for key, item in value.items()}
        faults = {key: found for key, found in faults.items() if found}
        if faults:
            raise ValidationError(faults)
        return value


class Opaque(StrictField):
    """An object that is handed on as it is: at most 50 names, 6 levels and 32,768 bytes of JSON."""

    def __init__(self, **kwargs: Any) -> None:
        documented: dict[str, Any] = {"type": "object", "maxProperties": _OPAQUE_NAMES}
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        if len(value) > _OPAQUE_NAMES:
            raise refusal("too_long", f"Must have at most {_OPAQUE_NAMES} names.")
        if deeper_than(value, _OPAQUE_LEVELS):
            raise refusal("too_deep", f"Must not be nested deeper than {_OPAQUE_LEVELS} levels.")
        if len(canonical(value)) > _OPAQUE_BYTES:
            raise refusal("too_long", f"Must be at most {_OPAQUE_BYTES} bytes of JSON.")
        return value


def _faults_of_entry(key: str, value: Any) -> Iterator[Fault]:
    if not is_key(key):
        yield Fault("invalid_key", KEY_RULE)
    wrong = wrong_with(value)
    if wrong is not None:
        yield _FAULTS[wrong]


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reference(schema: StrictSchema) -> str:
    return f"#/components/schemas/{type(schema).__name__.removesuffix('Schema')}"
