"""The one way to PostgreSQL: commands, processes and migrations connect alike, so that all of them meet the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url

# jit: no statement of ours runs long enough to be worth compiling, whatever its plan is estimated to cost.
_ALWAYS = {"timezone": "UTC", "jit": "off"}


def new_engine(
    url: str, *, application: str, session: Mapping[str, Any] | None = None, **pool: Any
) -> Engine:
    """An engine whose connecting is bounded. `session`: settings of PostgreSQL for each of its sessions.

    What the URL itself sets with `options=` (a search_path, a role) holds too, unless `session` says otherwise.
    """
    parsed = make_url(url)
    given = parsed.query.get("options", "")
    settings = {**_ALWAYS, **(session or {})}
    options = [given if isinstance(given, str) else " ".join(given)]
    options += [f"-c {name}={value}" for name, value in settings.items()]
    engine = create_engine(
        parsed.difference_update_query(["options"]),
        hide_parameters=True,  # an e-mail address must not stand in an exception's text
        connect_args={
            "connect_timeout": 3,
            "application_name": f"aegis-{application}",
            "client_encoding": "utf8",
            "options": " ".join(filter(None, options)),
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
        **pool,
    )
    event.listen(engine, "connect", _in_utc)
    return engine


def _in_utc(connection: Any, record: Any) -> None:
    # libpq sends PGTZ beside the options, and PostgreSQL takes it for the last word.
    if connection.get_parameter_status("TimeZone") != "UTC":
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = False
