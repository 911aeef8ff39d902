"""What became of a payment's amount, for a person."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.queries.wording import money


def amount_facts(amounts: Mapping[str, int], currency: str, whole: int) -> dict[str, str | None]:
    """What is held, captured and refunded, as far as the payment's own amount and state don't say it already.

    `amounts`: those of the payment's JSON form, in minor units.
    """
    told = {
        "held": amounts["capturable"],
        "captured": amounts["captured"] if amounts["captured"] != whole else 0,
        "refunded": amounts["refunded"],
        "disputed": amounts["disputed"],
        "charged back": amounts["charged_back"],
    }
    return {name: money(minor, currency) if minor else None for name, minor in told.items()}


def sum_in_words(minor: int, currency: str) -> str:
    """The sum of several payments, which may be more than a payment may be."""
    return money(minor, currency) if minor <= MAX_MINOR else f"{minor} minor units of {currency}"
