"""One clock for this process and for PostgreSQL, that goes on only when it is told to.

PostgreSQL's clock functions stand in a schema of the story's own, before `pg_catalog` in the search path. The tables are
migrated under that path as well, so defaults and triggers read the same clock as statements do. Nothing is shifted in rows:
a lease of 90 s is over when the story says that 90 s have passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, make_url

import aegis_worker.clock as clock_of_process

# When stories begin: the time of day, and what this process's clock reads then. They differ, as they do in the world.
BEGINS_AT = "2027-01-15T08:00:00+00:00"
_READS_FIRST_S = 1000.0

# Each look at the clock is a microsecond later than the one before, so that rows written at one moment keep their order.
_FUNCTIONS = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.story_clock (now_at timestamptz NOT NULL);
INSERT INTO {schema}.story_clock VALUES ('{begins_at}');
CREATE SEQUENCE {schema}.story_ticks;
CREATE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS $$
    SELECT now_at + nextval('{schema}.story_ticks') * interval '1 microsecond' FROM {schema}.story_clock
$$;
CREATE FUNCTION {schema}.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS $$
    SELECT now_at + (SELECT last_value FROM {schema}.story_ticks) * interval '1 microsecond' FROM {schema}.story_clock
$$;
CREATE FUNCTION {schema}.now() RETURNS timestamptz STABLE LANGUAGE sql AS $$
    SELECT {schema}.statement_timestamp()
$$;
"""


def under_story_clock(database_url: str, schema: str) -> str:
    """The URL under which the schema's clock and tables come before everything else."""
    path = f"-csearch_path={schema},pg_catalog"
    return make_url(database_url).update_query_dict({"options": path}).render_as_string(hide_password=False)


def install_clock(engine: Engine, schema: str) -> None:
    """Make the schema, with PostgreSQL's clock functions as the story wants them, and nothing else."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_FUNCTIONS.format(schema=schema, begins_at=BEGINS_AT))


class StoryClock:
    """The time of a story, in seconds since its beginning."""

    def __init__(self, engine: Engine, schema: str) -> None:
        self._engine, self._schema = engine, schema
        self.now_s = 0.0

    def pass_until(self, now_s: float) -> None:
        """Let time pass, for this process and for PostgreSQL at once. Raises ValueError for a time that is over."""
        if now_s < self.now_s:
            raise ValueError(f"{now_s} s is over: it is {self.now_s} s")
        statement = (
            f"UPDATE {self._schema}.story_clock SET now_at = %(begins_at)s::timestamptz"
            " + make_interval(secs => %(now_s)s)"
        )
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement, {"begins_at": BEGINS_AT, "now_s": now_s})
        self.now_s = now_s

    def clock_gettime(self, which: int) -> float:
        """Stands for `time.clock_gettime` where this process reads its clock."""
        return _READS_FIRST_S + self.now_s

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Within it `aegis_worker.clock.clock_s` reads this clock, from the story's beginning on."""
        self.now_s = 0.0
        self.pass_until(0.0)
        before = vars(clock_of_process)["time"]
        setattr(clock_of_process, "time", self)  # noqa: B010
        try:
            yield
        finally:
            setattr(clock_of_process, "time", before)  # noqa: B010
