"""What an installation under measurement is to be like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_worker.lab.local.config_files import Tables
from aegis_worker.lab.local.emulated import EMULATED, emulated, table_of

from .seed import ORDER

# What the fast one of two gateways takes, and what only the slow one does.
FAST_CURRENCY, SLOW_CURRENCY = ORDER["currency"], "EUR"
BESIDE_SLOW = "null beside slow"
# The gateways that a mode may have alone: one within the worker's process, and those over HTTP.
GATEWAYS = ("null", "sandbox", *EMULATED)
_LONGEST_CALL_S = 60

_SANDBOX: Mapping[str, Any] = {
    "adapter": "sandbox",
    "base_url_env": "BENCH_SANDBOX_URL",
    "api_key_env": "BENCH_SANDBOX_KEY",
    "webhook_secret_env": "BENCH_SANDBOX_WEBHOOK_SECRET",
    "options": {"steps": ["process"], "key_lifetime_s": 86_400, "absence_window_s": 120},
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What an installation is to be like. `workers`: processes of the Celery worker; 0: neither worker nor beat runs.

    `gateway`: one of `GATEWAYS`, or BESIDE_SLOW. `gateway_ms`: how long it takes for each call, the slow one where there
    are two.
    """

    workers: int
    gateway: str = "null"
    gateway_ms: int = 0

    def tables(self, given: Path) -> Tables:
        """The tables of its gateways, whatever stands in `given`/gateways.toml."""
        slow = {"adapter": "null", "timeout_s": _LONGEST_CALL_S, "options": {"latency_ms": self.gateway_ms}}
        if self.gateway == BESIDE_SLOW:
            fast = {"adapter": "null", "currencies": [FAST_CURRENCY]}
            return {"null": fast, "slow": {**slow, "currencies": [SLOW_CURRENCY]}}
        if self.gateway in EMULATED:
            return {self.gateway: table_of(self.gateway)}
        return {self.gateway: slow if self.gateway == "null" else _SANDBOX}

    def order(self) -> Mapping[str, Any]:
        """What is posted: emulated gateways take their latency from the card's token."""
        if emulated(self.gateway).checkout:
            return {**ORDER, "payment_method": {"type": "card"}}
        if self.gateway in EMULATED:
            return {**ORDER, "payment_method": {**self._card(), "gateway": self.gateway}}
        if self.gateway == "sandbox":
            return {**ORDER, "payment_method": self._card()}
        return ORDER

    @property
    def token(self) -> str:
        """By which cards are paid: it says how long the gateway takes."""
        return f"tok_latency_{self.gateway_ms}" if self.gateway_ms else "tok_visa"

    def _card(self) -> dict[str, str]:
        return {"type": "card", "token": self.token}
