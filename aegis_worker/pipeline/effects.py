"""Carry out what `advance` wants done, for many jobs at once: one question to the gates for all, one commit for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeVar, cast

import structlog
from msgspec.structs import replace

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point, reached, reached_closing
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.card_networks import CardHistory, card_verdict
from aegis_worker.domain.marks import Marks
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.hooks import GatewayFacts
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.screen import DeclinedCall

from . import watching
from .advance import advance, send_until_s
from .cards import decline_in, settled_cards
from .held import (
    Advanced,
    AskBefore,
    AskGates,
    AskOnError,
    Call,
    CardLookedAt,
    ChangeNotWritten,
    ChangeWritten,
    Complain,
    Drop,
    Event,
    Forget,
    GatesAnswered,
    Held,
    LookAtCard,
    Report,
    Rested,
    Screen,
    TellOfCharge,
    Write,
)
from .lookout import Lookout
from .parts import PipelineParts, RunReport
from .routes import gateways_for
from .stage import Due
from .window import Window
from .work import Ask, Rest
from .writing import Written, hint_at_late_charges, persist

log = structlog.get_logger(__name__)

E = TypeVar("E")


class Effects:
    """What is still to be done for the jobs that a run goes on with together, by kind. `carry_out` leaves nothing."""

    def __init__(self, parts: PipelineParts, window: Window, lookout: Lookout, report: RunReport) -> None:
        self._parts, self._window, self._lookout, self._report = parts, window, lookout, report
        self._to_do: defaultdict[type, list[tuple[Held, Any]]] = defaultdict(list)

    def carry_out(self, advanced: Iterable[Advanced]) -> None:
        """Do everything, up to the calls that are then in flight. Raises DatabaseUnavailable."""
        advanced = list(advanced)
        self._add(advanced)
        self._tell_gates()
        if any(held.settled is not None for held, _ in advanced):
            crash_point("outcome.settled")
        self._drop()
        self._ask_about_calls()
        self._look_at_cards([held for held, _ in advanced])
        self._ask_gates()
        self._write()
        self._call()
        self._screen()

    def _add(self, advanced: Iterable[Advanced]) -> None:
        for held, effects in advanced:
            for effect in effects:
                self._to_do[type(effect)].append((held, effect))

    def _take(self, kind: type[E]) -> list[tuple[Held, E]]:
        return cast("list[tuple[Held, E]]", self._to_do.pop(kind, []))

    def _advance(self, held: Held, event: Event) -> None:
        self._add([advance(held, event, self._parts.policy)])

    def _tell_gates(self) -> None:
        results = [report.result for _, report in self._take(Report)]
        unused = [forget.wanted for _, forget in self._take(Forget)]
        if results:
            self._parts.gates.report(results)
            crash_point("gates.reported")
        if unused:
            self._parts.gates.forget(unused)

    def _drop(self) -> None:
        """Let go of jobs whose lease is over: another worker may have them, so nothing is sent or written for them here."""
        works = [held.work for held, _ in self._take(Drop)]
        if works:
            ids = [work.payment.id for work in works]
            log.warning("too late to go on; left to the next worker", payment_ids=ids[:10])
            self._parts.locks.release(ids)
            self._window.hand.lost(work.job.id for work in works)
            self._report.lost += len(works)
        heard_of = [
            (held.work.payment.id, told.number, told.gateway_ref) for held, told in self._take(TellOfCharge)
        ]
        hint_at_late_charges(self._parts, heard_of)

    def _ask_about_calls(self) -> None:
        """Have hooks asked before calls, and after calls that went wrong. First of all, because what is written next may
        fail, and would take what was answered along.
        """
        for held, (step,) in self._take(AskBefore):
            self._parts.stage.before(held.work, step, self._window.hold(held))
        for held, (settled,) in self._take(AskOnError):
            self._parts.stage.on_error(held.work, settled, self._window.hold(held))

    def _screen(self) -> None:
        """Have hooks and rules asked about payments. Each counts as begun, so that one that kills its workers is found."""
        works = [(held, held.work) for held, _ in self._take(Screen)]
        if not works:
            return
        self._window.hand.mark([work.job for _, work in works])
        payments = [work.payment for _, work in works]
        stage = self._parts.stage
        gateways: list[tuple[GatewayFacts, ...]] = [() for _ in works]
        if stage.names_gateways:
            gateways = gateways_for(self._parts, self._parts.routing(), payments)
        due = [
            Due(work, may, self._window.hold(held)) for (held, work), may in zip(works, gateways, strict=True)
        ]
        crash_point("screening.asked")
        stage.screen(due)

    def _look_at_cards(self, together: list[Held]) -> None:
        """Where PostgreSQL does not tell, the card is tried: one try too many costs a fee, giving up costs the sale."""
        tries = self._take(LookAtCard)
        if not tries:
            return
        try:
            histories = self._parts.jobs.declined_lately({key for _, look in tries for key in look.card_keys})
        except DatabaseUnavailable as error:
            log.warning("cards tried without a look at their declines", payments=len(tries), error=str(error))
            for held, _ in tries:
                self._advance(held, CardLookedAt(None))
            return
        # Declines that are recorded in the same commit as what is decided here.
        for held in together:
            decline = decline_in(held.work.payment, held.settled)
            if decline is not None and decline.card_key in histories:
                histories[decline.card_key] = histories[decline.card_key].after(decline.code)
        for held, look in tries:
            network = held.work.payment.payment_method.get("network")
            history = reduce(CardHistory.with_other, (histories[key] for key in look.card_keys))
            self._advance(held, CardLookedAt(card_verdict(network, history)))

    def _ask_gates(self) -> None:
        granted = False
        # Ends: a refusal takes a candidate away from its payment, or has it rest.
        while asked := self._take(AskGates):
            verdicts = self._parts.gates.admit([ask.wanted for _, ask in asked])
            now_s = clock_s()
            for (held, _), verdict in zip(asked, verdicts, strict=True):
                granted = granted or verdict.granted
                self._advance(held, GatesAnswered(verdict, now_s))
            self._tell_gates()
        if granted:
            crash_point("gates.admitted")

    def _write(self) -> None:
        writes = self._take(Write)
        self._complain()
        self._count_declines(writes)
        try:
            written = persist(self._parts, [write.change for _, write in writes], self._report)
            again = written.taken | written.cancelled
            self._done_with(
                [(held, write) for held, write in writes if held.work.job.id not in again], written
            )
            for held, _ in writes:
                if held.work.job.id in again:
                    is_taken = held.work.job.id in written.taken
                    self._advance(held, ChangeNotWritten("taken" if is_taken else "cancelled"))
            if decided_anew := self._take(Write):
                self._complain()
                writes = decided_anew
                written = persist(self._parts, [write.change for _, write in writes], self._report)
                self._done_with(writes, written)
        except DatabaseUnavailable:
            for held, _ in [*writes, *self._take(Call)]:
                self._advance(held, ChangeNotWritten("unavailable"))
            self._tell_gates()
            raise
        self._rest()
        self._tell_gates()

    def _count_declines(self, writes: list[tuple[Held, Write]]) -> None:
        """Have rules count the declines that are about to be written. Where a worker dies in between, the next one hears of
        them again, and they are counted once; after the write nobody would.
        """
        declined = [
            DeclinedCall(
                Asked(held.work.payment, held.work.job.payer), f"{answered.operation}.{answered.number}"
            )
            for held, write in writes
            if (answered := write.change.answered) is not None
            and answered.status is AttemptStatus.DECLINED
            and answered.operation in CHARGING_STEPS
        ]
        if declined:
            self._parts.stage.declined(declined)

    def _done_with(self, writes: list[tuple[Held, Write]], written: Written) -> None:
        changes = [write.change for _, write in writes]
        reached(changes, "attempt.opened", "outcome.recorded")
        reached_closing(changes, "closing.opened", "closing.recorded")
        if any(change.events for change in changes):
            self._parts.hint("outbox")
        if any(change.hands_on for change in changes):
            self._parts.hint("payments")
        if cards := settled_cards(change for change in changes if change.job_id in written.held):
            self._parts.settle_cards(cards)
        watching.written(
            (held, write.change) for held, write in writes if write.change.job_id in written.held
        )
        self._window.hand.lost(written.lost)
        self._window.hand.done(
            written.refused
        )  # and not given back: it would be refused again, and count again
        held_until_s = written.leased_from_s + self._parts.lease_s
        for held, write in writes:
            if write.change.job_id in written.held:
                held = replace(held, change=written.rebased.get(write.change.job_id, write.change))
                self._advance(held, ChangeWritten(written.leased_from_s, held_until_s))
            else:
                self._advance(held, ChangeNotWritten("lost"))

    def _rest(self) -> None:
        rested = self._take(Rested)
        if not rested:
            return
        for _, (rest,) in rested:
            if rest.for_room:
                self._lookout.expects(rest.job)
            if rest.job.follow_up is not None:
                self._parts.hint(rest.job.follow_up.queue)
            _count(self._report, rest)
        self._window.hand.done(held.work.job.id for held, _ in rested)
        self._parts.locks.release([held.work.payment.id for held, _ in rested])
        crash_point("job.released")

    def _call(self) -> None:
        for held, (step,) in self._take(Call):
            gateway = self._parts.gateways[held.work.subject.gateway]
            until_s = send_until_s(held.work, step, gateway.config.slowest_call_s)
            note = self._parts.exchanges.noting(held.work.payment.id, held.work.subject, step)
            marks = None
            if self._parts.disturbs is not None:
                marks = Marks()
                gateway = self._parts.disturbs(
                    gateway, held.work.payment, held.work.subject, isinstance(step, Ask), marks
                )
            self._window.send(held, gateway, step, until_s, note, marks)

    def _complain(self) -> None:
        for held, complaint in self._take(Complain):
            log.error(complaint.message, payment_id=held.work.payment.id, because=complaint.because)


def _count(report: RunReport, rest: Rest) -> None:
    if rest.job.status == "waiting":
        report.waiting += 1
    elif rest.job.status == "review":
        report.review += 1
    else:
        report.finished += 1
