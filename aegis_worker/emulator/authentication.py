"""Whose bank can authenticate its payers by 3-D Secure. Pure."""

from __future__ import annotations

UNSUPPORTED = "3ds_unsupported"
"""The script of a payer whose bank can't."""


def is_supported(token: str) -> bool:
    """Whether the bank of whoever pays by this token can."""
    return UNSUPPORTED not in token
