"""Lists as CSV files, for tables of one's own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from flask import Response

MOST_ROWS = 5000
# A program for tables takes a cell that begins so for a formula, and what stands there may be what a payer wrote.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(
    name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    is_whole: bool,
    which: Literal["newest", "oldest"] = "newest",
) -> Response:
    """A file to keep, by RFC 4180 in UTF-8. If there are more rows than it has, its name says `which` these are."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    answer = Response(written.getvalue(), content_type="text/csv; charset=utf-8; header=present")
    called = name if is_whole else f"{name}-{which}-{MOST_ROWS}"
    answer.headers["Content-Disposition"] = f'attachment; filename="aegispay-{called}.csv"'
    return answer


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    is_text = isinstance(value, str) and text.startswith(_FORMULA) and not _is_number(text)
    return f"'{text}" if is_text else text


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
