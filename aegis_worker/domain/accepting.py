"""A payment as it is accepted: under which key, and what it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from .payment import Event, Payment


class Key(NamedTuple):
    """What one payment is accepted under."""

    merchant_id: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Born:
    """A payment after its first event, with the key, job and HMAC of the request that it comes from."""

    key: Key
    request_hmac: bytes
    payment: Payment
    first: Event
    job_id: str


@dataclass(frozen=True, slots=True)
class KeptPayment:
    """The payment that a key was used for, as it stands now, and the request that it was accepted for."""

    request_hmac: bytes
    payment: Payment
    job_id: str
    created_at: datetime
