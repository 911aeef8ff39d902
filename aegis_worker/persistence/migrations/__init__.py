"""Alembic environment and versions; run by `aegis migrate`."""
