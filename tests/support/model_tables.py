"""The tables of one payment in memory, with an injected clock. They do what the claim and record statements do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import NOTHING_STORED, Attempt, AttemptStatus
from aegis_worker.domain.card_networks import CardDecline, CardHistory
from aegis_worker.domain.changes import AnswerAttempt, Change
from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Event, Fact, Payment, initiated
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import VersionConflict

LEASE_S = 90.0
DAY_S = 86_400.0
OPEN = ("queued", "running", "waiting", "review")


@dataclass
class Clock:
    """The time in seconds, the same for everybody."""

    now: float = 0.0


@dataclass
class JobRow:
    id: str
    operation: str
    queue: str
    run_at: float
    status: str = "queued"
    request: Any = None
    made_at: float = 0.0
    lease_epoch: int = 0
    lease_until: float = 0.0
    claim_count: int = 0
    begun_epoch: int = 0


@dataclass
class AttemptRow:
    attempt: Attempt
    sent_at: float
    first_not_found_at: float | None = None
    answered_at: float | None = None
    recheck_at: float | None = None

    def as_read(self) -> Attempt:
        return replace(
            self.attempt,
            sent_at_s=self.sent_at,
            first_not_found_at_s=self.first_not_found_at,
            answered_at_s=self.answered_at,
        )


class Tables:
    """One payment, its events, outbox, attempts and jobs."""

    def __init__(self, clock: Clock, *, capture_method: Any) -> None:
        self.clock = clock
        terms = PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "t"}, capture_method)
        unborn = Payment("pay_" + "0" * 32, "m_1", terms)
        self.payment, self.events = unborn.record([initiated(unborn)])
        self.outbox = [event.seq for event in self.events]
        self.attempts: list[AttemptRow] = []
        self.declines: dict[tuple[str, int], tuple[CardDecline, float]] = {}
        self.jobs = [JobRow("job_1", "process", "payments", clock.now)]

    @property
    def open_job(self) -> JobRow | None:
        """The one job that has not ended."""
        return next((job for job in self.jobs if job.status in OPEN), None)

    def due(self, queue: str) -> JobRow | None:
        """A job of the queue that is due, or whose lease has ended."""
        job = self.open_job
        if job is None or job.queue != queue:
            return None
        waits = job.status in ("queued", "waiting") and job.run_at <= self.clock.now
        abandoned = job.status == "running" and job.lease_until < self.clock.now
        return job if waits or abandoned else None

    def claim(self, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
        """`pipeline.ports.JobStore.claim`. One payment has at most one open job."""
        job = self.due(queue)
        if job is None:
            return []
        left_behind = job.status == "running"
        job.claim_count += left_behind and job.begun_epoch == job.lease_epoch
        job.status, job.lease_until = "running", self.clock.now + lease_s
        job.lease_epoch += 1
        return [
            ClaimedJob(
                job.id,
                job.operation,
                job.lease_epoch,
                job.claim_count,
                self.payment,
                tuple(row.as_read() for row in self.attempts),
                job.request,
                made_at_s=job.made_at,
                claimed_at_s=self.clock.now,
                left_behind=left_behind,
            )
        ]

    def begin(self, jobs: Sequence[ClaimedJob]) -> None:
        """`JobStore.begin`."""
        for row in self._held(jobs):
            row.begun_epoch = row.lease_epoch

    def hand_back(self, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
        """`JobStore.hand_back`."""
        self.excuse(jobs)
        for row in self._held(jobs):
            if row.status == "running":
                row.status, row.run_at = "waiting", self.clock.now + delay_s

    def excuse(self, jobs: Sequence[ClaimedJob]) -> None:
        """`JobStore.excuse`."""
        for claimed in jobs:
            row = self._row(claimed.id)
            if row.status not in OPEN:
                continue
            if row.lease_epoch > claimed.lease_epoch:
                row.claim_count = max(row.claim_count - 1, 0)
            else:
                row.begun_epoch = 0

    def record(
        self, changes: Sequence[Change], declines: Mapping[str, CardDecline], *, lease_s: float
    ) -> set[str]:
        """`JobStore.record`. One payment has no other payment's reference to take."""
        held = [change for change in changes if self._has_fence(change)]
        moved = [change for change in held if change.events and self.payment.version != change.version_before]
        if moved:
            raise VersionConflict([change.payment.id for change in moved])
        for change in held:
            self._write_events(change.payment, change.events)
            self._write_job(self._row(change.job_id), change, lease_s)
            for answer in (change.answered, change.beside):
                if answer is not None:
                    self._write_answer(answer)
            if change.opened is not None:
                self._open(change)
            now = self.clock.now
            shown = [one.shown(change.lease_epoch, now) for one in change.found]
            self.attempts += [AttemptRow(attempt, now, answered_at=now) for attempt in shown]
            if change.job_id in declines:
                self._note(declines[change.job_id])
        return {change.job_id for change in held}

    def payments(self, payment_ids: Collection[str]) -> dict[str, Payment]:
        """`JobStore.payments`."""
        return {self.payment.id: self.payment}

    def recheck_now(self, charges: Sequence[tuple[str, int, str | None]]) -> None:
        """`JobStore.recheck_now`."""
        for row in self.attempts:
            status, known = row.attempt.status, row.attempt.gateway_ref
            if row.attempt.operation != "process":
                continue
            for _, _, ref in [one for one in charges if one[:2] == (self.payment.id, row.attempt.number)]:
                is_other = status == "APPROVED" and ref is not None and known is not None and ref != known
                if status in ("DECLINED", "NOT_SENT") or is_other:
                    row.recheck_at = self.clock.now

    def declined_lately(self, card_keys: Collection[bytes]) -> dict[bytes, CardHistory]:
        """`JobStore.declined_lately`."""
        return {key: self._history(key) for key in card_keys}

    def _history(self, card_key: bytes) -> CardHistory:
        ago = [
            (self.clock.now - at, one.code)
            for one, at in self.declines.values()
            if one.card_key == card_key and self.clock.now - at < 30 * DAY_S
        ]
        never_again = max((code for _, code in ago if DECLINES[code].never_again), default=None)
        return CardHistory(sum(age_s < DAY_S for age_s, _ in ago), len(ago), never_again)

    def _note(self, decline: CardDecline) -> None:
        sent = [row.sent_at for row in self.attempts if row.attempt.number == decline.number]
        at = max(sent, default=self.clock.now)
        self.declines.setdefault((decline.payment_id, decline.number), (decline, at))

    def _has_fence(self, change: Change) -> bool:
        row = self._row(change.job_id)
        return row.lease_epoch == change.lease_epoch and row.status == "running"

    def _held(self, jobs: Sequence[ClaimedJob]) -> list[JobRow]:
        rows = [(self._row(job.id), job.lease_epoch) for job in jobs]
        return [row for row, epoch in rows if row.lease_epoch == epoch]

    def _row(self, job_id: str) -> JobRow:
        return next(job for job in self.jobs if job.id == job_id)

    def sync(self) -> None:
        """`persistence.asking.ask_now`: a merchant, a person or a gateway's webhook has the payment asked about."""
        job = self.open_job
        if job is None:
            self._add_job("sync", "verify", None)
            return
        if job.queue == "verify" or job.status == "review":
            job.run_at = self.clock.now
        if job.status == "review":
            job.queue, job.status = "verify", "waiting"

    def cancel(self) -> None:
        """`intake.ordering`: a merchant cancels while the payment is under way."""
        payment, events = self.payment.record([Fact(EventType.CANCEL_REQUESTED)])
        self._write_events(payment, events)
        job = self.open_job
        if job is not None and job.status == "waiting":
            job.run_at = self.clock.now

    def _write_events(self, payment: Payment, events: Sequence[Event]) -> None:
        if events:
            self.payment = payment
            self.events.extend(events)
            self.outbox.extend(event.seq for event in events)

    def _write_job(self, job: JobRow, change: Change, lease_s: float) -> None:
        job.status, job.queue, job.begun_epoch = change.job.status, change.job.queue, change.lease_epoch
        if job.status == "waiting":
            job.run_at = self.clock.now + change.job.run_in_s
        if job.status == "running":
            job.lease_until = self.clock.now + lease_s
        if change.job.progress:
            job.claim_count = 0
        follow_up = change.job.follow_up
        if follow_up is not None:
            self._add_job(follow_up.operation, follow_up.queue, follow_up.request)

    def _add_job(self, operation: str, queue: str, request: Any) -> None:
        assert self.open_job is None, "a payment has one open job"
        self.jobs.append(
            JobRow(f"job_{len(self.jobs) + 1}", operation, queue, self.clock.now, request=request)
        )

    def _write_answer(self, answer: AnswerAttempt) -> None:
        row = next(
            row for row in self.attempts if self._key(row.attempt) == (answer.operation, answer.number)
        )
        old = row.attempt
        row.answered_at = None if answer.status == "SENT" else self.clock.now
        if answer.sent_again:
            row.first_not_found_at = None
        elif answer.not_found and row.first_not_found_at is None:
            row.first_not_found_at = self.clock.now
        if answer.recheck_in_s is not None:
            row.recheck_at = self.clock.now + answer.recheck_in_s
        elif answer.status == "APPROVED" and old.status != "APPROVED":
            row.recheck_at = None
        row.attempt = replace(
            old,
            status=answer.status,
            gateway_ref=answer.gateway_ref or old.gateway_ref,
            outcome=answer.outcome,
            sends=old.sends + answer.sent_again,
            checks=old.checks + answer.asked,
            not_found_count=0 if answer.sent_again else old.not_found_count + answer.not_found,
        )

    def _open(self, change: Change) -> None:
        assert change.opened is not None
        named = {name: getattr(change.opened, name) for name in ("operation", "number", "gateway")}
        attempt = Attempt(
            **named,
            gateway_key=change.opened.gateway_key,
            request_hash=change.opened.request_hash,
            status=AttemptStatus.SENT,
            gateway_ref=None,
            outcome=NOTHING_STORED,
            lease_epoch=change.lease_epoch,
            sends=1,
            checks=0,
            not_found_count=0,
            sent_at_s=self.clock.now,
            first_not_found_at_s=None,
            candidates=tuple(change.opened.decision.get("candidates", ())),
        )
        assert self._key(attempt) not in [self._key(row.attempt) for row in self.attempts], "UNIQUE"
        self.attempts.append(AttemptRow(attempt, self.clock.now))

    @staticmethod
    def _key(attempt: Attempt) -> tuple[str, int]:
        return attempt.operation, attempt.number
