"""marshmallow fields that convert nothing: they accept a value unchanged or refuse it with a code and a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from aegis_worker.domain.text import LINE, LINES, LONGEST_NAME, NAME, is_line, is_lines, is_name


class Fault(str):
    """The reason for a refusal, with its stable `code`, in the form in which marshmallow carries messages."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, code: str, detail: str) -> Fault:
        fault = super().__new__(cls, detail)
        fault.code = code
        return fault


def refusal(code: str, detail: str) -> ValidationError:
    """A ValidationError with one Fault."""
    return ValidationError([Fault(code, detail)])


class StrictSchema(Schema):
    """Refuses unknown fields and anything that is not an object. Instances are built at import and shared.

    Fields are declared as marshmallow wants it, for the document, but read here: its own reading serves every kind of
    schema there is, at six times the cost, and would be a tenth of what accepting a payment takes.
    """

    class Meta:
        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._by_key = {
            name if field.data_key is None else field.data_key: (name, field)
            for name, field in self.load_fields.items()
        }

    def load(self, data: Any, **_: Any) -> dict[str, Any]:
        """The fields that `data` gives and the defaults of others. Raises ValidationError with all that is refused.

        Takes none of marshmallow's options.
        """
        if not isinstance(data, dict):
            raise ValidationError({"_schema": [_NOT_AN_OBJECT]})
        loaded: dict[str, Any] = {}
        refused: dict[str, Any] = {}
        for key, (name, field) in self._by_key.items():
            value = data.get(key, missing)
            if value is missing or value is None:
                if value is None and not field.allow_none:
                    refused[key] = [_EVERY_FIELD["null"]]
                elif field.required:
                    refused[key] = [_EVERY_FIELD["required"]]
                elif field.load_default is not missing:
                    loaded[name] = field.load_default
                continue
            try:
                loaded[name] = field._deserialize(value, key, data)
            except ValidationError as error:
                refused[key] = error.messages
        refused |= {key: [_UNKNOWN] for key in data if key not in self._by_key}
        if refused:
            raise ValidationError(refused)
        return loaded


class BodySchema(StrictSchema):
    """An object of a request's body. `null` for a field that may be left out is the same as leaving it out.

    So what an answer shows of a resource can be posted again, with the nulls of what it doesn't have.
    """

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Called by marshmallow for each field of an instance."""
        field_obj.allow_none = not field_obj.required


_NOT_AN_OBJECT = Fault("invalid_type", "Must be an object.")
_UNKNOWN = Fault("unknown_field", "This name is not known here.")
_EVERY_FIELD = {
    "required": Fault("required", "This field is required."),
    "null": Fault("invalid_type", "Must not be null."),
}
WRONG_CHARACTERS = Fault(
    "invalid_characters",
    "Must not contain control characters, other than tabs and line breaks where they are taken, nor what changes the "
    "direction of writing, tag characters, noncharacters or unpaired surrogates.",
)


class StrictField(fields.Field[Any]):
    """Base of the fields here. `_deserialize` accepts a value or raises ValidationError."""


class Object(fields.Nested):
    """An object that follows its own schema."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, *_: Any, **__: Any) -> Any:
        return self.schema.load(value)


class Verbatim(StrictField):
    """An object that is accepted as it is; another module checks what may stand in it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "object"} | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refusal("invalid_type", "Must be an object.")
        return value


class Text(StrictField):
    """A string of 1 to `longest` printable characters. It must match `pattern` as a whole, if there is one.

    It is a single line, unless `lines` is set.
    """

    def __init__(
        self,
        longest: int,
        *,
        pattern: str = "",
        form: str = "",
        shortest: int = 1,
        lines: bool = False,
        **kwargs: Any,
    ) -> None:
        documented: dict[str, Any] = {"type": "string", "minLength": shortest, "maxLength": longest}
        documented["pattern"] = f"^{pattern}$" if pattern else LINES if lines else LINE
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._longest = longest
        self._shortest = shortest
        self._pattern = re.compile(pattern) if pattern else None
        self._form = form
        self._is_text = is_lines if lines else is_line

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        if len(value) > self._longest:
            raise refusal("too_long", f"Must be at most {self._longest} characters.")
        if len(value) < self._shortest:
            raise refusal("too_short", f"Must be at least {self._shortest} character(s).")
        if not self._is_text(value):
            raise ValidationError([WRONG_CHARACTERS])
        if self._pattern is not None and not self._pattern.fullmatch(value):
            raise refusal("invalid_format", f"Must be {self._form}.")
        return value


class Name(Text):
    """A merchant's name for a payment. Kept as given; `same_name` decides which spellings are the same name."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {"pattern": NAME} | kwargs.pop("metadata", {})
        super().__init__(LONGEST_NAME, metadata=documented, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not is_name(text):
            raise refusal("invalid_format", "Must hold something that is seen.")
        return text


class OneOf(StrictField):
    """One of the given strings."""

    def __init__(
        self,
        values: Mapping[str, Any] | frozenset[str],
        form: str,
        **kwargs: Any,
    ) -> None:
        documented = {"type": "string", "enum": sorted(values)}
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)
        self._values = frozenset(values)
        self._form = form

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        if value not in self._values:
            raise refusal("invalid_value", f"Must be {self._form}.")
        return value


class Flag(StrictField):
    """true or false; no string or number stands for them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "boolean"} | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise refusal("invalid_type", "Must be true or false.")
        return value


class Whole(StrictField):
    """An integer as JSON writes it: no boolean, float or string."""

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
