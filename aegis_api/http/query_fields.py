"""Fields of query strings. Every value is a string and is read as strictly as the body's fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from .fields import StrictField, Text, Whole, refusal

LONGEST_PAGE = 100
_LONGEST_NUMBER = 19  # digits of a 64-bit integer
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def page_start(prefix: str, what: str) -> Text:
    """The `starting_after` of a list of `what`, whose ids start with `prefix`."""
    return Text(
        64,
        pattern=prefix + r"_[0-9a-f]{32}",
        form=f"the id of {what}",
        metadata={
            "description": f"List what comes after {what} in the order of the list: next_cursor of the page before."
        },
    )


class Number(Whole):
    """A whole number written in decimal digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not (value.isascii() and value.isdecimal()) or len(value) > _LONGEST_NUMBER:
            raise refusal("invalid_type", "Must be a whole number in decimal digits.")
        return super()._deserialize(int(value), attr, data, **kwargs)


class Moment(StrictField):
    """An instant as RFC 3339 writes it, with its UTC offset."""

    def __init__(self, **kwargs: Any) -> None:
        documented = {
            "type": "string",
            "format": "date-time",
            "pattern": f"^{_MOMENT.pattern}$",
            "example": "2026-11-21T09:00:00Z",
        }
        super().__init__(metadata=documented | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if type(value) is not str:
            raise refusal("invalid_type", "Must be a string.")
        moment = _moment(value)
        if moment is not None:
            return moment
        hint = ""
        if _moment("+".join(value.rsplit(" ", 1))) is not None:
            hint = " A + in a query stands for a space: write it as %2B."
        raise refusal(
            "invalid_format", f"Must be an RFC 3339 time with an offset, such as 2026-11-21T09:00:00Z.{hint}"
        )


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class PastMoment(Moment):
    """An instant that is not in the future."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment = super()._deserialize(value, attr, data, **kwargs)
        if moment > datetime.now(UTC):
            raise refusal("out_of_range", "Must not be in the future.")
        return moment


def page_limit() -> Number:
    """The most rows that a page may have."""
    return Number(1, LONGEST_PAGE, load_default=20, metadata={"description": "How many to list at most."})
