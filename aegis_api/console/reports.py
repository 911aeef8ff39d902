"""Stored reports of experiments, crash tests and explorations: a list, and each as it was written.

A report is a file that somebody put there, so nothing in it is trusted. HTML is shown in a frame without scripts, forms,
an origin or the network; JSON is shown as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Response, render_template

from aegis_api.http.parts import parts
from aegis_worker.errors import NotFound

from .blueprint import blueprint
from .login.guard import answer_with
from .report_files import MOST_LISTED, ReportFile, list_reports, read_report, told_by

_FRAMED = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'; form-action 'none'; "
    "base-uri 'none'"
)
_AROUND = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_LONGEST_SHOWN = 200_000
_MOST_ROWS = 200
_FIGURES = ("configuration", "operation", "faults", "states", "transitions", "seconds", "complete", "found")


@blueprint.route("/reports")
def show_reports() -> str:
    """The newest reports."""
    folder = _folder()
    reports: list[ReportFile] = []
    broken = None
    try:
        reports = list_reports(folder) if folder else []
    except OSError as error:
        broken = error.strerror
    return render_template(
        "console/reports.html", folder=folder, reports=reports, broken=broken, most=MOST_LISTED
    )


@blueprint.route("/reports/<name>")
def show_report(name: str) -> str:
    """One of them."""
    content = _content(name)
    if name.endswith(".html"):
        answer_with({"Content-Security-Policy": _AROUND})
        return render_template("console/report.html", name=name, told={}, explored=[], text=None)
    text, told = (
        content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}"),
        told_by(content),
    )
    return render_template(
        "console/report.html",
        name=name,
        told={
            key: told[key]
            for key in ("experiment", "verdict", "seed")
            if isinstance(told.get(key), str | int)
        },
        explored=_explored(told),
        text=text[:_LONGEST_SHOWN],
        is_cut=len(text) > _LONGEST_SHOWN,
    )


@blueprint.route("/reports/<name>/content")
def show_content(name: str) -> Response:
    """What is in it, for the frame on its page; JSON as a file to keep."""
    content = _content(name)
    if name.endswith(".html"):
        answer_with({"Content-Security-Policy": _FRAMED, "X-Frame-Options": "SAMEORIGIN"})
        return Response(content, content_type="text/html; charset=utf-8")
    answer = Response(content, content_type="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _folder() -> Path | None:
    return parts().web.settings.console.reports


def _content(name: str) -> bytes:
    folder = _folder()
    content = read_report(folder, name) if folder else None
    if content is None:
        raise NotFound("There is no such report, or it is larger than the console shows.")
    return content


def _explored(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The explorations that it tells of, those that found something first."""
    all_of_it = told.get("explored")
    rows = [each for each in all_of_it if isinstance(each, dict)] if isinstance(all_of_it, list) else []
    figures = [{name: _figure(row.get(name)) for name in _FIGURES} for row in rows[:_MOST_ROWS]]
    return sorted(figures, key=lambda row: row["found"] in (0, "0", "–"))


def _figure(value: Any) -> Any:
    if isinstance(value, list):
        return len(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)[:80] if isinstance(value, str | int | float) else "–"
