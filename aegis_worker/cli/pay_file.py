"""`aegis pay --file`: post many payments in batches, each under a key that makes a second run safe."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_worker.errors import AegisError, OperatorError
from aegis_worker.observability.redaction import redact_text
from aegis_worker.terminal.api import ENDED_JOB, Api, NotAnswered, Reply
from aegis_worker.terminal.output import print_facts, print_json, print_table, progress, remark

from .pay_lines import Line, count_lines, in_batches, read_lines

_ERRORS_SHOWN, _ERRORS_KEPT = 20, 1000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _BREATH_S = 0.1, 5.0, 0.02


@dataclass(slots=True)
class FileReport:
    """The result for a file, counted in lines. `accepted`, `replayed` and `refused` mean what they mean in the batch API.

    `not_sent` lines have no answer, because the run ended before; run it again.
    """

    file: str
    lines: int
    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    in_review: int = 0
    unfinished: int = 0
    stopped_because: str | None = None
    by_state: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def not_sent(self) -> int:
        """The number of lines that got no answer."""
        return self.lines - self.accepted - self.replayed - self.refused

    @property
    def exit_code(self) -> int:
        """3 if the file could not be finished, 1 if something is wrong with a payment, else 0."""
        if self.not_sent:
            return 3
        return 1 if self.refused or self.in_review or self.unfinished else 0

    def refuse(self, line: Line, code: str, detail: str) -> None:
        """Count a refusal. The first 1000 are kept."""
        self.refused += 1
        self.note(line, code, detail)

    def note(self, line: Line, code: str, detail: str) -> None:
        """Keep a line's fault, up to 1000 of them, with its column if that is known."""
        if len(self.errors) < _ERRORS_KEPT:
            error = {
                "line": line.number,
                "idempotency_key": line.key and redact_text(line.key),
                "code": code,
                "detail": detail,
            }
            self.errors.append(error if line.column is None else {**error, "column": line.column})


def pay_file(api: Api, path: Path, *, concurrency: int, wait_s: float, as_json: bool) -> int:
    """Post every line, wait for the payments to end, print the summary and return the exit code.

    If a line isn't JSON, the file is wrong usage and nothing is posted: the file may have been cut off anywhere.
    """
    report = FileReport(path.name, count_lines(path))
    for line in read_lines(path):
        if line.column is not None and line.fault is not None:
            report.note(line, *line.fault)
    if report.errors:
        report.stopped_because = "the file has lines that are no JSON, so nothing was posted"
        _print(report, as_json, waited=False)
        return 2
    with ThreadPoolExecutor(concurrency, thread_name_prefix="pay") as pool:
        try:
            open_jobs = _post_all(api, pool, path, report, in_flight=2 * concurrency)
            if wait_s > 0 and report.stopped_because is None:
                _await_all(api, pool, open_jobs, report, at_a_time=concurrency, wait_s=wait_s)
        except BaseException:
            api.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            remark("stopped; run it again to go on, nothing is paid twice")
            raise
    _print(report, as_json, waited=wait_s > 0)
    return report.exit_code


def _post_all(
    api: Api, pool: ThreadPoolExecutor, path: Path, report: FileReport, *, in_flight: int
) -> list[dict[str, Any]]:
    """Post the lines and return the jobs of the accepted ones. Stops at the first request that gets no answer."""
    jobs: list[dict[str, Any]] = []
    posting: dict[Future[list[Reply]], list[Line]] = {}
    with progress("posting", report.lines) as advance:

        def take_answers(at_most: int) -> None:
            while len(posting) > at_most:
                for answered in wait(posting, return_when=FIRST_COMPLETED).done:
                    lines = posting.pop(answered)
                    _take(answered, lines, report, jobs)
                    for _ in lines:
                        advance()

        def good_lines() -> Iterator[Line]:
            for line in read_lines(path):
                if line.fault is None:
                    yield line
                else:
                    report.refuse(line, *line.fault)
                    advance()

        for batch in in_batches(good_lines()):
            if report.stopped_because is not None:
                break
            posting[pool.submit(api.post_batch, [(line.key, line.body) for line in batch])] = batch
            take_answers(in_flight)
        take_answers(0)
    return jobs


