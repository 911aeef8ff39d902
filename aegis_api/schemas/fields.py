"""marshmallow fields that convert nothing: a value is taken as it is or refused, with a code and a reason."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, Schema, ValidationError, fields

# Control characters, line separators, unpaired surrogates, noncharacters: nothing that a person types into a form.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_MAX_64_BIT = 2**63 - 1
# Up to here a float and a decimal of 15 digits are the same number for every reader.
_MAX_FLOAT = 1e15
_METADATA_KEY = re.compile(r"[A-Za-z0-9_]{1,128}", re.ASCII)
_METADATA_KEYS, _METADATA_TEXT = 50, 1000
_LOOPBACK_NAMES = {"localhost"}


class Fault(str):
    """A refusal's reason, as marshmallow carries it, with the stable `code` that goes with it."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, detail: str) -> Fault:
        fault = super().__new__(cls, detail)
        fault.code = code
        return fault

    def __deepcopy__(self, memo: Any) -> Fault:
        return self  # flask-smorest copies schemas for the document


def refusal(code: str, detail: str) -> ValidationError:
    """A ValidationError with one Fault."""
    return ValidationError([Fault(code, detail)])


class StrictSchema(Schema):
    """Refuses unknown fields and anything that is not an object. Instances are built at import and shared."""

    error_messages = {  # noqa: RUF012 — marshmallow's own way to override them
        "unknown": Fault("unknown_field", "This name is not known here."),
        "type": Fault("invalid_type", "Must be an object."),
    }

    class Meta:
        unknown = RAISE


_EVERY_FIELD = {
    "required": Fault("required", "This field is required."),
    "null": Fault("invalid_type", "Must not be null; leave the field out instead."),
}


class StrictField(fields.Field[Any]):
    """Base of the fields here: the two refusals that every field may give, with their codes."""

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        """marshmallow's hook for `required` and `null`; its own would lose the code."""
        return ValidationError([_EVERY_FIELD[key]])

    def _validate(self, value: Any) -> None:
        # marshmallow builds a chain for each value, also where there is nothing in it: a field here refuses by itself.
        if self.validators:
            super()._validate(value)


class Object(fields.Nested):
    """An object that follows a schema of its own."""

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        """As for every other field."""
        return ValidationError([_EVERY_FIELD[key]])


class Verbatim(StrictField):
    """An object that is taken as it is: something else knows what may stand in it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "object"} | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        return value


class Text(StrictField):
    """A string of 1 to `longest` characters without control characters; wholly matching `pattern`, where there is one."""

    def __init__(
        self, longest: int, *, pattern: str = "", form: str = "", shortest: int = 1, **kwargs: Any
    ) -> None:
        documented: dict[str, Any] = {"type": "string", "minLength": shortest, "maxLength": longest}
        if pattern:
            documented["pattern"] = f"^{pattern}$"
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._longest = longest
        self._shortest = shortest
        self._pattern = re.compile(pattern, re.ASCII) if pattern else None
        self._form = form

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        if len(value) > self._longest:
            raise refusal("too_long", f"Must be at most {self._longest} characters.")
        if len(value) < self._shortest:
            raise refusal("too_short", f"Must be at least {self._shortest} character(s).")
        if _FORBIDDEN.search(value):
            raise refusal("invalid_characters", "Must not contain control characters or unpaired surrogates.")
        if self._pattern is not None and not self._pattern.fullmatch(value):
            raise refusal("invalid_format", f"Must be {self._form}.")
        return value


class OneOf(StrictField):
    """One of the given strings. `refused` gives a reason of its own for values that are known but not taken yet."""

    def __init__(
        self,
        values: Mapping[str, Any] | frozenset[str],
        form: str,
        *,
        refused: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        documented = {"type": "string", "enum": sorted(values)}
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._values = frozenset(values)
        self._form = form
        self._refused = refused or {}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        if value in self._refused:
            raise refusal("not_available", self._refused[value])
        if value not in self._values:
            raise refusal("invalid_value", f"Must be {self._form}.")
        return value


class Flag(StrictField):
    """true or false, and no word for them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "boolean"} | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise refusal("invalid_type", "Must be true or false.")
        return value


class Whole(StrictField):
    """An integer as JSON writes one: no boolean, no float, no string."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        documented = {"type": "integer", "minimum": least, "maximum": most}
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._least = least
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise refusal("invalid_type", "Must be an integer.")
        if not self._least <= value <= self._most:
            raise refusal("out_of_range", f"Must be from {self._least} to {self._most}.")
        return value


class WebAddress(Text):
    """An absolute https URL; http only for loopback, where a developer's own machine listens."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {"format": "uri"} | kwargs.pop("metadata", {})
        super().__init__(
            2048, pattern=r"[!-~]+", form="a URL in printable ASCII", metadata=documented, **kwargs
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            parts = urlsplit(text)
            host, _port = parts.hostname, parts.port
        except ValueError:
            raise refusal("invalid_format", "Must be an absolute URL.") from None
        if parts.scheme not in ("https", "http") or not host or "\\" in text:
            raise refusal("invalid_format", "Must be an absolute https URL.")
        if parts.username is not None or parts.password is not None:
            raise refusal("invalid_format", "Must not carry a user name or password.")
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


class Metadata(StrictField):
    """At most 50 keys of `[A-Za-z0-9_]` with plain values: string, integer, boolean, null, or a finite number."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "object",
            "maxProperties": _METADATA_KEYS,
            "additionalProperties": {
                "type": ["string", "integer", "number", "boolean", "null"],
                "maxLength": _METADATA_TEXT,
            },
            "propertyNames": {"pattern": f"^{_METADATA_KEY.pattern}$"},
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        if len(value) > _METADATA_KEYS:
            raise refusal("too_long", f"Must have at most {_METADATA_KEYS} keys.")
        faults = {key: list(_faults_of_entry(key, item)) for key, item in value.items()}
        faults = {key: found for key, found in faults.items() if found}
        if faults:
            raise ValidationError(faults)
        return value


def _faults_of_entry(key: str, value: Any) -> Iterator[Fault]:
    if not _METADATA_KEY.fullmatch(key):
        yield Fault("invalid_key", "A metadata key must be 1 to 128 characters of A-Z, a-z, 0-9 and _.")
    if isinstance(value, str):
        if len(value) > _METADATA_TEXT:
            yield Fault("too_long", f"Must be at most {_METADATA_TEXT} characters.")
        elif _FORBIDDEN.search(value):
            yield Fault("invalid_characters", "Must not contain control characters or unpaired surrogates.")
    elif isinstance(value, dict | list):
        yield Fault("invalid_type", "Must be a string, a number, a boolean or null.")
    elif type(value) is int and not -_MAX_64_BIT - 1 <= value <= _MAX_64_BIT:
        yield Fault("out_of_range", "Must fit into 64 bits.")
    elif isinstance(value, float) and not (math.isfinite(value) and abs(value) < _MAX_FLOAT):
        yield Fault(
            "out_of_range", "A number with a fraction must be smaller than 1e15; send a string instead."
        )


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reference(schema: StrictSchema) -> str:
    return f"#/components/schemas/{type(schema).__name__.removesuffix('Schema')}"
