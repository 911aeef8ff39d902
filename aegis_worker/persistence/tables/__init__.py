"""The tables, for statements and for the check that migrations and code agree.

Triggers that protect them stand in the migrations.
"""

from __future__ import annotations

# Each module puts its tables into the metadata, so whoever compares the metadata with a database needs all of them.
from . import access, delivery, entities, oversight, payers, payments, people, projections
from .columns import metadata

__all__ = [
    "access",
    "delivery",
    "entities",
    "metadata",
    "oversight",
    "payers",
    "payments",
    "people",
    "projections",
]
