"""A claimed job while this worker holds it, and the steps that can be next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from aegis_worker.domain.actions import NextAction
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import AnswerAttempt, FoundCharge, JobChange, OpenAttempt
from aegis_worker.domain.entities import EntityChange
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Lookup, Outcome
from aegis_worker.domain.payment import Event, Fact, Payment
from aegis_worker.domain.screening import Screening, screened
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.routing.router import Decision

LatePolicy = Literal["void", "refund", "hold"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long to try; delays in seconds. `max_attempts` bounds a payment's hops over all gateways.

    `route_wait_s`: so long after its job was made, or after its last answer, a payment waits for a gateway that is down or
    paused, and for the first of its candidates where that is full.
    `late_charge`: what is done about a charge that turns up after its payment ended without it. `void` releases what is
    only held and leaves a captured charge to a person, `refund` releases or gives back, `hold` leaves both to a person.
    `recheck_after_s`: when a charge that was refused or absent is asked about again for the first time.
    `payer_wait_s`: so long a payer may take where the gateway does not say.
    """

    max_attempts: int
    verify_ladder_s: tuple[float, ...]
    poison_cap: int
    late_charge: LatePolicy = "refund"
    recheck_after_s: float = 900.0
    payer_wait_s: float = 3600.0
    route_wait_s: float = 300.0


class Route(Struct, frozen=True):
    """Where the payment may go, what each configured gateway needs, and its table, by name.

    `version` of the routing that decided; 0 for config/routing.toml where nothing was ever put.
    """

    decision: Decision
    capabilities: Mapping[str, Capabilities]
    gateways: Mapping[str, GatewayConfig]
    version: int = 0


class Asks(Struct, frozen=True):
    """At which points something is configured that has to be asked: hooks or rules before a payment's first attempt
    (`screening`), hooks before an operation's call (`before`), hooks after a call of a charge that went wrong (`on_error`).
    """

    screening: bool = False
    before: bool = False
    on_error: bool = False


NOBODY = Asks()


class Work(Struct, frozen=True):
    """One claimed job: what is known of it now, in the database and here.

    `position`: which attempt the call in flight is about, the latest but in a sync. `said`: what the gateways answered in
    this run of a sync, by the attempt's position. `waits`: the rest in place of an end, where a gateway has no room for the
    payment now, or not for the next step of its hop. `held_until_s`: the end of its lease, and `now_s`: the moment that is
    decided at, both of this process's clock. `draw`: from 0 to 1, what this decision leaves to chance. `asks`: who is to be
    asked about it. `unwritten`: events that `payment` has seen and the database has not: they go with the next change.
    """

    job: ClaimedJob
    payment: Payment
    attempts: tuple[Attempt, ...]
    route: Route
    position: int = -1
    said: Mapping[int, Outcome | Lookup] = field(default_factory=dict)
    waits: Rest | None = None
    held_until_s: float = math.inf
    now_s: float = 0.0
    draw: float = 0.0
    asks: Asks = NOBODY
    unwritten: tuple[Event, ...] = ()

    @property
    def latest(self) -> Attempt | None:
        """The attempt that decides what is next."""
        return self.attempts[-1] if self.attempts else None

    @property
    def time_of_day_s(self) -> float:
        """The moment that it is decided at, in seconds since 1970, as PostgreSQL has it."""
        return self.now_s + self.job.since_1970_s

    @property
    def subject(self) -> Attempt:
        """The attempt that the call in flight is about."""
        return self.attempts[self.position]

    def at(self, now_s: float, draw: float) -> Work:
        """As it is decided on now: at this moment, with this draw."""
        return replace(self, now_s=now_s, draw=draw)

    def written(self, payment: Payment, attempts: tuple[Attempt, ...], held_until_s: float) -> Work:
        """As it stands after a change was written, which began its lease anew."""
        return replace(self, payment=payment, attempts=attempts, held_until_s=held_until_s, unwritten=())

    def screened(self, screening: Screening) -> Work:
        """With what hooks and rules said of the payment, which is written with the next change."""
        payment, events = self.payment.record([screened(screening)])
        return replace(self, payment=payment, unwritten=(*self.unwritten, *events))

    def amended(self, attempt: Attempt) -> Work:
        """With the attempt that was called about as it will stand in the database."""
        attempts = list(self.attempts)
        attempts[self.position] = attempt
        return replace(self, attempts=tuple(attempts))


class Send(Struct, frozen=True):
    """Open this attempt, commit, then call. `entities`: what that changes of what the job was ordered for."""

    opened: OpenAttempt
    request: GatewayRequest
    facts: list[Fact]
    entities: tuple[EntityChange, ...] = ()


class SendAgain(Struct, frozen=True):
    """Repeat the latest attempt with its own key and body; nothing leaves after `until_s` of this process's clock."""

    request: GatewayRequest
    until_s: float


class Ask(Struct, frozen=True):
    """Look up what became of an attempt: the latest where `position` does not say which."""

    query: StatusQuery
    position: int = -1


class Rest(Struct, frozen=True):
    """Nothing to call now: the job ends or waits. `for_room`: until one of a gateway's calls has ended.

    `entities`: what that changes of the capture or refund that the job is about.
    """

    job: JobChange
    facts: list[Fact] = field(default_factory=list)
    for_room: bool = False
    entities: tuple[EntityChange, ...] = ()


Step = Send | SendAgain | Ask | Rest


class Answer(Struct, frozen=True):
    """What came back, how long it took, whether it was a look-up or the call itself, and when it left, by `clock_s`.

    `injected`: what was done to the call on purpose, in words.
    """

    outcome: Outcome | Lookup
    latency_ms: float
    looked_up: bool
    asked_at_s: float
    injected: str | None = None


class Settled(Struct, frozen=True):
    """What an answer means: how the attempt ended, which facts follow, and the step after it.

    `work`: where the database will be. `otherwise`: what it means where the call is not to be repeated now; only of a
    SendAgain. `action`: what the payer has to do from now on. `entities`: what it changes of captures, voids and refunds.
    `beside`: how another attempt ended with the one of `answered`: the confirm whose answer it is, for the step that waited
    for it, or the close that ended the step. `found`: what else the gateway showed under the same reference.
    """

    work: Work
    answered: AnswerAttempt
    facts: list[Fact]
    then: Step
    otherwise: Settled | None = None
    action: NextAction | None = None
    entities: tuple[EntityChange, ...] = ()
    beside: AnswerAttempt | None = None
    found: tuple[FoundCharge, ...] = ()
