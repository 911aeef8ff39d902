"""Errors as Braintree shows them: what was wrong with a request, or the transaction that was declined. Pure.

Source: developer.paypal.com/braintree/docs/reference/general/validation-errors/overview.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from ..kit.reading import child, identifier, words

ROOT = "api-error-response"


class BraintreeError(Struct, frozen=True):
    """Why a request was refused. `codes`: of each thing that is wrong with it. `transaction`: the one that was declined;
    None where none was made.
    """

    message: str
    codes: tuple[str, ...]
    transaction: Mapping[str, Any] | None

    @property
    def code(self) -> str:
        """The first of the codes; empty where there is none."""
        return self.codes[0] if self.codes else ""


def read_error(document: Mapping[str, Any]) -> BraintreeError:
    """The error in an answer. Raises Unreadable."""
    body = child(document, ROOT)
    found = _listed(body.get("errors"))
    return BraintreeError(
        words(body, "message"),
        tuple(identifier(one, "code") for one in found),
        child(body, "transaction") if body.get("transaction") else None,
    )


def _listed(errors: Any) -> Iterator[Mapping[str, Any]]:
    """All errors, at whatever depth they stand: each part of a request has a list of its own."""
    if isinstance(errors, list):
        yield from (one for one in errors if isinstance(one, dict))
    elif isinstance(errors, dict):
        for inner in errors.values():
            yield from _listed(inner)
