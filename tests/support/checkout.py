"""Where the files of the repository are."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
TESTS = CHECKOUT / "tests"
