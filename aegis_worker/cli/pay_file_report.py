"""What became of a file of payments, counted in lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aegis_worker.observability.redaction import redact_text
from aegis_worker.terminal.output import print_facts, print_json, print_table, remark

from .pay_lines import Line

_ERRORS_SHOWN, _ERRORS_KEPT = 20, 1000


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


def print_file_report(report: FileReport, as_json: bool, *, waited: bool) -> None:
    """As JSON, or as tables. `waited`: for the payments' ends."""
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
