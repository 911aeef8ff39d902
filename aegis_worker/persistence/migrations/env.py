"""Alembic's entry: migrates over the connection that `persistence.migrate` hands in."""

from __future__ import annotations

from alembic import context

from aegis_worker.persistence.oversight_tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=False
)
with context.begin_transaction():
    context.run_migrations()
