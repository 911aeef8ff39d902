"""What the tables share: their metadata, the kind of a time, and the forms of conditions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData()

TIME = TIMESTAMP(timezone=True)
NOW = text("clock_timestamp()")


def one_of(column: str, *values: str) -> str:
    """The condition that a column holds one of the values, for a CHECK."""
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


# What says nothing of its mode is for test: then no real money moves.
def mode_column(**more: Any) -> Column[str]:
    """Live or test."""
    return Column("mode", Text, nullable=False, server_default="test", **more)
