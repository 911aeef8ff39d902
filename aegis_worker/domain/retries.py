"""How often a payment is tried again at a gateway that did not take it, and how long between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NotSentKind(StrEnum):
    """Why nothing was sent. VAULT: the card vault did not answer, whichever gateway it was for."""

    NETWORK_ERROR = "NETWORK_ERROR"
    TIMEOUT = "TIMEOUT"
    RATE_LIMIT = "RATE_LIMIT"
    VAULT = "VAULT"


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """One gateway's retries. `max_attempts` hops to it for one payment; the pause before hop n + 1 is drawn from 0 to
    `initial_s` times `multiplier` ** (n - 1), at most `cap_s`. `retry_on`: what is worth another try at the same gateway.
    `decline_attempts`: by decline code, how many hops in all end with it before the payment does (1: no other gateway).
    """

    max_attempts: int = 3
    initial_s: float = 1.0
    multiplier: float = 2.0
    cap_s: float = 30.0
    retry_on: frozenset[NotSentKind] = frozenset(NotSentKind)
    decline_attempts: Mapping[str, int] = field(default_factory=dict)
