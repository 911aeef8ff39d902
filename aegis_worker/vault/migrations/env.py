"""Alembic's entry for the vault's own database: migrates over the connection that `persistence.migrate` hands in."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
