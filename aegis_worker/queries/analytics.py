"""What payments came to over time, a merchant's or those of all, from summaries and their totals; and a customer's history.

Sums never cross currencies, so every row is of one currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner

from .stretches import Stretch, stretches_of

GROUPS = ("gateway", "method", "experiment", "arm", "state")
OPERATORS_GROUPS = ("merchant_id", "mode", *GROUPS)
Interval = Literal["hour", "day", "all"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
# More would be neither read nor drawn; a longer interval or fewer groups have fewer.
MOST_ROWS = 5000
# Of a customer's payments, the newest so many are summed.
MOST_OF_A_CUSTOMER = 10_000

_AMOUNTS = ("amount_minor", "captured_minor", "refunded_minor", "charged_back_minor")
_CUSTOMER = """
SELECT currency, count(*) AS payments, count(*) FILTER (WHERE state IN ('SUCCESS', 'AUTHORIZED')) AS charged,
    count(*) FILTER (WHERE state = 'FAILURE') AS failed, sum(captured_minor)::bigint AS captured_minor,
    sum(refunded_minor)::bigint AS refunded_minor, min(hour) AS first_hour, max(hour) AS last_hour
FROM (
    SELECT * FROM payment_facts WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND customer_id = %(customer_id)s
    ORDER BY payment_id DESC LIMIT %(most)s
) f GROUP BY currency ORDER BY payments DESC, currency
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which payments, by the hour in which they were accepted, and how they are grouped. `owner`: whose, None: all of them.

    Of the hours that begin at `since` or later, and before `until`; None: up to now. `groups`: some of GROUPS, or where all
    are asked about of OPERATORS_GROUPS. `only`: values of these, or a currency, that they must have.
    """

    owner: Owner | None
    since: datetime
    until: datetime | None
    interval: Interval = "all"
    groups: tuple[str, ...] = ()
    only: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """Payments of one step, group and currency. `charged`: SUCCESS or AUTHORIZED. `at`: None where there is one step only.

    Amounts are minor units: what was asked for, captured, refunded, and charged back, of all of these payments.
    """

    at: datetime | None
    group: Mapping[str, str]
    currency: str
    payments: int
    charged: int
    failed: int
    cancelled: int
    open: int
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    charged_back_minor: int

    @property
    def success_rate(self) -> float | None:
        """Of those that were charged or have failed; None where there are none."""
        tried = self.charged + self.failed
        return self.charged / tried if tried else None


@dataclass(frozen=True, slots=True)
class CustomerSum:
    """A customer's payments of one currency. The hours are those in which the first and the last were accepted."""

    currency: str
    payments: int
    charged: int
    failed: int
    captured_minor: int
    refunded_minor: int
    first_hour: datetime
    last_hour: datetime


def summaries(connection: Connection, asked: Asked) -> Sequence[Summary]:
    """At most MOST_ROWS + 1 rows, by time, group and currency: one more says that there are too many."""
    groups = [name for name in OPERATORS_GROUPS if name in asked.groups]
    keys = ["step_at AS at", *groups, "currency"]
    numbers = ", ".join(str(place) for place in range(1, len(keys) + 1))
    parts, values = _parts(asked)
    statement = f"""
        SELECT {", ".join(keys)}, sum(payments)::bigint AS payments,
            coalesce(sum(payments) FILTER (WHERE state IN ('SUCCESS', 'AUTHORIZED')), 0)::bigint AS charged,
            coalesce(sum(payments) FILTER (WHERE state = 'FAILURE'), 0)::bigint AS failed,
            coalesce(sum(payments) FILTER (WHERE state = 'CANCELLED'), 0)::bigint AS cancelled,
            coalesce(sum(payments) FILTER (WHERE state = 'OPEN'), 0)::bigint AS open,
            {", ".join(f"sum({name})::bigint AS {name}" for name in _AMOUNTS)}
        FROM ({parts}) parts
        GROUP BY {numbers} HAVING sum(payments) > 0 ORDER BY {numbers} LIMIT {MOST_ROWS + 1}
    """
    return [
        Summary(
            at=row.at,
            group={name: getattr(row, name) for name in groups},
            **{
                name: getattr(row, name)
                for name in ("currency", "payments", "charged", "failed", "cancelled", "open", *_AMOUNTS)
            },
        )
        for row in connection.exec_driver_sql(statement, values)
    ]


def _parts(asked: Asked) -> tuple[str, dict[str, Any]]:
    """The rows to add up, those of one stretch after those of another, and the values that the statement names."""
    only = {**asked.only, **(asked.owner._asdict() if asked.owner else {})}
    values = {f"only_{name}": value for name, value in only.items()}
    parts = []
    by_hour = asked.interval == "hour"
    for number, stretch in enumerate(stretches_of(asked.since, asked.until, by_hour=by_hour)):
        parts.append(_part(asked, stretch, number, only))
        values |= {f"since_{number}": stretch.since, f"until_{number}": stretch.until}
    return " UNION ALL ".join(parts), values


def _part(asked: Asked, stretch: Stretch, number: int, only: Iterable[str]) -> str:
    source, begins, amount = "payment_totals", "at", "{0}"
    if "merchant_id" not in {*only, *asked.groups}:
        conditions = [f"kind = '{stretch.step}'", "merchant_id = ''"]
    elif stretch.step == "day":
        conditions = ["kind = 'merchant_day'"]
    else:
        source, begins, amount, conditions = "payment_summaries", "hour", "{0}::bigint AS {0}", []
    conditions.append(f"{begins} >= %(since_{number})s")
    if stretch.until is not None:
        conditions.append(f"{begins} < %(until_{number})s")
    conditions += [f"{name} = %(only_{name})s" for name in only]
    by_day = begins if stretch.step == "day" else f"date_trunc('day', {begins}, 'UTC')"
    at = {"hour": begins, "day": by_day, "all": "NULL::timestamptz"}[asked.interval]
    groups = dict.fromkeys(("state", *asked.groups))
    columns = [f"{at} AS step_at", *groups, "currency", "payments", *map(amount.format, _AMOUNTS)]
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {' AND '.join(conditions)}"


def customer_sums(connection: Connection, owner: Owner, customer_id: str) -> Sequence[CustomerSum]:
    """What a customer's newest MOST_OF_A_CUSTOMER payments came to, by currency."""
    names = {**owner._asdict(), "customer_id": customer_id, "most": MOST_OF_A_CUSTOMER}
    return [CustomerSum(*row) for row in connection.exec_driver_sql(_CUSTOMER, names)]
