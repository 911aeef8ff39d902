"""A bug: nothing was written."""

from __future__ import annotations

from .tree import ProgrammingError


class IllegalTransition(ProgrammingError):
    """An event that the payment's state does not allow."""

    code = "illegal_transition"


class RowRefused(ProgrammingError):
    """PostgreSQL takes no row of what was validated; nothing of it was written."""
