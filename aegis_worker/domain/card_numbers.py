"""Which numbers are card numbers: the networks' first digits and lengths (ISO/IEC 7812-1) and the Luhn check. Pure."""

from __future__ import annotations

import re

SHORTEST, LONGEST = 13, 19

_NETWORKS = (
    r"4(?:\d{15}|\d{18})",  # Visa
    # Visa's 13 digits are not issued any more, and telephone numbers of Germany and Austria (49…, 43…) have as many.
    r"4[0-24-8]\d{11}",
    r"(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}",  # Mastercard
    r"3[47]\d{13}",  # American Express
    r"3(?:0[0-5]\d|095|[689]\d\d)\d{10}(?:\d{2}|\d{5})?",  # Diners Club
    r"35(?:2[89]|[3-8]\d)\d{12,15}|(?:2131|1800)\d{11}",  # JCB
    r"6\d{15,18}",  # Discover, UnionPay, RuPay, Maestro, Elo, Hipercard
    r"(?:50|5[6-8])\d{14,17}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}",  # Maestro, Elo, Verve, Uzcard
    r"220[0-5]\d{12,15}",  # Mir
    r"8[12]\d{14,17}|(?:8600|9860|9704|9792)\d{12}",  # UnionPay, RuPay, Uzcard, Humo, Napas, Troy
)
_NUMBER = re.compile("|".join(_NETWORKS))
# By network, the first digits of its numbers; RuPay's ranges lie within those of others, so they come first.
# Sources: ISO/IEC 7812-1; the networks' BIN tables as Adyen and Braintree publish them.
_BEGINNINGS = {
    "rupay": r"508[5-9]|6069(?:8[5-9]|9)|607(?:[0-8]|9[0-7]|98[0-4])|608(?:00[1-9]|0[1-9]|[1-4]|500)"
    r"|652(?:1[5-9]|[2-9])|653(?:0|1[0-4])|817[2-9]|81[89]|820[01]",
    "visa": r"4",
    "mastercard": r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720",
    "amex": r"3[47]",
    "diners": r"30[0-5]|3095|36|3[89]",
    "jcb": r"352[89]|35[3-8]",
    "discover": r"6011|64[4-9]|65",
    "unionpay": r"62|81",
}
_BEGINS = {name: re.compile(beginning) for name, beginning in _BEGINNINGS.items()}
# Numbers that are a moment and no card's: yymmddhhmmss and four digits of the second's fraction, or ddmmyyyyhhmmss.
_CLOCK = r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
_TIME = re.compile(
    rf"2[2-7](?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_CLOCK}\d{{4}}|30(?:0[1-9]|1[0-2])20[2-9]\d{_CLOCK}"
)
# By digit, what its double adds to the Luhn sum: the sum of the double's own digits.
_DOUBLED = str.maketrans("0123456789", "0246813579")


def is_card_number(digits: str) -> bool:
    """Whether these ASCII digits are the number of a card that a network may have issued.

    A time and an article number (EAN-13) are none, although one in a few thousand passes all other checks.
    """
    return (
        SHORTEST <= len(digits) <= LONGEST
        and _NUMBER.fullmatch(digits) is not None
        and luhn_valid(digits)
        and _TIME.fullmatch(digits) is None
        and not (len(digits) == 13 and _is_article_number(digits))
    )


def of_a_network(digits: str) -> bool:
    """Whether a network issues numbers of these ASCII digits' beginning and length, whatever their check digit says."""
    return _NUMBER.fullmatch(digits) is not None


def network_of(digits: str) -> str | None:
    """The network of a card's number, of `card_networks.NETWORKS`; None for one that is not among them."""
    return next((name for name, beginning in _BEGINS.items() if beginning.match(digits)), None)


def luhn_valid(digits: str) -> bool:
    """Whether ASCII digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _is_article_number(digits: str) -> bool:
    values = [*map(int, digits)]
    return (sum(values[::2]) + 3 * sum(values[1::2])) % 10 == 0