def _take(
    answered: Future[list[Reply]], lines: Sequence[Line], report: FileReport, jobs: list[dict[str, Any]]
) -> None:
    try:
        replies = answered.result()
    except (NotAnswered, OperatorError) as error:
        report.stopped_because = report.stopped_because or str(error)
        return
    for line, reply in zip(lines, replies, strict=True):
        if reply.is_worth_a_retry:
            why = f"line {line.number} was not taken, however often it was sent: {reply.code}"
            report.stopped_because = report.stopped_because or why
        elif not reply.ok:
            report.refuse(line, reply.code, reply.reason)
        else:
            replayed = reply.body["outcome"] == "replayed"
            report.replayed += replayed
            report.accepted += not replayed
            jobs.append({"id": reply.body["job_id"], "payment_id": reply.body["payment_id"]})


def _await_all(
    api: Api,
    pool: ThreadPoolExecutor,
    jobs: list[dict[str, Any]],
    report: FileReport,
    *,
    at_a_time: int,
    wait_s: float,
) -> None:
    """Poll each job at growing intervals until all have ended, or until none has ended for `wait_s` seconds."""
    started = time.monotonic()
    due = [(started, place, _FIRST_PAUSE_S) for place in range(len(jobs))]
    give_up_at = started + wait_s
    with progress("results", len(jobs)) as advance:
        while due and time.monotonic() < give_up_at:
            now = time.monotonic()
            batch: list[tuple[float, int, float]] = []
            while due and len(batch) < at_a_time and due[0][0] <= now:
                batch.append(heapq.heappop(due))
            ends = pool.map(lambda place: _end_of(api, jobs[place]), [place for _, place, _ in batch])
            for (_, place, pause_s), end in zip(batch, ends, strict=True):
                if end is None:
                    heapq.heappush(due, (now + pause_s, place, min(2 * pause_s, _LONGEST_PAUSE_S)))
                    continue
                status, state = end
                report.by_state[state] += 1
                report.in_review += status == "review"
                give_up_at = time.monotonic() + wait_s
                advance()
            api.stop.wait(_BREATH_S)
    report.unfinished = len(due)


def _end_of(api: Api, job: Mapping[str, Any]) -> tuple[str, str] | None:
    """The job's status and its payment's state at the end. None while the job goes on or nothing can be learned."""
    try:
        status = api.get(f"/v1/jobs/{job['id']}").body.get("status")
        if status not in ENDED_JOB:
            return None
        return str(status), str(api.get(f"/v1/payments/{job['payment_id']}").body.get("state"))
    except AegisError:
        return None


def _print(report: FileReport, as_json: bool, *, waited: bool) -> None:
    if as_json:
        print_json(
            {
                "file": report.file,
                "lines": report.lines,
                "accepted": report.accepted,
                "replayed": report.replayed,
                "refused": report.refused,
                "not_sent": report.not_sent,
                "by_state": dict(sorted(report.by_state.items())),
                "in_review": report.in_review,
                "unfinished": report.unfinished,
                "stopped_because": report.stopped_because,
                "errors": report.errors,
            }
        )
        return
    print_facts(
        f"Payments of {report.file}",
        {
            "lines": report.lines,
            "accepted": report.accepted,
            "posted before": report.replayed or None,
            "refused": report.refused or None,
            "not sent": report.not_sent or None,
            "in review": report.in_review or None,
            "not ended": report.unfinished or None,
        },
    )
    if waited and report.by_state and report.stopped_because is None:
        print_table("By state", ("state", "payments"), sorted(report.by_state.items()))
    if report.errors:
        rows = [
            (error["line"], error.get("column"), error["code"], error["detail"])
            for error in report.errors[:_ERRORS_SHOWN]
        ]
        print_table("Refused", ("line", "column", "code", "because"), rows)
    if len(report.errors) > _ERRORS_SHOWN:
        remark(
            f"… and {max(report.refused, len(report.errors)) - _ERRORS_SHOWN} more; --json lists up to {_ERRORS_KEPT}"
        )
    if report.stopped_because:
        remark(f"{report.stopped_because}; run it again to go on, nothing is paid twice")
