"""Hides card data in what gateways say, because their texts are stored, shown and logged (design D8)."""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeVar

from msgspec.structs import replace

from aegis_worker.domain.actions import texts_of
from aegis_worker.domain.card_search import holds_card_data
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    Outcome,
    Unknown,
    UnknownKind,
)
from aegis_worker.observability.redaction import redact_text, without_cards

from .base import GatewayEvent

Said = TypeVar("Said", bound=Outcome | Lookup)

_FREE_TEXT = ("reason", "message", "gateway_code", "shows")
# A number with letters only before or behind it counts as a word of its own. Digits between letters are part of an id.
_WORD, _NUMBER = re.compile(r"[0-9A-Za-z]+"), re.compile(r"\A[A-Za-z]*+[0-9]++[A-Za-z]*+\Z")
_LONGEST_TEXT = 1000
# Redact this much text before cutting it, because half a card number would not be recognized as one.
_LOOKED_AT = 4 * _LONGEST_TEXT


def discreet(outcome: Said) -> Said | Unknown:
    """The outcome with card data hidden in its texts, and without characters that PostgreSQL can't store, such as NUL.

    A reference or an action is useless with a part of it hidden. If one holds what looks like card data, a decline drops
    it, and any other outcome becomes Unknown, which look-ups or a person have to settle. A network's id that does is left
    out.
    """
    hidden: dict[str, Any] = {
        name: _printable(redact_text(getattr(outcome, name)[:_LOOKED_AT]))
        for name in _FREE_TEXT
        if hasattr(outcome, name)
    }
    if is_like_a_card(getattr(outcome, "gateway_ref", None) or ""):
        if not isinstance(outcome, Declined):
            return Unknown("the gateway's gateway_ref looks like card data", kind=UnknownKind.UNREADABLE)
        hidden["gateway_ref"] = None
    if isinstance(outcome, ActionRequired) and any(map(is_like_a_card, texts_of(outcome.action))):
        return Unknown("the gateway's action looks like card data", kind=UnknownKind.UNREADABLE)
    if isinstance(outcome, Approved) and is_like_a_card(outcome.network_transaction_id or ""):
        hidden["network_transaction_id"] = None
    return replace(outcome, **hidden) if hidden else outcome


def discreet_dispute(said: DisputeLookup) -> DisputeLookup:
    """A dispute, or why it is unknown, with card data hidden in the gateway's words."""
    if isinstance(said, Unknown):
        return discreet(said)
    return replace(
        said,
        gateway_status=without_cards(said.gateway_status),
        gateway_reason=said.gateway_reason and without_cards(said.gateway_reason),
    )


def discreet_event(event: GatewayEvent) -> GatewayEvent:
    """The event with card data hidden in its texts.

    An id that looks like card data becomes its hash, to find repeats; a gateway's reference that does is dropped.
    """
    event_id, reference = event.event_id, event.reference
    if is_like_a_card(event_id):
        event_id = hashlib.sha256(event_id.encode(errors="replace")).hexdigest()
    return replace(
        event,
        event_id=event_id,
        kind=without_cards(event.kind),
        reference=reference and without_cards(reference),
        gateway_ref=None if is_like_a_card(event.gateway_ref or "") else event.gateway_ref,
        dispute_ref=None if is_like_a_card(event.dispute_ref or "") else event.dispute_ref,
    )


def is_like_a_card(reference: str) -> bool:
    """Whether a reference or address holds a number that could be a card's.

    Digits between letters are skipped. Otherwise one random hexadecimal id in some thousand would look like a card
    number, and its payment would stay in doubt for that.
    """
    return holds_card_data(_WORD.sub(lambda word: word[0] if _NUMBER.match(word[0]) else "x", reference))


def _printable(text: str) -> str:
    """Text for people, without control characters and unpaired surrogates, cut to a limit."""
    text = text[:_LONGEST_TEXT]
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
