"""What rules find in a payment. Pure: what the counters say is given, and somebody else asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_worker.domain.screening import HIGHEST_SCORE, LONGEST_REASON, Action, Finding
from aegis_worker.matching.conditions import Condition

from .counting import FULL, SHELF_FULL
from .fields import PRIVATE, Asked
from .rule import ACTIONS, Rule, RulesConfig
from .velocity import DECLINES, Ask, Counter, Velocity

AskOf = Callable[[Counter], Ask | None]
SUM_OF_SCORES = "rules score"
"""The source of the finding that all scores come to."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counters said of one payment, by the counter's id; or why nobody asked them."""

    values: Mapping[str, int]
    failed: str | None = None


NOT_COUNTED = Counted({})


def met_so_far(config: RulesConfig, asked: Asked, ask_of: AskOf) -> list[tuple[Rule, tuple[Ask, ...]]]:
    """The rules whose other conditions the payment meets, each with what its counters are to be asked.

    A payment that does not have what a counter counts meets no condition over it.
    """
    found = []
    for rule in config.on:
        if not rule.met_by(asked):
            continue
        asks = [ask_of(counter) for counter in rule.counters]
        if all(ask is not None for ask in asks):
            found.append((rule, tuple(ask for ask in asks if ask is not None)))
    return found


def asks_of(met: Sequence[tuple[Rule, tuple[Ask, ...]]]) -> list[Ask]:
    """All that the counters are to be asked, each once."""
    return list({ask.counter.id: ask for _, asks in met for ask in asks}.values())


def asks_of_decline(config: RulesConfig, asked: Asked, ask_of: AskOf) -> list[Ask]:
    """What counters of declines are told of a payment one of whose calls was declined, each once."""
    counters = {
        counter.id: counter
        for rule in config.counting_declines
        if rule.met_by(asked)
        for counter in rule.counters
        if counter.what == DECLINES
    }
    return [ask for ask in map(ask_of, counters.values()) if ask is not None]


def findings_of(
    config: RulesConfig, met: Sequence[tuple[Rule, tuple[Ask, ...]]], counted: Counted
) -> tuple[Finding, ...]:
    """What the rules come to: a finding for each that is met or could not be asked, and one for the sum of the scores."""
    findings: list[Finding] = []
    total = 0
    for rule, _ in met:
        why_unknown, is_met = _is_met(rule, counted)
        if why_unknown is not None:
            found = _where_unknown(rule, why_unknown)
        elif is_met:
            found = _effect(rule, _reason(rule, counted))
        else:
            continue
        findings.append(found)
        total += found.score or 0
    return (*findings, *_by_score(config, total))


def _is_met(rule: Rule, counted: Counted) -> tuple[str | None, bool]:
    """Whether the rule is met; where that is not known, why not."""
    why = None
    for velocity, counter in zip(rule.velocity, rule.counters, strict=True):
        value = counted.values.get(counter.id)
        if value is None:
            why = counted.failed or "its counter was not asked"
        elif value in (FULL, SHELF_FULL):
            why = "its counter is full" if value == FULL else "too many payments are counted at once"
        elif value <= velocity.most:
            return None, False
    return why, why is None


def _where_unknown(rule: Rule, why: str) -> Finding:
    said = f"{why}; on_redis_loss = {rule.on_redis_loss}"
    if rule.on_redis_loss == "closed":
        return _effect(rule, None, said)
    action = Action.REVIEW if rule.on_redis_loss == "review" else Action.ALLOW
    return Finding(source_of(rule), action, failed=said)


def _effect(rule: Rule, reason: str | None, failed: str | None = None) -> Finding:
    action = rule.action if rule.action is not None else Action.ALLOW
    return Finding(source_of(rule), action, reason, rule.score, failed)


def _by_score(config: RulesConfig, total: int) -> Iterator[Finding]:
    reached = [action for action in ACTIONS if 0 < config.thresholds.get(action, 0) <= total]
    if reached:
        action = reached[-1]
        reason = f"scores add up to {total}; {action.value} from {config.thresholds[action]}"
        yield Finding(SUM_OF_SCORES, action, reason, min(total, HIGHEST_SCORE))


def source_of(rule: Rule) -> str:
    """The rule as findings name it."""
    return f"rule {rule.id}"


def _reason(rule: Rule, counted: Counted) -> str:
    """The rule's description, or what was met; and what the counters say. No personal data."""
    numbers = [
        f"{_counter_in_words(velocity)} is {counted.values[counter.id]}"
        for velocity, counter in zip(rule.velocity, rule.counters, strict=True)
    ]
    what = rule.description or " and ".join(map(_in_words, rule.conditions))
    text = "; ".join(filter(None, (what, *numbers)))
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def _in_words(condition: Condition) -> str:
    if condition.field in PRIVATE:
        return f"{condition.field} {condition.operator} …"
    value = condition.value
    if isinstance(value, tuple):
        value = f"{len(value)} values"
    return f"{condition.field} {condition.operator} {value}".replace("\n", " ")


def _counter_in_words(velocity: Velocity) -> str:
    what = {"count": "payments", "sum": "the sum", "cards": "different cards", DECLINES: DECLINES}[
        velocity.what
    ]
    return f"{what} per {velocity.by} in {velocity.window}"
