"""The one way to PostgreSQL: commands, processes and migrations connect alike, so that all of them meet the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url

from .watchdog import bounded

_ALWAYS = {
    "timezone": "UTC",
    # Else psycopg2 sets it by itself, and waits without a bound.
    "datestyle": "ISO",
    # No statement of ours runs long enough to be worth compiling, whatever its plan is estimated to cost.
    "jit": "off",
    # The other settings that keep requests out of PostgreSQL's log are a superuser's; `aegis doctor` looks at them.
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
    """An engine whose connecting is bounded, and each wait for an answer (`answer_within_s`, by the watchdog).

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
        use_native_hstore=False,  # a query for each new connection, about a type that no column has
        connect_args={
            **bounded(answer_within_s, application=application),
            "client_encoding": "utf8",
            "options": " ".join(filter(None, options)),
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
