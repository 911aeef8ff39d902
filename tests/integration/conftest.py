"""A database object on the test's own database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from aegis_worker.persistence.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    engine = create_engine(
        database_url, pool_size=12, max_overflow=0, connect_args={"options": "-c lock_timeout=2000"}
    )
    yield Database(engine)
    engine.dispose()
