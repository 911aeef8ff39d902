"""Live and test: whether a payment moves real money (design D13). Pure.

Gateways, API keys and payments each have one of the two, for ever. A payment has its key's, and goes only to gateways of
the same one, so no live payment ever fails over to a sandbox and no test payment is ever charged.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Mode = Literal["live", "test"]

MODES: tuple[Mode, ...] = ("live", "test")


class Owner(NamedTuple):
    """Whose objects a request may see and move: those of one merchant, and of these only the ones in its key's mode."""

    merchant_id: str
    mode: Mode
