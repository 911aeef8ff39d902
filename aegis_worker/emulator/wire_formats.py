"""The wire formats that the emulator speaks."""

from __future__ import annotations

from . import sandbox
from .adyen import format as adyen
from .braintree import format as braintree
from .choosing import Reach
from .paypal import format as paypal
from .razorpay import format as razorpay
from .stripe import format as stripe
from .wire_format import WireFormat

_FORMATS = (sandbox.FORMAT, stripe.FORMAT, adyen.FORMAT, paypal.FORMAT, braintree.FORMAT, razorpay.FORMAT)
WIRE_FORMATS: dict[str, WireFormat] = {one.name: one for one in _FORMATS}

# What each can be told to do, by its name.
REACHES: dict[str, Reach] = {name: one.books.reach for name, one in WIRE_FORMATS.items()}
