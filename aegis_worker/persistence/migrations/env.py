"""Alembic's entry: migrates over the connection that `persistence.migrate` hands in."""

from __future__ import annotations

from typing import Any

from alembic import context

from aegis_worker.persistence.serving import say_which_code_it_serves
from aegis_worker.persistence.tables import metadata


def _say_which_code_it_serves(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    # In the transaction of the step itself.
    (revision,) = step.destination_revision_ids or (None,)
    say_which_code_it_serves(connection, revision)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
    on_version_apply=_say_which_code_it_serves,
)
with context.begin_transaction():
    context.run_migrations()
