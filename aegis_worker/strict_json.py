"""JSON bodies, read so that every reader would read the same (RFC 8259, and I-JSON, RFC 7493), and their canonical form."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from typing import Any

from aegis_worker.errors import Refused

# Deeper than any body that a schema accepts, shallow enough to walk by recursion.
_MAX_DEPTH = 16


class MalformedJson(Refused):
    """The body is not one JSON object; the message says why, without repeating any of it.

    `line`, `column`: where, from 1; where nothing better is known, at its beginning.
    """

    code = "malformed_json"

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def parse(body: bytes) -> dict[str, Any]:
    """The object that `body` holds. Raises MalformedJson, also for duplicate keys, NaN, Infinity and deep nesting.

    And for half a surrogate pair, which is no text: it can be neither sent on nor kept.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        raise MalformedJson(
            f"The body is not UTF-8: invalid byte at offset {error.start}.",
            line=before.count(b"\n") + 1,
            column=len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1,
        ) from None
    if not text.strip():
        raise MalformedJson("The body is empty; a JSON object is needed.")
    if text.startswith("\ufeff"):
        raise MalformedJson("The body begins with a byte order mark; JSON has none.")
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            line=error.lineno,
            column=error.colno,
        ) from None
    except RecursionError:
        raise MalformedJson(f"The body is nested deeper than {_MAX_DEPTH} levels.") from None
    except ValueError:  # the interpreter's own bound on the digits of an integer
        raise MalformedJson("The body holds a number with too many digits.") from None
    if not isinstance(value, dict):
        raise MalformedJson("The body must be a JSON object.")
    # Counting brackets is cheap and never too low, so most bodies need no second look.
    if body.count(b"{") + body.count(b"[") > _MAX_DEPTH and deeper_than(value, _MAX_DEPTH):
        raise MalformedJson(f"The body is nested deeper than {_MAX_DEPTH} levels.")
    # Only an escape can spell one: the bytes themselves are UTF-8.
    if b"\\u" in body and not _is_text(value):
        raise MalformedJson("The body holds half a surrogate pair, which is no text.")
    return value


def canonical(value: Mapping[str, Any]) -> bytes:
    """One spelling for equal values: sorted keys, no spaces, UTF-8, shortest form of each number."""
    return _encode(value).encode()


def request_hmac(secret: str, route: str, body: Mapping[str, Any]) -> bytes:
    """HMAC-SHA256 over the route and the whole canonical body: equal for the same request, whatever its spelling."""
    # Not hmac.digest, which lets another thread run meanwhile: on a busy server that thread keeps the interpreter for long.
    return hmac.new(secret.encode(), route.encode() + b"\n" + canonical(body), "sha256").digest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedJson("The body holds an object with the same key twice.")
    return value


def _no_constant(name: str) -> Any:
    raise MalformedJson(f"The body holds {name.lstrip('-')}, which is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise MalformedJson("The body holds a number too large to be one.")
    return value


# Made once: json's own functions make one for each call that isn't as usual.
_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _is_text(value: Mapping[str, Any]) -> bool:
    try:
        canonical(value)
    except UnicodeEncodeError:
        return False
    return True


def deeper_than(value: Any, levels: int) -> bool:
    """Whether objects and lists stand in one another more than `levels` deep."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    items = value.values() if isinstance(value, dict) else value
    return any(deeper_than(item, levels - 1) for item in items)
