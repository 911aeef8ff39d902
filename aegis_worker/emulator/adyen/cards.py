"""Stored cards for tests: the sandbox's scripts as `tok_<script>`, and what else Adyen does after a charge. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..script_table import OK, SCRIPTS
from ..scripts import Script
from ..tokens import TOKEN_PREFIX, UnknownScript, asked_for, named, on

# Until a person clicks: nobody waits that long.
_UNTIL_CLICKED_S = 365 * 86_400
_AUTHENTICATED = replace(SCRIPTS["3ds"], payer_s=_UNTIL_CLICKED_S)


# Whoever pays with a wallet approves it on the page, as who owns this card does.
WALLET = "tok_authenticate"


@dataclass(frozen=True, slots=True)
class TestCard:
    """`meaning`: what it does, in words."""

    script: Script = OK
    meaning: str = ""


CARDS = {
    "tok_visa": TestCard(meaning="approved"),
    "tok_mastercard": TestCard(meaning="approved"),
    "tok_authenticate": TestCard(_AUTHENTICATED, meaning="the payer clicks on the page of 3-D Secure"),
    "tok_capture_failed": TestCard(
        on(named("fails_late_2"), "capture"), meaning="approved; a capture succeeds, and fails a while later"
    ),
    "tok_refund_failed": TestCard(
        named("fails_late_2"), meaning="approved; a refund succeeds, and fails a while later"
    ),
    "tok_refund_reversed": TestCard(
        named("returned_late_2"),
        meaning="approved; a refund succeeds, and comes back to the shop a while later",
    ),
}


def by_token(token: str, amount: int, instance: str) -> TestCard | None:
    """The card of a stored payment method, or, where a method has none, the script of its amount. None: no such card."""
    if token in CARDS:
        return CARDS[token]
    if token and not token.startswith(TOKEN_PREFIX):
        return None
    try:
        return TestCard(asked_for(token, amount, instance))
    except UnknownScript:
        return None


def as_markdown() -> str:
    """The table for people: the stored payment method's id, and what happens."""
    rows = ["| stored payment method | what happens |", "| --- | --- |"]
    rows += [f"| `{token}` | {card.meaning} |" for token, card in CARDS.items()]
    return "\n".join(rows)
