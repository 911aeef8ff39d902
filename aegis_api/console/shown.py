"""How the console writes amounts, times, ids and figures: one form of each, on every page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.moments import readable
from aegis_worker.domain.money import as_decimal
from aegis_worker.observability.redaction import HIDDEN
from aegis_worker.queries.wording import duration

_NOTHING = "–"
_SIZES = ((86_400, "d"), (3600, "h"), (60, "min"))
# An id is shown by its beginning and its end: those made at one time begin alike.
_LONGEST_ID, _HEAD, _TAIL = 22, 8, 6


def amount(minor: int, currency: str) -> str:
    """`1,280.50`, without the currency."""
    units, point, fraction = as_decimal(abs(minor), EXPONENTS.get(currency, 2)).partition(".")
    sign = "\N{MINUS SIGN}" if minor < 0 else ""
    return f"{sign}{int(units):,}{point}{fraction}"


def decimal(minor: int, currency: str) -> str:
    """`1280.50`: what a person types to confirm an amount."""
    return as_decimal(minor, EXPONENTS.get(currency, 2))


def sums(of: Sequence[Mapping[str, Any]]) -> str:
    """`1,280.50 USD, 640.00 EUR`. Sums never cross currencies."""
    return ", ".join(f"{amount(each['minor'], each['currency'])} {each['currency']}" for each in of)


def moment(at: str | datetime) -> datetime:
    """A time as it stands in a body, or as it is."""
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def exact(at: str | datetime) -> str:
    """`2026-11-26 03:12:06.950 UTC`."""
    return f"{readable(moment(at))} UTC"


def clock(at: str | datetime) -> str:
    """`03:12:06.950`, where the day is said elsewhere."""
    return readable(moment(at)).partition(" ")[2]


def ago(at: str | datetime) -> str:
    """`34 s ago`, `22 min ago`, or `in 40 s` for what is to come. By the clock of this process."""
    passed_s = (datetime.now(UTC) - moment(at)).total_seconds()
    if passed_s < -0.5:
        return f"in {span(-passed_s)}"
    return f"{span(max(0.0, passed_s))} ago"


def span(seconds: float | None) -> str:
    """`0.4 s`, `34 s`, `22 min`, `5 h`, `2 d`: the largest unit alone."""
    if seconds is None:
        return _NOTHING
    for size, unit in _SIZES:
        if round(seconds) >= size:
            return f"{round(seconds) // size} {unit}"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{round(seconds)} s"


def later(seconds: float) -> str:
    """`+57 ms`, `+32.1 s`, `+3 min 42 s`: since what happened before."""
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    return f"+{seconds:.1f} s" if seconds < 60 else f"+{duration(seconds)}"


def short_id(id_: str) -> str:
    """`pay_01a2…2da8a1`: both ends, so that two can be told apart."""
    if len(id_) <= _LONGEST_ID:
        return id_
    return f"{id_[:_HEAD]}…{id_[-_TAIL:]}"


def percent(rate: float | None) -> str:
    """`92.6 %`."""
    return _NOTHING if rate is None else f"{rate * 100:.1f} %"


def ms(value: float | None) -> str:
    """`413 ms`, `8.0 s`."""
    if value is None:
        return _NOTHING
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def count(number: int) -> str:
    """`11,934`."""
    return f"{number:,}"


def words(name: object) -> str:
    """`not_charged` as `not charged`."""
    return str(name).replace("_", " ")


def upper_first(text: str) -> str:
    """A sentence's beginning; what follows stays as it is, and so does a gateway's name."""
    first = text.partition(" ")[0]
    return text if "_" in first or any(letter.isdigit() for letter in first) else text[:1].upper() + text[1:]


def as_json(value: Any) -> str:
    """JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def hidden_apart(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether something was hidden there before it was kept."""
    pieces: list[tuple[str, bool]] = []
    for number, piece in enumerate(text.split(HIDDEN)):
        pieces += [("hidden", True)] if number else []
        pieces += [(piece, False)] if piece else []
    return pieces


FILTERS: Mapping[str, Callable[..., Any]] = {
    "amount": amount,
    "decimal": decimal,
    "sums": sums,
    "exact": exact,
    "clock": clock,
    "ago": ago,
    "span": span,
    "later": later,
    "short_id": short_id,
    "percent": percent,
    "ms": ms,
    "count": count,
    "words": words,
    "upper_first": upper_first,
    "as_json": as_json,
    "hidden_apart": hidden_apart,
    "iso": lambda at: at if isinstance(at, str) else at.isoformat(),
}
"""By the name that templates call each by."""
