"""One page of a list, newest first. Ids sort by time, so the id of the last row is the cursor of the next page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, and_

from aegis_worker.domain.modes import Owner
from aegis_worker.ids import first_id_at

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Up to `limit` rows. `next_cursor` goes into `starting_after` of the next call; None on the last page."""

    rows: Sequence[T]
    next_cursor: str | None


def of_owner(statement: Select[Any], table: Table, owner: Owner | None) -> Select[Any]:
    """The statement for the owner's rows only. None means everybody's: for operators, not for merchants' requests."""
    if owner is None:
        return statement
    return statement.where(table.c.merchant_id == owner.merchant_id, table.c.mode == owner.mode)


def newest_first(
    connection: Connection,
    statement: Select[Any],
    key: Column[str],
    make: Callable[[Mapping[str, Any]], T],
    *,
    limit: int,
    starting_after: str | None,
) -> Page[T]:
    """The page of `statement` that follows the row whose `key` is `starting_after`."""
    if starting_after is not None:
        statement = statement.where(key < starting_after)
    # Read one row more than asked for: it tells whether there is a next page, without counting.
    result = connection.execute(statement.order_by(key.desc()).limit(limit + 1)).mappings()
    found = cast("Sequence[Mapping[str, Any]]", result.all())
    rows = found[:limit]
    return Page([make(row) for row in rows], rows[-1][key.name] if len(found) > limit else None)


# An id holds the time of a web process's clock, a moment before its row gets PostgreSQL's time. The two differ by less
# than this, so a search for a time can be narrowed down to a range of ids.
_CLOCKS_DIFFER = timedelta(hours=1)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


def created_since(table: Table, prefix: str, moment: datetime) -> ColumnElement[bool]:
    """Whether a row of the table was made at that moment or later. `prefix`: how its ids begin."""
    is_since: ColumnElement[bool] = table.c.created_at >= moment
    if moment.year <= _FIRST_YEAR:
        return is_since
    return and_(is_since, table.c.id >= first_id_at(prefix, moment - _CLOCKS_DIFFER))


def created_before(table: Table, prefix: str, moment: datetime) -> ColumnElement[bool]:
    """Whether a row of the table was made before that moment. `prefix`: how its ids begin."""
    is_before: ColumnElement[bool] = table.c.created_at < moment
    if not _FIRST_YEAR < moment.year <= _LAST_YEAR:
        return is_before
    return and_(is_before, table.c.id < first_id_at(prefix, moment + _CLOCKS_DIFFER))
