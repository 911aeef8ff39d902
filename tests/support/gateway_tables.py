"""Tables of config/gateways.toml, for decisions that look at them and for gateways that are none of the sandbox's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aegis_worker.gateways.config import GatewayConfig


def table(name: str, **settings: Any) -> GatewayConfig:
    """A gateway's table, as it is where nothing else is said."""
    return replace(GatewayConfig(name, "scripted", "", ""), **settings)


def tables(*names: str) -> dict[str, GatewayConfig]:
    """A table for each of these gateways."""
    return {name: table(name) for name in names}
