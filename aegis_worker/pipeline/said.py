"""What hooks said, as findings, additions and wishes. Pure.

A hook that fails decides by its policy: `closed`, what it guards does not happen; `open`, as if it had nothing to say.
Either is kept, so that whoever asks why finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.card_search import holds_card_data
from aegis_worker.domain.metadata import MOST_KEYS, is_key, wrong_with
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import Action, Finding, Named, Screening, reason_in_words
from aegis_worker.domain.wishes import Wish
from aegis_worker.hooks import Said

# Shorter details of a payer are countries and the like, which stand in many a word.
_SHORTEST_PRIVATE = 3


def private_texts(payer: Payer | None) -> tuple[str, ...]:
    """What must not come back in a reason: every detail of the payer, however deep."""
    return () if payer is None else tuple(_texts(payer.details))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) and len(value) >= _SHORTEST_PRIVATE:
        yield value


def source_of(said: Said) -> str:
    """The hook as findings name it."""
    return f"hook {said.hook}"


def kept(finding: Finding, private: Sequence[str]) -> Finding:
    """The finding with its texts as they may be kept."""
    reason = None if finding.reason is None else reason_in_words(finding.reason, private) or None
    failed = None if finding.failed is None else reason_in_words(finding.failed, private) or "it failed"
    return replace(finding, reason=reason, failed=failed)


def checked(screening: Screening, said: Iterable[Said], private: Sequence[str]) -> Screening:
    """With what fraud checks found."""
    found = []
    for one in said:
        if one.failed is not None:
            found.append(_failed(one))
        elif one.answer is None:
            found.append(Finding(source_of(one), Action.ALLOW))
        else:
            found.append(Finding(source_of(one), one.answer.action, one.answer.reason, one.answer.score))
    return _with(screening, [kept(finding, private) for finding in found])


def enriched(screening: Screening, payment: Payment, said: Iterable[Said]) -> Screening:
    """With what enrichment adds, as far as metadata may hold it. What the merchant gave, or an earlier hook, stays."""
    for one in said:
        if one.failed is not None:
            screening = _with(screening, [kept(_failed(one), ())])
        elif one.answer is not None:
            screening = _with_additions(screening, payment, one)
    return screening


def routed_by(screening: Screening, said: Iterable[Said]) -> Screening:
    """With the gateways that routing hooks name."""
    for one in said:
        if one.failed is not None:
            screening = _with(screening, [kept(_failed(one), ())])
        elif one.answer:
            names = tuple(one.answer)
            finding = Finding(source_of(one), Action.ALLOW, f"names {', '.join(names)}")
            screening = _with(screening, [kept(finding, ())])
            screening = replace(screening, named=(*screening.named, Named(source_of(one), names)))
    return screening


def wishes_of(said: Iterable[Said], if_closed: str) -> tuple[Wish, ...]:
    """What hooks ask for. `if_closed`: what one that failed asks for where its policy is `closed`."""
    wishes = []
    for one in said:
        if one.failed is not None:
            failed = reason_in_words(one.failed) or "it failed"
            ask: Any = if_closed if one.policy == "closed" else "nothing"
            wishes.append(Wish(source_of(one), ask, failed=failed))
        elif one.answer is not None:
            answer = one.answer
            reason = None if answer.reason is None else reason_in_words(answer.reason) or None
            gateway = getattr(answer, "gateway", None)
            wishes.append(Wish(source_of(one), answer.ask, reason, answer.delay_s, gateway))
    return tuple(wishes)


def _failed(said: Said) -> Finding:
    action = Action.BLOCK if said.policy == "closed" else Action.ALLOW
    return Finding(source_of(said), action, failed=said.failed)


def _with(screening: Screening, findings: Sequence[Finding]) -> Screening:
    return replace(screening, findings=(*screening.findings, *findings))


def _with_additions(screening: Screening, payment: Payment, said: Said) -> Screening:
    own = {**payment.terms.metadata, **screening.metadata}
    metadata = _taken(said.answer.metadata, own)
    facts = _taken(said.answer.routing, screening.facts)
    wanted = [*said.answer.metadata, *said.answer.routing]
    left_out = sorted({*wanted} - {*metadata, *facts})
    parts = [
        f"adds {', '.join(metadata)}" if metadata else "",
        f"tells routing {', '.join(facts)}" if facts else "",
        f"may not add {', '.join(left_out)}" if left_out else "",
    ]
    reason = "; ".join(filter(None, parts)) or None
    screening = _with(screening, [kept(Finding(source_of(said), Action.ALLOW, reason), ())])
    return replace(screening, metadata={**screening.metadata, **metadata}, facts={**screening.facts, **facts})


def _taken(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """What may be added to what is there: within the rules for a merchant's own metadata, and over nothing."""
    taken: dict[str, Any] = {}
    for name, value in wanted.items():
        is_free = name not in there and len(there) + len(taken) < MOST_KEYS
        if is_free and is_key(name) and wrong_with(value) is None and not _holds_card_data(name, value):
            taken[name] = value
    return taken


def _holds_card_data(name: str, value: Any) -> bool:
    return holds_card_data(name) or (not isinstance(value, bool | None) and holds_card_data(str(value)))
