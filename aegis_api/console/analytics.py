"""What payments came to over a time: of all merchants or one, by hour or day, for each gateway and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.persistence import projections
from aegis_worker.queries.analytics import MOST_ROWS, Asked, Interval, Summary, summaries

from . import shown
from .addresses import queried
from .blueprint import blueprint
from .exports import as_csv
from .payment_filters import list_url
from .step_picture import picture

_SPANS = {"24h": ("24 hours", 1), "7d": ("7 days", 7), "31d": ("31 days", 31), "92d": ("92 days", 92)}
_SPANS |= {"400d": ("400 days", 400)}
# A picture with more steps than this has bars that nobody can tell apart.
_MOST_DAYS_BY_HOUR = 7
_SHOWN = 500
_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gateway": ("gateway", ("gateway",)),
    "method": ("method", ("method",)),
    "merchant": ("merchant", ("merchant_id",)),
    "mode": ("test or live", ("mode",)),
    "arm": ("A/B arm", ("experiment", "arm")),
    "none": ("currency alone", ()),
}
_NAMELESS = {"gateway": "no gateway took it", "experiment": "no A/B test"}
_ONLY = ("gateway", "currency", "merchant_id")
_COUNTED = ("payments", "charged", "failed", "cancelled", "open")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the address asks for. `span` and `by` are names of choices, `days` is how far back."""

    span: str
    by: Interval
    group: str
    only: Mapping[str, str]
    now: datetime

    @property
    def days(self) -> int:
        return _SPANS[self.span][1]

    @property
    def step(self) -> timedelta:
        return timedelta(hours=1) if self.by == "hour" else timedelta(days=1)

    @property
    def since(self) -> datetime:
        """The beginning of the first step; the last one is the step of this moment."""
        hour = self.now.replace(minute=0, second=0, microsecond=0)
        if self.by == "hour":
            return hour - timedelta(days=self.days) + self.step
        return hour.replace(hour=0) - timedelta(days=self.days - 1)

    def asked(self, interval: Interval, groups: Sequence[str]) -> Asked:
        return Asked(None, self.since, None, interval, tuple(groups), self.only)

    def address(self, page: str = "/console/analytics", **other: str) -> str:
        """Where the same is, but for `other`."""
        return list_url({"over": self.span, "by": self.by, "group": self.group, **self.only, **other}, page)


@blueprint.route("/analytics")
def show_analytics() -> str:
    """The sums of the time, a picture of its steps, and the steps in figures."""
    wanted = _wanted()
    groups = _GROUPS[wanted.group][1]
    with parts().web.reading.read() as connection:
        behind = projections.lag(connection)
        sums = summaries(connection, wanted.asked("all", groups))
        steps = summaries(connection, wanted.asked(wanted.by, groups))
        drawn = summaries(connection, wanted.asked(wanted.by, ()))
    too_many = len(steps) > MOST_ROWS
    newest = [] if too_many else list(reversed(steps))[:_SHOWN]
    return render_template(
        "console/analytics.html",
        wanted=wanted,
        given=wanted.only,
        spans=[(name, word, wanted.address(over=name)) for name, (word, _) in _SPANS.items()],
        may_be_by_hour=wanted.days <= _MOST_DAYS_BY_HOUR,
        groups=[(name, word) for name, (word, _) in _GROUPS.items()],
        group_word=_GROUPS[wanted.group][0],
        gateways=list(parts().web.gateways()),
        behind=behind,
        sums=[(_name(row), row) for row in sums[:_SHOWN]],
        steps=[(_name(row), row) for row in newest],
        more_sums=len(sums) > _SHOWN,
        more_steps=len(steps) > _SHOWN,
        too_many=too_many,
        drawn=None if len(drawn) > MOST_ROWS else picture(drawn, wanted.since, wanted.now, wanted.step),
        download=wanted.address("/console/analytics.csv"),
        without=wanted.only and list_url({"over": wanted.span, "by": wanted.by, "group": wanted.group}, "?"),
    )


@blueprint.route("/analytics.csv")
def export_analytics() -> ResponseReturnValue:
    """The steps as a file, oldest first. Amounts are decimals, so that a table can sum those of one currency."""
    wanted = _wanted()
    groups = _GROUPS[wanted.group][1]
    with parts().web.reading.read() as connection:
        rows = summaries(connection, wanted.asked(wanted.by, groups))
    columns = ("at", *groups, "currency", *_COUNTED, "amount", "captured", "refunded", "charged_back")
    cells = [
        [row.at, *(row.group[name] for name in groups), row.currency, *_counts(row), *_amounts(row)]
        for row in rows[:MOST_ROWS]
    ]
    return as_csv("analytics", columns, cells, is_whole=len(rows) <= MOST_ROWS, which="oldest")


def _wanted() -> _Wanted:
    """What the address asks for; what it says of no choice of ours is as if it were not there."""
    given = queried("over", "by", "group", *_ONLY)
    span = given.get("over", "")
    span = span if span in _SPANS else "7d"
    days = _SPANS[span][1]
    by: Interval = (
        "hour" if days == 1 or (given.get("by") == "hour" and days <= _MOST_DAYS_BY_HOUR) else "day"
    )
    group = given.get("group", "")
    only = {name: given[name] for name in _ONLY if name in given}
    currency = only.get("currency", "").upper()
    if "currency" in only:
        only["currency"] = currency
        if currency not in EXPONENTS:
            del only["currency"]
    return _Wanted(span, by, group if group in _GROUPS else "gateway", only, datetime.now(UTC))


def _name(row: Summary) -> str:
    """Of which group a row is, in words; empty where they are not grouped."""
    names = [value or _NAMELESS.get(name, "") for name, value in row.group.items()]
    return " ".join(name for name in names if name)


def _counts(row: Summary) -> list[int]:
    return [getattr(row, name) for name in _COUNTED]


def _amounts(row: Summary) -> list[str]:
    each = (row.amount_minor, row.captured_minor, row.refunded_minor, row.charged_back_minor)
    return [shown.decimal(minor, row.currency) for minor in each]
