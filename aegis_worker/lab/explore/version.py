"""Which version of the product and of its model an exploration is of: all the code that decides, as a fingerprint."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path

from msgspec.msgpack import Encoder

import aegis_worker

from .setups import Configuration

PRODUCT = Path(aegis_worker.__file__).parent
# What is explored, and what it is explored by. Doors, tables and sinks decide nothing about a payment.
_DECIDES = ("domain", "pipeline", "routing", "resilience", "gateway_events", "gateways", "lab/explore")
_ENCODE = Encoder(order="deterministic").encode


def fingerprint(configuration: Configuration) -> str:
    """Another one where the configuration or any of that code is another."""
    return blake2b(of_code() + _ENCODE(configuration), digest_size=16).hexdigest()


@cache
def of_code() -> bytes:
    """The same of the code alone."""
    whole = blake2b(digest_size=16)
    for file in sorted(file for name in _DECIDES for file in (PRODUCT / name).rglob("*.py")):
        whole.update(file.relative_to(PRODUCT).as_posix().encode() + b"\0" + file.read_bytes())
    return whole.digest()
