"""Fields of answers, with what the OpenAPI document says about them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields


def text(
    description: str = "",
    *,
    none: bool = False,
    required: bool = True,
    data_key: str | None = None,
    **more: Any,
) -> fields.String:
    """A string in an answer. `more` holds further keywords of JSON Schema."""
    metadata = {**({"description": description} if description else {}), **more}
    return fields.String(required=required, allow_none=none, data_key=data_key, metadata=metadata)


def one_of(*values: str, description: str = "") -> fields.String:
    """A string that is one of these values."""
    return text(description, enum=list(values))


def table(heads: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    """A Markdown table, for a description."""
    lines = [heads, ("---",) * len(heads), *((f"`{name}`", *rest) for name, *rest in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def whole(description: str = "", *, none: bool = False) -> fields.Integer:
    """An integer."""
    metadata = {"description": description} if description else {}
    return fields.Integer(required=True, allow_none=none, metadata=metadata)


def number(description: str = "", *, none: bool = False) -> fields.Float:
    """A number with a fraction."""
    metadata = {"description": description} if description else {}
    return fields.Float(required=True, allow_none=none, metadata=metadata)


def time(description: str = "", *, none: bool = False, required: bool = True) -> fields.String:
    """An instant as RFC 3339 writes it."""
    return text(description, none=none, required=required, format="date-time")


def an_object(description: str, *, none: bool = False) -> fields.Dict:
    """An object whose fields are not fixed."""
    return fields.Dict(required=True, allow_none=none, metadata={"description": description})


class Answer(Schema):
    """Base of the answers. Later versions may add fields, so the document does not forbid others.

    A subclass's docstring is what the document says about it.
    """

    class Meta:
        unknown = EXCLUDE
