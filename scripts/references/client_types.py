"""Schemas of an OpenAPI 3.1 document as Python types."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

# A longer list of values, such as all currencies, tells a reader nothing.
_MOST_LITERALS = 16
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


class TypedDicts:
    """The document's named schemas become typed dictionaries; what else stands there becomes an expression."""

    @staticmethod
    def written(name: str, schema: Mapping[str, Any]) -> str:
        """The class of a named schema."""
        required = set(schema.get("required", ()))
        kinds = {
            field: kind if field in required else f"NotRequired[{kind}]"
            for field, of_field in schema.get("properties", {}).items()
            for kind in (TypedDicts.expression(of_field),)
        }
        about = _sentence(schema.get("description", name))
        if any(keyword.iskeyword(field) for field in kinds):
            lines = [f"# {about}", f"{name} = TypedDict(", f'    "{name}",', "    {"]
            lines += [f'        "{field}": {kind!r},' for field, kind in kinds.items()]
            return "\n".join([*lines, "    },", ")", ""])
        lines = [f"class {name}(TypedDict):", f'    """{about}"""', ""]
        return "\n".join([*lines, *(f"    {field}: {kind}" for field, kind in kinds.items()), ""])

    @staticmethod
    def expression(schema: Mapping[str, Any]) -> str:
        """The type of a value."""
        if "$ref" in schema:
            return str(schema["$ref"]).rsplit("/", 1)[1]
        for several in ("oneOf", "anyOf"):
            if several in schema:
                return _either(TypedDicts.expression(one) for one in schema[several])
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        return _either(_of_kind(kind, schema) for kind in kinds) if kinds else "Any"


def _of_kind(kind: str, schema: Mapping[str, Any]) -> str:
    values = [value for value in schema.get("enum", ()) if value is not None]
    if kind == "string" and values and len(values) <= _MOST_LITERALS:
        return f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in values)}]"
    if kind == "array":
        return f"list[{TypedDicts.expression(schema.get('items', {}))}]"
    if kind == "object":
        further = schema.get("additionalProperties")
        return f"dict[str, {TypedDicts.expression(further) if isinstance(further, Mapping) else 'Any'}]"
    return _SIMPLE[kind]


def _either(kinds: Any) -> str:
    return " | ".join(dict.fromkeys(kinds))


def _sentence(text: str) -> str:
    """The first sentence, on one line."""
    line = " ".join(text.split("\n\n")[0].split()).replace("\\", "")
    first = line.split(". ")[0].rstrip(".:")
    return f"{first}."
