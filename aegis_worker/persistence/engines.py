"""The one way to connect to PostgreSQL, for commands, processes and migrations, so that all see the same tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import DecodeError
from msgspec.json import decode
from sqlalchemy import Engine, create_engine, event, make_url

from .watchdog import bounded

_ALWAYS = {
    "timezone": "UTC",
    # Otherwise psycopg2 sets it with a statement of its own, and waits for the answer without a bound.
    "datestyle": "ISO",
    # No statement of ours runs long enough to be worth compiling, whatever its plan is estimated to cost.
    "jit": "off",
    # Only a superuser may change the other settings that keep requests out of PostgreSQL's log. `aegis doctor` checks
    # them.
    "log_parameter_max_length_on_error": "0",
}


def new_engine(
    url: str,
    *,
    application: str,
    answer_within_s: float,
    session: Mapping[str, Any] | None = None,
    **pool: Any,
) -> Engine:
    """An engine that bounds connecting and (by the watchdog, `answer_within_s`) each wait for an answer.

    `session`: settings of PostgreSQL for each of its sessions.

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
        json_deserializer=_from_json,
        use_native_hstore=False,  # it would cost a query for each new connection, and no column has that type
        connect_args={
            **bounded(answer_within_s, application=application),
            "client_encoding": "utf8",
            "options": " ".join(filter(None, options)),
        },
        **pool,
    )
    event.listen(engine, "connect", _in_utc)
    return engine


def _from_json(text: str) -> Any:
    """As json reads it, in a quarter of the time."""
    try:
        return decode(text)
    except DecodeError:
        # PostgreSQL keeps numbers that are too large for a float. json reads them as infinite.
        return json.loads(text)


def _in_utc(connection: Any, record: Any) -> None:
    # libpq sends the environment's PGTZ beside the options, and for PostgreSQL it outranks them.
    if connection.get_parameter_status("TimeZone") != "UTC":
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
        connection.autocommit = False
