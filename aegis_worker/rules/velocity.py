"""Velocity: how many payments there were, how much in all, of how many cards, or how many declines, over a window, of one
card, customer …

A counter counts the payments that meet the other conditions of its rule, whatever became of them, this one included, and
each of them once; a counter of declines counts each call of theirs that is declined. It is told apart by what it counts, so
that a rule whose action or text changes goes on counting.

The window slides in steps of a twentieth. What is counted is everything of the window, and up to a twentieth before it:
never less, so that no more is let through than a rule says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from .fields import Asked, address_of, email_of

STEPS = 20
PREFIX = "velocity."
MOST_CARDS = 100
"""Up to how many different cards are told apart."""
LARGEST = 2**53 - 1
"""The largest number that Lua counts exactly."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WINDOW = re.compile(r"([1-9][0-9]{0,6})([smhd])", re.ASCII)
SHORTEST_S, LONGEST_S = 1, 30 * 86_400


def _card(asked: Asked) -> str | None:
    """The vault's fingerprint; else the token, which some gateways issue anew for each payment."""
    method = asked.payment.payment_method
    tokens = method.get("tokens")
    several = "\n".join(sorted(map(str, tokens.values()))) if isinstance(tokens, Mapping) else None
    return method.get("fingerprint") or method.get("token") or several


def _customer(asked: Asked) -> str | None:
    """The customer's id is the merchant's own name."""
    name = asked.payment.customer.get("id")
    return f"{asked.payment.merchant_id}\n{name}" if name else None


def _ip(asked: Asked) -> str | None:
    """An IPv6 address counts as its /64, because a payer has all of that."""
    address = address_of(asked)
    if isinstance(address, IPv6Address):
        return f"{int(address) >> 64:016x}"
    return str(address) if address is not None else None


BY: Mapping[str, Callable[[Asked], str | None]] = {
    "card": _card,
    "customer": _customer,
    "email": email_of,
    "ip": _ip,
    "merchant": lambda asked: asked.payment.merchant_id,
}
"""What is counted apart. What a payment does not have is not counted, and meets no condition."""

DECLINES = "declines"
WHAT = ("count", "sum", "cards", DECLINES)
FIELDS = tuple(f"{PREFIX}{by}.{what}" for by in BY for what in WHAT if (by, what) != ("card", "cards"))


def window_s(text: Any) -> int | None:
    """The seconds of a window such as 90s, 15m, 1h or 7d; None where it is none."""
    found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    return seconds if SHORTEST_S <= seconds <= LONGEST_S else None


@dataclass(frozen=True, slots=True)
class Velocity:
    """A condition over a counter, met where it is above `most`.

    `field`: `velocity.BY.WHAT`; `operator`: gt or gte, with its `value`; `window`: as `window_s` reads it.
    `refused_count`: payments that meet this condition are counted like all others; otherwise only those that don't are.
    """

    field: str
    operator: str
    value: int
    window: str
    refused_count: bool = True

    @property
    def by(self) -> str:
        """What is counted apart."""
        return self.field.split(".")[1]

    @property
    def what(self) -> str:
        """count, sum, cards or declines."""
        return self.field.split(".")[2]

    @property
    def most(self) -> int:
        """The largest number that does not meet the condition."""
        return self.value if self.operator == "gt" else self.value - 1

    @property
    def document(self) -> dict[str, Any]:
        """The table that describes it."""
        shown = {"field": self.field, "window": self.window, "operator": self.operator, "value": self.value}
        return shown | ({} if self.refused_count else {"refused_count": False})


@dataclass(frozen=True, slots=True)
class Counter:
    """What one or several rules count. `id`: the same wherever the same is counted, and a part of keys in Redis.

    `step_ms`: how long one of the window's steps is. `most`: a payment that comes above it is not counted; None where all
    are. `cards`: how many different cards are told apart; 0 where no cards are counted.
    """

    id: str
    by: str
    what: str
    window_ms: int
    most: int | None
    cards: int

    @property
    def step_ms(self) -> int:
        """How long one step of the window is, in milliseconds."""
        return -(-self.window_ms // STEPS)


def counter_of(velocity: Velocity, conditions: Sequence[Mapping[str, Any]]) -> Counter:
    """The counter of a condition that stands beside these other conditions."""
    seconds = window_s(velocity.window)
    assert seconds is not None
    most = None if velocity.refused_count else velocity.most
    cards = velocity.most + 1 if velocity.what == "cards" else 0
    others = sorted(json.dumps(condition, sort_keys=True) for condition in conditions)
    said = json.dumps([velocity.by, velocity.what, seconds, most, cards, others])
    digest = hashlib.sha256(said.encode()).hexdigest()[:12]
    return Counter(digest, velocity.by, velocity.what, seconds * 1000, most, cards)


class Ask(NamedTuple):
    """One payment for one counter. `subject`: what is counted apart, and `card`, as nobody can read them.

    `add`: the amount in minor units for a sum, 0 where the counter is only asked, otherwise 1.
    """

    counter: Counter
    subject: str
    add: int
    card: str = ""


class Disguise:
    """Turns what identifies people into names that are the same for the same value, and that only the secret leads to."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"aegispay velocity 1", "sha256")

    def asking(self, asked: Asked, *, declines: int = 0) -> Callable[[Counter], Ask | None]:
        """What counters are asked about this payment; None for one that counts what the payment does not have.

        `declines`: how many of its calls were declined just now. A payment that is screened has had none.
        """
        names: dict[tuple[str, str], str | None] = {}

        def name(by: str, *of: str) -> str | None:
            key = (by, of[-1])
            if key not in names:
                known = BY[by](asked)
                names[key] = None if known is None else self._name(by, *of, known)
            return names[key]

        def ask(counter: Counter) -> Ask | None:
            amount = asked.payment.amount
            currency = amount.currency if counter.what == "sum" else ""
            subject = name(counter.by, asked.payment.mode, currency)
            card = name("card", "") if counter.what == "cards" else ""
            if subject is None or card is None:
                return None
            add = {"sum": amount.minor, DECLINES: declines}.get(counter.what, 1)
            return Ask(counter, subject, add, card[:8])

        return ask

    def _name(self, *of: str) -> str:
        return b64encode(hmac.digest(self._key, "\n".join(of).encode(), "sha256")[:12], b"-_").decode()
