"""What config/gateways.toml says about a named gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.retries import RetryLimits


@dataclass(frozen=True, slots=True)
class AmountLimits:
    """The smallest and the largest amount that a gateway accepts in one currency, in minor units, both included."""

    min_minor: int = 1
    max_minor: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One table of config/gateways.toml: a named instance of an adapter. Empty sets mean "any".

    `mode`: whose payments it takes. `account`: which account at the gateway its secrets open, as the gateway itself calls
    it; None if the table names none. `webhook_secrets`: any of them verifies an event, so that one can be exchanged.
    Times in seconds; `fee_fixed_minor` in minor units of the charge's currency, `fee_basis_points` in 1/100 percent.
    `amounts` by currency. `max_concurrent`: calls at once over all workers; None: only each process's own limit applies.
    `calls_per_s`: calls and look-ups that may begin in a second over all workers; None: any number.
    `latency_target_ms`: a charge within this time counts as fast; being faster earns nothing more. `ca_bundle`: who vouches
    for the gateway, in place of whom the process trusts. `certificate`, `certificate_key`: what we show it. `proxy`: the
    URL of the one to go through, which may hold a password. `raw_cards`: the gateway lets this account send card numbers,
    which it may want proof of PCI DSS for; then cards of the vault go there.
    """

    name: str
    adapter: str
    base_url: str
    api_key: str = field(repr=False)
    mode: Mode = "test"
    account: str | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_timeout_s: float = 2.0
    timeout_s: float = 8.0
    max_connections: int = 1024
    ca_bundle: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    proxy: str = field(default="", repr=False)
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    fee_fixed_minor: int | None = None
    fee_basis_points: int | None = None
    amounts: Mapping[str, AmountLimits] = field(default_factory=dict)
    max_concurrent: int | None = None
    calls_per_s: int | None = None
    latency_target_ms: int = 1000
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    retry: RetryLimits = field(default_factory=RetryLimits)
    enabled: bool = True
    raw_cards: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slowest_call_s(self) -> float:
        """The longest that one call can take."""
        return self.connect_timeout_s + self.timeout_s
