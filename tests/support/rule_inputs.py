"""Rules and payments that tests of rules begin with."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.payer import Payer
from aegis_worker.ids import new_id
from aegis_worker.rules.config import checked_rules_document
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.velocity import Ask, Counter, Disguise

from .plain_payment import a_payment

SECRET = "s" * 40
DISGUISE = Disguise(SECRET)


def rules(*tables: dict[str, Any], **settings: Any) -> RulesConfig:
    """The rules of a document with these rules and settings."""
    return checked_rules_document({**settings, "rules": list(tables)})


def a_rule(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A rule that blocks, under these conditions; `parts` are other parts of its table."""
    effect = {} if "score" in parts else {"action": "block"}
    return {"id": "a-rule", **effect, "conditions": list(conditions), **parts}


def amount(operator: str, value: Any) -> dict[str, Any]:
    """A condition over the amount."""
    return {"field": "amount", "operator": operator, "value": value}


def velocity(of: str, most: int, window: str = "1h", **parts: Any) -> dict[str, Any]:
    """A condition: more than `most` of a counter such as `card.count`."""
    return {"field": f"velocity.{of}", "operator": "gt", "value": most, "window": window, **parts}


def asked(payer: dict[str, Any] | None = None, *, payment_id: str | None = None, **terms: Any) -> Asked:
    """A payment of its own id, and its payer."""
    payment = replace(a_payment(**terms), id=payment_id or new_id("pay"))
    return Asked(payment, None if payer is None else Payer(payer))


def counter(
    what: str = "count",
    *,
    window_ms: int = 3_600_000,
    most: int | None = None,
    cards: int = 0,
    id_: str = "c1",
) -> Counter:
    """A counter per card."""
    return Counter(id_, "card", what, window_ms, most, cards)


def ask(of: Counter, subject: str = "s1", add: int = 1, card: str = "") -> Ask:
    """What a counter is asked."""
    return Ask(of, subject, add, card)
