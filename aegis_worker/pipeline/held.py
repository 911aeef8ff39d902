"""A job in a worker's hands, what may happen to it, and what is to be done because of that: plain values."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from aegis_worker.domain.card_networks import Barred
from aegis_worker.domain.changes import Change
from aegis_worker.domain.screening import Screening
from aegis_worker.domain.wishes import Wish
from aegis_worker.resilience.permits import CallResult, Verdict, Wanted

from .work import Answer, Ask, Rest, Route, Send, SendAgain, Settled, Step, Work


class Permit(NamedTuple):
    """The gates let this call out; its result goes back to them with the `epoch`."""

    wanted: Wanted
    epoch: int


class Held(Struct, frozen=True):
    """A job in a worker's hands: where it stands, and what was decided about it and is not done yet.

    `answer`: the last one, while hooks are asked what they would do about it. `settled`: what it meant, until that is
    written. `change`: what is being written. `permit`: of the call
    that is about to be made, or in flight.
    """

    work: Work
    step: Step | None = None
    settled: Settled | None = None
    change: Change | None = None
    permit: Permit | None = None
    answer: Answer | None = None


class Claimed(NamedTuple):
    """The job was claimed, and its payment routed. `now_s`: of this process's clock; `draw`: from 0 to 1, by chance."""

    now_s: float
    draw: float


class Answered(NamedTuple):
    """The call is over. `answer` is None where it was not made, because it was too late to."""

    answer: Answer | None
    now_s: float
    draw: float


class Screened(NamedTuple):
    """Hooks and rules were asked about the payment, and it was routed by what they said."""

    screening: Screening
    route: Route
    now_s: float
    draw: float


class HooksAnswered(NamedTuple):
    """What hooks ask for, before a call or after one that went wrong; in their order."""

    wishes: tuple[Wish, ...]
    now_s: float
    draw: float


class CardLookedAt(NamedTuple):
    """What the card's network forbids, if anything."""

    barred: Barred | None


class GatesAnswered(NamedTuple):
    """Whether the call may go out."""

    verdict: Verdict
    now_s: float


class ChangeWritten(NamedTuple):
    """The change stands. The lease began anew at `leased_from_s` or later, and ends at `held_until_s` or later."""

    leased_from_s: float
    held_until_s: float


class ChangeNotWritten(NamedTuple):
    """`lost`: another worker has the job. `refused`: PostgreSQL won't take it. `taken`: it gives the payment what is
    another payment's at the gateway. `cancelled`: it would begin another call for a payment that was cancelled meanwhile.
    `unavailable`: nobody knows whether it stands.
    """

    why: Literal["lost", "refused", "taken", "cancelled", "unavailable"]


Event = (
    Claimed
    | Answered
    | Screened
    | HooksAnswered
    | CardLookedAt
    | GatesAnswered
    | ChangeWritten
    | ChangeNotWritten
)


class Screen(NamedTuple):
    """Ask hooks and rules about the payment, route it by what they say, and tell by Screened."""


class AskBefore(NamedTuple):
    """Ask hooks whether this call goes out, and tell by HooksAnswered."""

    step: Send


class AskOnError(NamedTuple):
    """Ask hooks what they would do about a call that went wrong, and tell by HooksAnswered. `settled`: what is done if
    none of them asks for anything.
    """

    settled: Settled


class LookAtCard(NamedTuple):
    """Find out whether the card with these keys may be tried, and tell by CardLookedAt."""

    card_keys: tuple[bytes, ...]


class AskGates(NamedTuple):
    """Find out whether the call may go out, and tell by GatesAnswered."""

    wanted: Wanted


class Write(NamedTuple):
    """Write the change, and tell by ChangeWritten or ChangeNotWritten."""

    change: Change


class Call(NamedTuple):
    """Make the call, unless it is too late to (see `send_until_s`), and tell by Answered."""

    step: Send | SendAgain | Ask


class Report(NamedTuple):
    """Tell the gates how the call ended."""

    result: CallResult


class Forget(NamedTuple):
    """Tell the gates that the call was not made, or that others can use the permits that its hop kept."""

    wanted: Wanted


class Rested(NamedTuple):
    """The job has ended, or waits: there is nothing more to do with it here."""

    rest: Rest


class Drop(NamedTuple):
    """Let go of what is another worker's by now, or will be; nothing is decided about it here."""


class Complain(NamedTuple):
    """Say in the worker's log what should not have happened."""

    message: str
    because: str


class TellOfCharge(NamedTuple):
    """A charge was heard of too late to be written: have it asked about, where it was given up or stands under another
    reference of the gateway's.
    """

    number: int
    gateway_ref: str


Effect = (
    Screen
    | AskBefore
    | AskOnError
    | LookAtCard
    | AskGates
    | Write
    | Call
    | Report
    | Forget
    | Rested
    | Drop
    | TellOfCharge
    | Complain
)
Advanced = tuple[Held, tuple[Effect, ...]]
