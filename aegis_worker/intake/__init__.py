"""What merchants ask for: payments, captures, refunds, confirms, each once per key, and that a gateway be asked."""

from __future__ import annotations

from .accept import MOST_AT_ONCE, Intake
from .command import Accepted, PaymentCommand
from .confirm import ConfirmCommand, Confirmed, request_confirm
from .ordering import OrderCommand, Ordered, order
from .placing import placed
from .sync import request_sync

__all__ = [
    "MOST_AT_ONCE",
    "Accepted",
    "ConfirmCommand",
    "Confirmed",
    "Intake",
    "OrderCommand",
    "Ordered",
    "PaymentCommand",
    "order",
    "placed",
    "request_confirm",
    "request_sync",
]
