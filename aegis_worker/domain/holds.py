"""What is done about funds that are held, and when: a warning a day and two hours before the end, then a question. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from .declines import describe_error
from .payment import Fact, Payment
from .transitions import EventType

WARNED_BEFORE = (timedelta(hours=24), timedelta(hours=2))
"""How long before its end a hold's merchant is told, each once; of a shorter hold as soon as it is held."""

ASKED_FOR = timedelta(days=3)
"""How long after a hold's end its gateway is asked what became of it, before a person is."""

# A gateway's clock may be behind ours by seconds, or its release by minutes.
_SOONEST_AGAIN, _LATEST_AGAIN = timedelta(seconds=5), timedelta(minutes=5)


class Look(Struct, frozen=True):
    """What is due about a hold, and when the next thing is.

    `tell` the merchant that it ends soon, `release` it because the installation wants that, or `ask` the gateway what
    became of it.
    """

    what: Literal["tell", "release", "ask"]
    next_at: datetime

    def request(self) -> dict[str, Any]:
        """What its job is about, for `jobs.request`."""
        return {"hold": self.what}


def look_at(now: datetime, capture_before: datetime, release_before: timedelta) -> Look:
    """What is due now. `release_before`: so long before its end a hold is released by us; 0: never."""
    if now >= capture_before:
        again = min(max(now - capture_before, _SOONEST_AGAIN), _LATEST_AGAIN)
        return Look("ask", now + again)
    if release_before and now >= capture_before - release_before:
        # Once more before the end, in case a capture is under way.
        return Look("release", min(now + _LATEST_AGAIN, capture_before))
    before = (*WARNED_BEFORE, release_before, timedelta(0))
    return Look("tell", min(at for each in before if (at := capture_before - each) > now))


def expiring(payment: Payment) -> Fact:
    """The hold is about to end: what is not captured by then can't be any more."""
    data: Mapping[str, Any] = {"gateway": payment.gateway, "capture_before": payment.capture_before}
    return Fact(EventType.AUTHORIZATION_EXPIRING, data)


def hold_expired(payment: Payment) -> Fact:
    """The gateway has released what was not captured in time."""
    error = describe_error("authorization_expired", gateway=payment.gateway, gateway_code=None, message="")
    data = {"gateway": payment.gateway, "gateway_ref": payment.gateway_ref, "reason": "authorization_expired"}
    return Fact(EventType.CANCELLED, data | {"last_error": error})
