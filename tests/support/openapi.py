"""A gateway's OpenAPI 3.1 document as a referee: what a call or an answer has that the document does not allow."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from support.gateway_specs import gateway_spec

_HERE = "urn:specification"


class Referee:
    """Checks JSON against one document. Schemas of OpenAPI 3.1 are those of JSON Schema 2020-12."""

    def __init__(self, document: Any) -> None:
        self._document = document
        resource: Resource[Any] = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_HERE, resource)

    def misfits_of_call(self, method: str, path: str, body: bytes) -> list[str]:
        """What is wrong with a JSON body that is sent there. `path` without the part that all paths share."""
        return self._misfits(self._operation(method, path)["requestBody"], json.loads(body))

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

    def _operation(self, method: str, path: str) -> Any:
        for template, operations in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path) and method.lower() in operations:
                return operations[method.lower()]
        raise AssertionError(f"no {method} {path} in the document")

    def _misfits(self, carrier: Any, value: Any) -> list[str]:
        schema = carrier["content"]["application/json"]["schema"]
        return self._by({"$ref": f"{_HERE}{schema['$ref']}"} if "$ref" in schema else schema, value)

    def _by(self, schema: Any, value: Any) -> list[str]:
        errors = Draft202012Validator(schema, registry=self._registry).iter_errors(value)
        return [f"{error.json_path}: {error.message[:300]}" for error in errors]


@cache
def _known(name: str) -> Referee:
    return Referee(gateway_spec(name))


def referee(name: str) -> Referee:
    """The referee of a specification, such as `adyen/CheckoutService-v71.json`. Skips the test where it is missing."""
    return _known(name)
