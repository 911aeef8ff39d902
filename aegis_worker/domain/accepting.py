"""A payment as it is accepted: under which key, and what it begins with."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from .modes import Mode
from .payer import Payer
from .payment import Event, Payment
from .trails import NO_TRAIL, Trail


class Key(NamedTuple):
    """What one payment is accepted under."""

    merchant_id: str
    mode: Mode
    route: str
    key: str


class Born(Struct, frozen=True):
    """A payment after its first event, with key, job, HMAC and trail of the request that it comes from, and who pays."""

    key: Key
    request_hmac: bytes
    payment: Payment
    first: Event
    job_id: str
    payer: Payer | None = None
    trail: Trail = NO_TRAIL


class KeptPayment(Struct, frozen=True):
    """The payment that a key was used for, as it stands now, and the request that it was accepted for."""

    request_hmac: bytes
    payment: Payment
    job_id: str
    created_at: datetime
