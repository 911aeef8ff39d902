"""The plan of this process at work: what strikes now, how often it may still, and who is told of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.marks import Marks
from aegis_worker.domain.payment import Payment
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.base import PaymentGateway

from .client import StruckClient
from .plan import LOOK_UP, Injection, Kind, Occasion, Plan, delay_s, draw, striking
from .tally import Tally

log = structlog.get_logger(__name__)


class Chaos:
    """Threads may share it. `elapsed_s`: seconds since the plan's start."""

    def __init__(self, plan: Plan, elapsed_s: Callable[[], float], tally: Tally) -> None:
        self.plan, self._elapsed_s, self._tally = plan, elapsed_s, tally
        self._lock = threading.Lock()
        self._struck: Counter[str] = Counter()
        self._chances: Counter[str] = Counter()

    def around(
        self, gateway: PaymentGateway, payment: Payment, attempt: Attempt, looks_up: bool, marks: Marks
    ) -> PaymentGateway:
        """The gateway as it is for one call: what strikes the call is told to `marks`."""
        if not isinstance(gateway, LoadedGateway):
            return gateway
        occasion = Occasion(
            key=payment.terms.reference or payment.id,
            payment_id=payment.id,
            merchant_id=payment.merchant_id,
            gateway=attempt.gateway,
            operation=LOOK_UP if looks_up else attempt.operation.value,
            number=attempt.number,
            nth=attempt.checks + 1 if looks_up else attempt.sends,
        )
        return gateway.through(
            lambda client: StruckClient(
                client, self, occasion, marks, gateway.config, (attempt.gateway_ref or "",)
            )
        )

    def strikes(self, occasion: Occasion, call: int) -> list[Injection]:
        """What strikes this HTTP call, as far as caps allow."""
        found = striking(self.plan, occasion, call, self._elapsed_s())
        return [one for one in found if self._is_within_cap(one)]

    def tell(self, one: Injection, occasion: Occasion, marks: Marks) -> None:
        """The injection has struck a call."""
        marks.add(one.told)
        self._tally.count(one)
        log.warning(
            "injected",
            injection=one.id,
            kind=one.kind.value,
            gateway=occasion.gateway,
            operation=occasion.operation,
            payment_id=occasion.payment_id,
            attempt=occasion.number,
            nth=occasion.nth,
        )

    def strike(
        self, *kinds: Kind, gateway: str | None = None, operation: str | None = None
    ) -> Injection | None:
        """The first injection of these kinds that strikes now, where no gateway is called; None without one.

        The strike is counted and logged here, so the caller has to carry it out.
        """
        elapsed_s = self._elapsed_s()
        for one in self.plan.injections:
            if one.kind not in kinds or not one.is_active(elapsed_s, gateway):
                continue
            if (one.gateways and gateway not in one.gateways) or (
                one.operations and operation not in one.operations
            ):
                continue
            if self._has_chance(one) and self._is_within_cap(one):
                self._told(one, gateway)
                return one
        return None

    def delay_s(self, one: Injection) -> float:
        """How long a strike of this kind delays what it strikes."""
        return delay_s(self.plan.seed, one, self._chances[one.id])

    def clock_offset_s(self) -> float:
        """By how many seconds this process's clock is off now. Logged once in each process, at the first look at it."""
        elapsed_s = self._elapsed_s()
        off = [one for one in self.plan.of(Kind.CLOCK_OFFSET) if one.is_active(elapsed_s)]
        for one in off:
            if one.id not in self._struck:
                with self._lock:
                    self._struck[one.id] += 1
                self._told(one, None)
        return sum(one.offset_s for one in off)

    def _told(self, one: Injection, gateway: str | None) -> None:
        self._tally.count(one)
        log.warning("injected", injection=one.id, kind=one.kind.value, gateway=gateway)

    def _has_chance(self, one: Injection) -> bool:
        with self._lock:
            self._chances[one.id] += 1
            chance = self._chances[one.id]
        return draw(self.plan.seed, one.id, chance) < one.probability

    def _is_within_cap(self, one: Injection) -> bool:
        if one.cap is None:
            return True
        with self._lock:
            self._struck[one.id] += 1
            return self._struck[one.id] <= one.cap


def since_start(plan: Plan) -> Callable[[], float]:
    """Seconds since the plan's start, by a clock that nobody sets; the time of day is looked at once, here."""
    before_s = 0.0 if plan.begins_at is None else time.time() - plan.begins_at
    began_s = time.monotonic() - before_s
    return lambda: time.monotonic() - began_s
