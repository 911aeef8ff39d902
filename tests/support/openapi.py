"""A gateway's OpenAPI document as a referee: what a call or an answer has that the document does not allow.

Schemas of OpenAPI 3.1 are those of JSON Schema 2020-12. Those of 3.0 are read as such, which is true of what gateways use
of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from support.gateway_specs import gateway_spec

_HERE = "urn:specification"


class Referee:
    """Checks JSON against one document."""

    def __init__(self, document: Any) -> None:
        self._document = document
        resource: Resource[Any] = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_HERE, resource)

    def misfits_of_call(self, method: str, path: str, body: bytes) -> list[str]:
        """What is wrong with a JSON body that is sent there. `path` without the part that all paths share."""
        return self._misfits(self._operation(method, path)["requestBody"], json.loads(body))

    def unknown_in_call(self, method: str, path: str, body: bytes) -> list[str]:
        """The fields of a JSON body that the document does not name, for documents that allow any besides."""
        carrier = self._operation(method, path)["requestBody"]
        return list(self._unknown(carrier["content"]["application/json"]["schema"], json.loads(body), ""))

    def headers_of(self, method: str, path: str) -> set[str]:
        """The headers that the document names of a call."""
        named = [self._resolved(one) for one in self._operation(method, path).get("parameters", ())]
        return {one["name"] for one in named if one["in"] == "header"}

    def misfits_of_answer(self, method: str, path: str, status: int, body: bytes) -> list[str]:
        """What is wrong with a JSON body that was answered there."""
        responses = self._operation(method, path)["responses"]
        assert str(status) in responses, f"{path} has no answer {status}"
        return self._misfits(responses[str(status)], json.loads(body))

    def misfits_of_webhook(self, name: str, body: bytes) -> list[str]:
        """What is wrong with the JSON body of a webhook."""
        return self._misfits(self._document["webhooks"][f"/{name}"]["post"]["requestBody"], json.loads(body))

    def misfits(self, schema: str, value: Any) -> list[str]:
        """What is wrong with a value by one of the document's named schemas."""
        return self._by({"$ref": f"{_HERE}#/components/schemas/{schema}"}, value)

    def _unknown(self, schema: Any, value: Any, where: str) -> Iterator[str]:
        known, of_items = self._fields(schema)
        if isinstance(value, dict):
            for name, inner in value.items():
                if name in known:
                    yield from self._unknown(known[name], inner, f"{where}.{name}")
                else:
                    yield f"{where}.{name}"
        elif isinstance(value, list):
            for inner in value:
                yield from self._unknown(of_items, inner, f"{where}[]")

    def _fields(self, schema: Any) -> tuple[dict[str, Any], Any]:
        """The schemas of an object's fields, and of a list's items."""
        schema = self._resolved(schema)
        known, of_items = dict(schema.get("properties", {})), schema.get("items", {})
        for part in schema.get("allOf", ()):
            more, items = self._fields(part)
            known |= more
            of_items = of_items or items
        return known, of_items

    def _resolved(self, schema: Any) -> Any:
        while "$ref" in schema:
            found = self._document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        return schema

    def _operation(self, method: str, path: str) -> Any:
        for template, operations in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path) and method.lower() in operations:
                return operations[method.lower()]
        raise AssertionError(f"no {method} {path} in the document")

    def _misfits(self, carrier: Any, value: Any) -> list[str]:
        schema = json.dumps(carrier["content"]["application/json"]["schema"])
        # What it refers to lies in the document.
        return self._by(json.loads(schema.replace('"$ref": "#', f'"$ref": "{_HERE}#')), value)

    def _by(self, schema: Any, value: Any) -> list[str]:
        errors = Draft202012Validator(schema, registry=self._registry).iter_errors(value)
        return [f"{error.json_path}: {error.message[:300]}" for error in errors]


@cache
def _known(name: str) -> Referee:
    return Referee(gateway_spec(name))


def referee(name: str) -> Referee:
    """The referee of a specification, such as `adyen/CheckoutService-v71.json`. Skips the test where it is missing."""
    return _known(name)
