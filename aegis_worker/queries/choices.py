"""What was chosen on a payment's way, and on which grounds: where it goes, another try, what hooks and rules said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from msgspec import to_builtins

from aegis_worker.domain.transitions import EventType
from aegis_worker.domain.wishes import HEARD, Wish, wishes_from

from .case_file import CaseFile
from .history import StoredAttempt, StoredEvent
from .sentences import finding_in_words
from .wording import words


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice that was made: where to send the payment, or to try it again, what a hook or rule said of it before its
    first attempt (`screening`), or of one of its calls (`hook`). `facts` are the grounds for it.
    """

    at: datetime
    kind: Literal["screening", "route", "retry", "hook"]
    what: str
    why: str
    facts: Mapping[str, Any]


def decisions_of(case: CaseFile) -> list[Decision]:
    """What was said before the first hop, then the hops, what hooks asked for after them, and the retries that led to the
    next. A retry and its hop may be written at once, so times don't order them.
    """
    retries = [_retry(event) for event in case.events if event.type is EventType.RETRY_ATTEMPTED]
    made = _said_before(case)
    hops: set[int] = set()
    for stored in case.attempts:
        number, decision = stored.attempt.number, dict(stored.decision or {})
        heard = decision.pop(HEARD, ())
        if number not in hops and "candidates" in decision:
            if hops and retries:
                made.append(retries.pop(0))
            hops.add(number)
            made.append(_hop(stored, decision))
        made.extend(_heard(stored, wish) for wish in heard)
        made.extend(_wish(stored, wish) for wish in stored.attempt.outcome.wishes)
    return made + retries


def _said_before(case: CaseFile) -> list[Decision]:
    """What was said before the first hop, each once: a screening that says more repeats what it said before."""
    made: list[Decision] = []
    known: list[Any] = []
    for event in case.events:
        if event.type is not EventType.SCREENED:
            continue
        found = event.data["screening"].get("findings", [])
        is_more = bool(known) and found[: len(known)] == known
        made += _screened(event)[len(known) if is_more else 0 :]
        known = found
    return made


def _screened(event: StoredEvent) -> list[Decision]:
    """What each hook and rule said, in the order in which they were asked; to merchants only what holds."""
    screening = event.data["screening"]
    if "findings" not in screening:
        action = words(screening["action"])
        return [Decision(event.at, "screening", action, "screened before the first attempt", screening)]
    return [
        Decision(event.at, "screening", finding_in_words(found), _why_found(found), found)
        for found in screening["findings"]
    ]


def _why_found(found: Mapping[str, Any]) -> str:
    why = found.get("failed") or found.get("reason") or "nothing against it"
    return why if found.get("score") is None else f"{why} (score {found['score']})"


def _wish(stored: StoredAttempt, wish: Wish) -> Decision:
    at, asked = stored.answered_at or stored.sent_at, words(wish.ask)
    if wish.ask == "nothing":
        what = f"{wish.source} gave no answer"
        return Decision(at, "hook", what, str(wish.failed), to_builtins(wish))
    why = "done" if wish.refused is None else f"refused: {wish.refused}"
    return Decision(at, "hook", f"{wish.source} asks for {asked}", why, to_builtins(wish))


def _heard(stored: StoredAttempt, kept: Mapping[str, Any]) -> Decision:
    """What a hook said before a call that was made all the same."""
    (wish,) = wishes_from([kept])
    return replace(_wish(stored, wish), at=stored.sent_at)


def _hop(stored: StoredAttempt, decision: Mapping[str, Any]) -> Decision:
    left_out = "; ".join(f"{name} {why}" for name, why in (decision.get("left_out") or {}).items())
    scores = decision.get("scores") or {}
    looked_at = ", ".join(
        f"{name} ({', '.join(f'{part} {value:g}' for part, value in _score_first(scores[name]))})"
        for name in decision.get("candidates") or []
        if name in scores
    )
    why = str(decision.get("because", ""))
    why += f" (routing version {decision['version']})" if decision.get("version") else ""
    why += f"; looked at: {looked_at}" if looked_at else ""
    why += f"; left out: {left_out}" if left_out else ""
    what = f"sent to {stored.attempt.gateway} (attempt {stored.attempt.number})"
    return Decision(stored.sent_at, "route", what, why, decision)


def _score_first(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda part: (part[0] != "score", part[0]))


def _retry(event: StoredEvent) -> Decision:
    data = event.data
    why = f"{data.get('from')} did not charge: {data.get('reason')}"
    return Decision(event.at, "retry", f"to try {data.get('to')}", why, data)
