"""What a list of payments is filtered by: read from an address, said in words, and written into one again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.transitions import State
from aegis_worker.queries.payments import PaymentFilters

from . import signs
from .typed import amount_in

SPANS = {
    "1h": ("last hour", timedelta(hours=1)),
    "24h": ("last 24 hours", timedelta(days=1)),
    "7d": ("last 7 days", timedelta(days=7)),
    "30d": ("last 30 days", timedelta(days=30)),
}
NAMES = (
    "state",
    "certainty",
    "gateway",
    "within",
    "amount_from",
    "amount_to",
    "currency",
    "customer_id",
    "reference",
    "error_code",
)
MORE = ("amount_from", "amount_to", "currency", "customer_id", "reference", "error_code")


class Unreadable(ValueError):
    """A filter that can't be read; says what it should be."""


def filters_of(given: Mapping[str, str]) -> PaymentFilters:
    """The filters that an address gives. Raises Unreadable."""
    currency = given.get("currency")
    if currency is not None and currency.upper() not in EXPONENTS:
        raise Unreadable(f"{currency!r} is no currency that can be charged.")
    state, certainty, within = given.get("state"), given.get("certainty"), given.get("within")
    if state is not None and state not in frozenset(State):
        raise Unreadable(f"{state!r} is no state of a payment.")
    if certainty not in (None, "known", "unknown"):
        raise Unreadable("Doubt is known or unknown.")
    if within is not None and within not in SPANS:
        raise Unreadable(f"Created is one of {', '.join(SPANS)}.")
    return PaymentFilters(
        state=None if state is None else State(state),
        certainty=certainty,  # type: ignore[arg-type]
        currency=None if currency is None else currency.upper(),
        amount_gte=_minor(given.get("amount_from"), currency),
        amount_lte=_minor(given.get("amount_to"), currency),
        created_gte=None if within is None else datetime.now(UTC) - SPANS[within][1],
        gateway=given.get("gateway"),
        customer_id=given.get("customer_id"),
        reference=given.get("reference"),
        error_code=given.get("error_code"),
    )


def _minor(written: str | None, currency: str | None) -> int | None:
    """`12.50` in minor units: of the currency if one is chosen, else of one with two decimals."""
    if written is None:
        return None
    exponent = EXPONENTS[currency.upper()] if currency is not None else 2
    typed = amount_in(written)
    if typed is None:
        raise Unreadable(f"{written!r} is no amount: write it as 12.50.")
    return min(int(typed.scaleb(exponent)), MAX_MINOR)


def chips_of(given: Mapping[str, str]) -> list[dict[str, str]]:
    """Each filter in words, with where the list is without it."""
    words = {
        "state": lambda value: signs.of_state(value).word,
        "certainty": lambda value: "in doubt" if value == "unknown" else "known",
        "within": lambda value: SPANS[value][0] if value in SPANS else value,
        "amount_from": lambda value: f"from {value}",
        "amount_to": lambda value: f"to {value}",
    }
    return [
        {
            "word": words[name](value)
            if name in words
            else f"{name.removesuffix('_id')} {value}".replace("_", " "),
            "without": list_url({other: kept for other, kept in given.items() if other != name}),
        }
        for name, value in given.items()
    ]


def list_url(query: Mapping[str, str], page: str = "/console/payments") -> str:
    """Where the list is that is filtered so."""
    return f"{page}?{urlencode(query)}" if query else page
