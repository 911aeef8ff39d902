"""`aegis pay --file`: post many payments in batches, each under a key that makes a second run safe."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aegis_client import Answer
from aegis_worker.errors import AegisError, OperatorError
from aegis_worker.terminal.api import ENDED_JOB, Api, NotAnswered
from aegis_worker.terminal.interrupts import noted_interrupts
from aegis_worker.terminal.output import progress, remark

from .pay_file_report import FileReport, print_file_report
from .pay_lines import Line, count_lines, in_batches, read_lines

_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _BREATH_S = 0.1, 5.0, 0.02
# How soon Ctrl-C is noticed while an answer is awaited.
_LOOK_S = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Pool:
    """Threads, and waits for them that Ctrl-C ends. `check_interrupted` raises KeyboardInterrupt."""

    threads: ThreadPoolExecutor
    check_interrupted: Callable[[], None]

    def first_of(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Wait for at least one, and return those that are done."""
        while True:
            self.check_interrupted()
            if done := wait(futures, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done:
                return done

    def all_of(self, futures: Sequence[Future[T]]) -> list[T]:
        """Wait for all, and return their results in the given order."""
        left = set(futures)
        while left:
            left -= self.first_of(left)
        return [future.result() for future in futures]


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
        print_file_report(report, as_json, waited=False)
        return 2
    with (
        noted_interrupts() as check_interrupted,
        ThreadPoolExecutor(concurrency, thread_name_prefix="pay") as threads,
    ):
        pool = _Pool(threads, check_interrupted)
        try:
            open_jobs = _post_all(api, pool, path, report, in_flight=2 * concurrency)
            if wait_s > 0 and report.stopped_because is None:
                _await_all(api, pool, open_jobs, report, at_a_time=concurrency, wait_s=wait_s)
        except BaseException:
            api.stop.set()
            threads.shutdown(wait=False, cancel_futures=True)
            api.close()  # so that nobody waits for the answers of calls under way
            remark("stopped; run it again to go on, nothing is paid twice")
            raise
    print_file_report(report, as_json, waited=wait_s > 0)
    return report.exit_code


def _post_all(
    api: Api, pool: _Pool, path: Path, report: FileReport, *, in_flight: int
) -> list[dict[str, Any]]:
    """Post the lines and return the jobs of the accepted ones. Stops at the first request that gets no answer."""
    jobs: list[dict[str, Any]] = []
    posting: dict[Future[list[Answer]], list[Line]] = {}
    with progress("posting", report.lines) as advance:

        def take_answers(at_most: int) -> None:
            while len(posting) > at_most:
                for answered in pool.first_of(posting):
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
            posting[pool.threads.submit(api.post_batch, [(line.key, line.body) for line in batch])] = batch
            take_answers(in_flight)
        take_answers(0)
    return jobs


def _take(
    answered: Future[list[Answer]], lines: Sequence[Line], report: FileReport, jobs: list[dict[str, Any]]
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
            if "scheduled_at" not in line.body:
                jobs.append({"id": reply.body["job_id"], "payment_id": reply.body["payment_id"]})


def _await_all(
    api: Api,
    pool: _Pool,
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
            asked = [pool.threads.submit(_end_of, api, jobs[place]) for _, place, _ in batch]
            for (_, place, pause_s), end in zip(batch, pool.all_of(asked), strict=True):
                if end is None:
                    heapq.heappush(due, (now + pause_s, place, min(2 * pause_s, _LONGEST_PAUSE_S)))
                    continue
                status, state = end
                report.by_state[state] += 1
                report.in_review += status == "review"
                give_up_at = time.monotonic() + wait_s
                advance()
            time.sleep(_BREATH_S)
            pool.check_interrupted()
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
