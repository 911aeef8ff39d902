"""The keys of merchants and operators."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from .columns import NOW, TIME, metadata, one_of

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=NOW),
    Column("revoked_at", TIME),
    Column("last_used_at", TIME),
    Column("role", Text, nullable=False, server_default="merchant"),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    CheckConstraint(one_of("role", "merchant", "operator"), name="role_known"),
)
