"""The wire formats that the emulator speaks."""

from __future__ import annotations

from . import sandbox
from .adyen import format as adyen
from .paypal import format as paypal
from .stripe import format as stripe
from .wire_format import WireFormat

_FORMATS = (sandbox.FORMAT, stripe.FORMAT, adyen.FORMAT, paypal.FORMAT)
WIRE_FORMATS: dict[str, WireFormat] = {one.name: one for one in _FORMATS}
