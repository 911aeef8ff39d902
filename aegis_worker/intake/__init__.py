"""What merchants ask for: payments, captures and refunds, each accepted once per key, and that a gateway be asked."""

from __future__ import annotations

from .accept import MOST_AT_ONCE, Intake
from .command import Accepted, PaymentCommand
from .ordering import OrderCommand, Ordered, order
from .placing import placed
from .sync import request_sync

__all__ = [
    "MOST_AT_ONCE",
    "Accepted",
    "Intake",
    "OrderCommand",
    "Ordered",
    "PaymentCommand",
    "order",
    "placed",
    "request_sync",
]
