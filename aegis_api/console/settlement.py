"""Settlement: what each gateway took in and gave back by day, to be held against what it pays out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.queries.settlement import MOST_ROWS, Settled, settlement

from . import shown
from .blueprint import blueprint
from .exports import as_csv

_DAYS = (7, 31, 92)
_COLUMNS = ("day", "gateway", "mode", "currency", "payments", "captured", "refunded", "charged_back", "net")


@blueprint.route("/settlement")
def show_settlement() -> str:
    """By day, gateway and currency, with the sums of the whole time."""
    days, rows = _read()
    return render_template(
        "console/settlement.html",
        days=days,
        choices=_DAYS,
        rows=rows,
        sums=_sums(rows),
        is_whole=len(rows) < MOST_ROWS,
    )


@blueprint.route("/settlement.csv")
def export_settlement() -> ResponseReturnValue:
    """The same as a file."""
    _, rows = _read()
    cells = [
        [row.day.date(), row.gateway, row.mode, row.currency, row.payments, *_amounts(row)] for row in rows
    ]
    return as_csv("settlement", _COLUMNS, cells, is_whole=len(rows) < MOST_ROWS)


def _read() -> tuple[int, list[Settled]]:
    days = next((each for each in _DAYS if str(each) == request.args.get("days")), _DAYS[0])
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with parts().web.database.read() as connection:
        return days, list(settlement(connection, midnight - timedelta(days=days - 1)))


def _amounts(row: Settled) -> list[str]:
    each = (row.captured_minor, row.refunded_minor, row.charged_back_minor, row.net_minor)
    return [shown.decimal(minor, row.currency) for minor in each]


def _sums(rows: list[Settled]) -> list[dict[str, Any]]:
    """By gateway, mode and currency. Sums never cross currencies."""
    sums: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row.gateway, row.mode, row.currency)
        names = {"gateway": row.gateway, "mode": row.mode, "currency": row.currency}
        one = sums.setdefault(
            key, {**names, "payments": 0, "captured": 0, "refunded": 0, "back": 0, "net": 0}
        )
        one["payments"] += row.payments
        one["captured"] += row.captured_minor
        one["refunded"] += row.refunded_minor
        one["back"] += row.charged_back_minor
        one["net"] += row.net_minor
    return [sums[key] for key in sorted(sums)]
