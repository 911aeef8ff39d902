"""The wire formats that the emulator speaks."""

from __future__ import annotations

from . import sandbox
from .adyen import format as adyen
from .stripe import format as stripe
from .wire_format import WireFormat

WIRE_FORMATS: dict[str, WireFormat] = {one.name: one for one in (sandbox.FORMAT, stripe.FORMAT, adyen.FORMAT)}
