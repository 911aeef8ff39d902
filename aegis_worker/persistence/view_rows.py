"""Lists of the console that somebody saved under a name of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from .tables.people import console_views

MOST_OF_A_USER = 20


@dataclass(frozen=True, slots=True)
class SavedView:
    """`query`: the filters, as they stand in an address after the question mark."""

    name: str
    query: str


def of_user(connection: Connection, user_id: str) -> Sequence[SavedView]:
    """What a user saved, in the order in which it was."""
    columns = console_views.c
    rows = connection.execute(
        select(columns.name, columns.query)
        .where(columns.user_id == user_id)
        .order_by(columns.made_at, columns.name)
        .limit(MOST_OF_A_USER)
    )
    return [SavedView(*row) for row in rows]


def save(connection: Connection, user_id: str, view: SavedView) -> bool:
    """Save a view, in place of the user's one of the same name; False where there are too many already."""
    columns = console_views.c
    others = select(func.count()).where(columns.user_id == user_id, columns.name != view.name)
    if connection.execute(others).scalar_one() >= MOST_OF_A_USER:
        return False
    row = {"user_id": user_id, "name": view.name, "query": view.query}
    made = insert(console_views).values(row)
    connection.execute(
        made.on_conflict_do_update(
            index_elements=[columns.user_id, columns.name], set_={"query": made.excluded.query}
        )
    )
    return True


def forget(connection: Connection, user_id: str, name: str) -> None:
    """Delete a user's view, where there is one of this name."""
    columns = console_views.c
    connection.execute(delete(console_views).where(columns.user_id == user_id, columns.name == name))
