"""Reads Razorpay's errors: razorpay.com/docs/errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..kit.reading import LONGEST_ID, child, identifier, words

# What stands where nothing more precise is known.
_NOTHING = frozenset({"", "NA", "input_validation_failed"})
_OF_THE_REQUEST = "BAD_REQUEST_ERROR"


class RazorpayError(Struct, frozen=True):
    """`code`: the kind of error. `reason`: the exact one where there is one, else empty. `field`: what of the request
    is wrong.
    """

    code: str
    reason: str = ""
    message: str = ""
    field: str = ""

    @property
    def said(self) -> str:
        """The most precise word for it."""
        return self.reason or self.code

    @property
    def is_of_the_request(self) -> bool:
        """Whether Razorpay refused the request, and nothing behind Razorpay failed."""
        return self.code == _OF_THE_REQUEST

    @property
    def is_about_a_receipt(self) -> bool:
        """Whether the receipt is not unique. Only the words tell: the code is that of every wrong request."""
        return self.field == "receipt" or "receipt should be unique" in self.message.lower()


def read_error(body: Mapping[str, Any]) -> RazorpayError:
    """The error of an answer. Raises Unreadable."""
    error = child(body, "error")
    return RazorpayError(
        identifier(error, "code"),
        precise(words(error, "reason")),
        words(error, "description"),
        words(error, "field")[:LONGEST_ID],
    )


def precise(reason: str) -> str:
    """The reason, if it says more than that there was an error; else empty."""
    return "" if reason in _NOTHING else reason[:LONGEST_ID]
