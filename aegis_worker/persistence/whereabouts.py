"""Why this role does not see AegisPay's tables: their schema isn't in its search_path, or the role may not use it."""

from __future__ import annotations

from sqlalchemy import Connection

# Asks has_schema_privilege, because PostgreSQL silently skips a schema of the search_path that the role may not use.
_PLACES = """
SELECT n.nspname AS name, n.nspname = ANY (current_schemas(false)) AS searched,
    has_schema_privilege(n.oid, 'USAGE') AS usable, n.nspname = ANY (
        SELECT trim(both '" ' FROM part) FROM unnest(string_to_array(current_setting('search_path'), ',')) part
    ) AS named
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'alembic_version' AND c.relkind = 'r'
    AND EXISTS (SELECT FROM pg_class p WHERE p.relname = 'payments' AND p.relnamespace = n.oid)
ORDER BY n.nspname LIMIT 20
"""
_SEARCH_PATH = "SELECT current_setting('search_path') AS path, cardinality(current_schemas(false)) AS usable"


def not_seen_because(connection: Connection) -> str | None:
    """Why the role can't see the tables and what to do about it, in one line; None if there simply are no tables."""
    places = connection.exec_driver_sql(_PLACES).all()
    if any(place.searched for place in places):
        return None
    for place in places:
        if place.named and not place.usable:
            return f"this role may not use the schema of the tables, {place.name}: GRANT USAGE ON SCHEMA {place.name}"
    if places:
        names = ", ".join(place.name for place in places)
        return (
            f"there are tables of AegisPay in the schema {names}, which this role's search_path leaves out: if they are"
            f" this installation's, add ?options=-csearch_path%3D{places[0].name} to DATABASE_URL"
        )
    path = connection.exec_driver_sql(_SEARCH_PATH).one()
    if not path.usable:
        return (
            f"the search_path ({path.path}) names no schema that is there and that this role may use: CREATE SCHEMA, GRANT "
            "USAGE, or correct ?options=-csearch_path%3D… in DATABASE_URL"
        )
    return None
