"""Rows of what gateways told us by themselves (`gateway_events`), as plain values."""

from __future__ import annotations

from msgspec import Struct


class Told(Struct, frozen=True):
    """An event that is kept: the key that it names, the gateway's id, and the amount that it shows.

    `waits`: it has yet to be followed, because another job was open. `is_odd`: it tells of what is not so, or is over.
    """

    gateway: str
    reference: str
    ref: str
    kind: str
    minor: int
    is_odd: bool = False
    waits: bool = False
