"""What merchants ask for: payments, accepted once per key, and that a gateway be asked about one."""

from __future__ import annotations

from .accept import MOST_AT_ONCE, Intake
from .command import Accepted, PaymentCommand
from .placing import placed
from .sync import request_sync

__all__ = ["MOST_AT_ONCE", "Accepted", "Intake", "PaymentCommand", "placed", "request_sync"]
