"""What gateways say, without the card data that they should not have said: it is kept, told and logged (design D8)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any, TypeVar

from aegis_worker.domain.card_search import holds_card_data
from aegis_worker.domain.outcomes import Declined, Lookup, Outcome, Unknown, UnknownKind
from aegis_worker.observability.redaction import redact_text, without_cards

from .base import GatewayEvent

Said = TypeVar("Said", bound=Outcome | Lookup)

_FREE_TEXT = ("reason", "message", "gateway_code", "shows")
# A number with letters before or behind it is a word of its own; digits among letters are an id.
_WORD, _NUMBER = re.compile(r"[0-9A-Za-z]+"), re.compile(r"\A[A-Za-z]*+[0-9]++[A-Za-z]*+\Z")
_LONGEST_TEXT = 1000
# So much is looked at before a text is cut: half a card number would not be known as one.
_LOOKED_AT = 4 * _LONGEST_TEXT


def discreet(outcome: Said) -> Said | Unknown:
    """An outcome whose texts hide card data, and hold nothing that PostgreSQL keeps in no text, a NUL above all.

    A reference or an address can't be used with a part of it hidden. Where one holds what looks like card data, a decline
    goes without it, and anything else is Unknown: look-ups or a person have to settle it.
    """
    hidden: dict[str, Any] = {
        name: _printable(redact_text(getattr(outcome, name)[:_LOOKED_AT]))
        for name in _FREE_TEXT
        if hasattr(outcome, name)
    }
    for name in ("gateway_ref", "redirect_url"):
        if _is_like_a_card(getattr(outcome, name, None) or ""):
            if not isinstance(outcome, Declined):
                return Unknown(f"the gateway's {name} looks like card data", kind=UnknownKind.UNREADABLE)
            hidden[name] = None
    return replace(outcome, **hidden) if hidden else outcome


def discreet_event(event: GatewayEvent) -> GatewayEvent:
    """An event whose texts hide card data. An id that looks like it is kept as its hash, so that repeats are known."""
    event_id, reference = event.event_id, event.reference
    if _is_like_a_card(event_id):
        event_id = hashlib.sha256(event_id.encode(errors="replace")).hexdigest()
    return replace(
        event,
        event_id=event_id,
        kind=without_cards(event.kind),
        reference=reference and without_cards(reference),
    )


def _is_like_a_card(reference: str) -> bool:
    """Whether a reference or address holds a number that passes for a card's.

    Digits among letters are passed over: one random hexadecimal id in some thousand would pass, and its payment would stay
    in doubt for that.
    """
    return holds_card_data(_WORD.sub(lambda word: word[0] if _NUMBER.match(word[0]) else "x", reference))


def _printable(text: str) -> str:
    """Text for people, without control characters and halves of surrogate pairs, cut to a bound."""
    text = text[:_LONGEST_TEXT]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
