"""What is asked of the gates before a call to a gateway, what they answer, and what is reported after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.outcomes import UnknownKind
from aegis_worker.domain.retries import NotSentKind

# Look-ups have a breaker and a limit of their own: a charge in doubt is asked about while charging is down.
STATUS = "status"

Refusal = Literal["breaker", "limit"]

# The kinds of `domain.retries.NotSentKind` and `domain.outcomes.UnknownKind`, as health counts them. The vault is no
# gateway, so its silence is not among them.
ERRORS = tuple(
    dict.fromkeys(kind.lower() for kind in (*NotSentKind, *UnknownKind) if kind is not NotSentKind.VAULT)
)


class Said(StrEnum):
    """What a call's end says about the gateway: a decline is a success of the gateway, NOTHING counts nowhere."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    NOTHING = "nothing"


class Counted(StrEnum):
    """What a hop to a gateway came to, for its health.

    `payer`: declined as any gateway would (hard, fraud, action, invalid), which says nothing about this one. `rate_limited`
    is no failure and no success. `error`: nothing was sent, or the outcome is unknown.
    """

    APPROVED = "approved"
    DECLINED = "declined"
    PAYER = "payer"
    PENDING = "pending"
    RATE_LIMITED = "rate_limited"
    ERROR = "error"


# Named tuples and not dataclasses, because every call makes three of them, and a tuple is made in a quarter of the time.
class Wanted(NamedTuple):
    """A call about to be made. `operations`: its own, then the ones that follow in the same hop, which need their breakers
    closed as well: a gateway that can't charge is no use for the step before. A look-up wants `(STATUS,)`.

    `operation_id` stays the same for a repeat: it holds one place and one probe permit, and its result counts once.
    """

    gateway: str
    operations: tuple[str, ...]
    operation_id: str


class Verdict(NamedTuple):
    """Whether the call may go out. `epoch` goes back with its result; `retry_in_s` says when to ask again.

    `reason` follows the gateway's name in a sentence: "has an open breaker".
    """

    granted: bool
    epoch: int = 0
    refused_by: Refusal | None = None
    reason: str = ""
    retry_in_s: float = 0.0


class CallResult(NamedTuple):
    """How a granted call ended. `counted` is None for what health does not look at: look-ups, and steps before the charge
    that were approved. `error`: of `Counted.ERROR` and `RATE_LIMITED`, one of ERRORS. `hop_over`: no step of the hop
    follows, so its permits go back.
    """

    wanted: Wanted
    epoch: int
    said: Said
    latency_ms: float
    counted: Counted | None = None
    error: str = ""
    hop_over: bool = True


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """What routing knows of a gateway: its breakers now, and the last 100 counted hops of the last hour.

    `state`: the worst of the breakers that a charge needs. `judged`: approved, declined, failed hops.
    `run`: the share of the last ten that did not fail. Latencies in milliseconds, None without data. `score` 0.0 to 1.0.
    """

    state: BreakerState = BreakerState.CLOSED
    retry_in_s: float = 0.0
    judged: int = 0
    approved: int = 0
    run: float | None = None
    latency_mean_ms: float | None = None
    latency_p95_ms: float | None = None
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class BreakerView:
    """One breaker as operators see it. `calls` are those in its window, of which the rates are shares (None without any).

    `opened`: how often it has opened since its key in Redis was made. `calls_out`, of this operation, and `probes_out` are
    over all workers, now. `shared` is False when Redis can't be asked and this is the process's own breaker.
    """

    state: BreakerState = BreakerState.CLOSED
    retry_in_s: float = 0.0
    epoch: int = 0
    consecutive_failures: int = 0
    calls: int = 0
    failure_rate: float | None = None
    unknown_rate: float | None = None
    opened: int = 0
    probes_out: int = 0
    calls_out: int = 0
    shared: bool = True


class Gates(Protocol):
    """Before every call to a gateway: breakers, probe permits, limits of calls. Never raises; see `resilience.gates`."""

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        """One verdict for each, in order; all in one round trip."""

    def report(self, results: Sequence[CallResult]) -> None:
        """How granted calls ended."""

    def forget(self, wanted: Sequence[Wanted]) -> None:
        """Granted calls that were never made: places and permits go back, nothing is counted."""

    def health(self) -> Mapping[str, GatewayHealth]:
        """By gateway, at most half a second old."""

    def views(self) -> Mapping[str, Mapping[str, BreakerView]]:
        """By gateway and operation (`STATUS` too): every breaker, for operators. At most half a second old."""

    def turns(self, count: int) -> int:
        """The first of `count` consecutive turns of the round robin that all workers share."""
