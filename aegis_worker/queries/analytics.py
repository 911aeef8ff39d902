"""What payments came to over time, a merchant's or those of all, from the summaries by hour; and the history of a customer.

Sums never cross currencies, so every row is of one currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner

GROUPS = ("gateway", "method", "experiment", "arm", "state")
OPERATORS_GROUPS = ("merchant_id", "mode", *GROUPS)
Interval = Literal["hour", "day", "all"]
# More would be neither read nor drawn; a longer interval or fewer groups have fewer.
MOST_ROWS = 5000
# Of a customer's payments, the newest so many are summed.
MOST_OF_A_CUSTOMER = 10_000

_STEP = {"hour": "hour", "day": "date_trunc('day', hour, 'UTC')", "all": "NULL::timestamptz"}
_WHOSE = "merchant_id = %(merchant_id)s AND mode = %(mode)s AND"
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

    `groups`: some of GROUPS, or where all are asked about of OPERATORS_GROUPS. `only`: values of these, or a currency, that
    they must have.
    """

    owner: Owner | None
    since: datetime
    until: datetime
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
    keys = [f"{_STEP[asked.interval]} AS at", *groups, "currency"]
    only = [f"AND {name} = %(only_{name})s" for name in asked.only]
    numbers = ", ".join(str(place) for place in range(1, len(keys) + 1))
    statement = f"""
        SELECT {", ".join(keys)}, sum(payments)::bigint AS payments,
            coalesce(sum(payments) FILTER (WHERE state IN ('SUCCESS', 'AUTHORIZED')), 0)::bigint AS charged,
            coalesce(sum(payments) FILTER (WHERE state = 'FAILURE'), 0)::bigint AS failed,
            coalesce(sum(payments) FILTER (WHERE state = 'CANCELLED'), 0)::bigint AS cancelled,
            coalesce(sum(payments) FILTER (WHERE state = 'OPEN'), 0)::bigint AS open,
            sum(amount_minor)::bigint AS amount_minor, sum(captured_minor)::bigint AS captured_minor,
            sum(refunded_minor)::bigint AS refunded_minor, sum(charged_back_minor)::bigint AS charged_back_minor
        FROM payment_summaries
        WHERE {_WHOSE if asked.owner else ""} hour >= %(since)s AND hour < %(until)s {" ".join(only)}
        GROUP BY {numbers} HAVING sum(payments) > 0 ORDER BY {numbers} LIMIT {MOST_ROWS + 1}
    """
    names = {**(asked.owner._asdict() if asked.owner else {}), "since": asked.since, "until": asked.until}
    names |= {f"only_{name}": value for name, value in asked.only.items()}
    return [
        Summary(
            at=row.at,
            group={name: getattr(row, name) for name in groups},
            **{
                name: getattr(row, name)
                for name in ("currency", "payments", "charged", "failed", "cancelled", "open", *_AMOUNTS)
            },
        )
        for row in connection.exec_driver_sql(statement, names)
    ]


_AMOUNTS = ("amount_minor", "captured_minor", "refunded_minor", "charged_back_minor")


def customer_sums(connection: Connection, owner: Owner, customer_id: str) -> Sequence[CustomerSum]:
    """What a customer's newest MOST_OF_A_CUSTOMER payments came to, by currency."""
    names = {**owner._asdict(), "customer_id": customer_id, "most": MOST_OF_A_CUSTOMER}
    return [CustomerSum(*row) for row in connection.exec_driver_sql(_CUSTOMER, names)]
