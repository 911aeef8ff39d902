"""Writes a body as Stripe takes it: a form, with brackets for what lies inside. Pure.

Source: docs.stripe.com/api, "Our API has predictable resource-oriented URLs, accepts form-encoded request bodies".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode


def form(fields: Mapping[str, Any]) -> bytes:
    """`{"card": {"token": "tok_1"}, "expand": ["a"]}` is `card[token]=tok_1&expand[0]=a`, percent-encoded.

    What is None is left out.
    """
    return urlencode(list(_pairs("", fields))).encode()


def _pairs(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _pairs(f"{prefix}[{name}]" if prefix else str(name), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from _pairs(f"{prefix}[{number}]", inner)
    elif isinstance(value, bool):
        yield prefix, "true" if value else "false"
    elif value is not None:
        yield prefix, str(value)
