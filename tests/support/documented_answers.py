"""Checks that an answer of the API is one that its OpenAPI document describes."""

from __future__ import annotations

from typing import Any, cast

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse


def follows(document: dict[str, Any], path: str, method: str, answer: TestResponse) -> None:
    """Assert that the document describes this answer for the operation, including its schema and headers."""
    described = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in described, f"{method} {path} may not answer {answer.status_code}"
    response = described[str(answer.status_code)]
    if "content" not in response:
        assert answer.data == b""
        return
    content = response["content"][answer.content_type]
    body = answer.json if answer.is_json else answer.text
    Draft202012Validator({**content["schema"], "components": document["components"]}).validate(body)
    if answer.is_json:
        assert set(cast("dict[str, Any]", answer.json)) - properties(document, content["schema"]) == set()
    for name in (
        "Request-Id",
        "Location",
        "ETag",
        "Retry-After",
        "Idempotent-Replayed",
        "Preference-Applied",
    ):
        assert name not in answer.headers or name in response["headers"], (path, answer.status_code, name)


def properties(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    return set(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["properties"])
