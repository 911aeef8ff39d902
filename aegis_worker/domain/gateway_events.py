"""What gateways told us, from being kept to being followed."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

from .modes import Mode
from .money import Money

# waiting: a worker has yet to follow it, or its payment has yet to be known. followed: the gateway is asked because of it.
# no_news: it tells what we know, or nothing of ours. unmatched: its payment was not known within the time.
# foreign: of the other mode, or of another account.
Status = Literal["waiting", "followed", "no_news", "unmatched", "foreign"]
STATUSES: tuple[Status, ...] = get_args(Status)


class NewEvent(Struct, frozen=True):
    """An event to keep, `waiting` or `foreign`, and why it is foreign. `dispute_ref`: of the dispute that it is about."""

    event_id: str
    kind: str
    reference: str | None
    gateway_ref: str | None
    amount: Money | None
    status: Status
    reason: str | None = None
    dispute_ref: str | None = None


class Told(Struct, frozen=True):
    """An event that is kept, as an adapter reads it again: the fields are those of its `GatewayEvent`.

    It was verified when it came, with a secret of the account that the gateway's table names, and was about that account.
    """

    event_id: str
    kind: str
    reference: str | None
    gateway_ref: str | None
    amount: Money | None


class ClaimedEvent(Struct, frozen=True):
    """An event that this worker follows until `claimed_until`. `is_over`: it has waited for its payment long enough."""

    gateway: str
    account: str | None
    event_id: str
    kind: str
    reference: str | None
    gateway_ref: str | None
    amount: Money | None
    tries: int
    claimed_until: str
    is_over: bool
    dispute_ref: str | None = None


class Matched(Struct, frozen=True):
    """The payment that an event is about. `number`: of the hop; None if it was not made at the event's gateway and account.

    `charge`: the status of that hop's charge, if one was made; `charge_ref`: what its gateway calls it. `order`: the
    capture, void or refund whose key the event names, if it names one, and `order_status` how that stands.
    """

    payment_id: str
    mode: Mode
    state: str
    amount: Money
    has_attempts: bool
    number: int | None
    charge: str | None
    charge_ref: str | None = None
    order: str | None = None
    order_status: str | None = None


class Followed(Struct, frozen=True):
    """What becomes of a claimed event. A waiting one is due again after `again_in_s`."""

    claimed: ClaimedEvent
    status: Status
    reason: str | None = None
    payment_id: str | None = None
    again_in_s: float | None = None
