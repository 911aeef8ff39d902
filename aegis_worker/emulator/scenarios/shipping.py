"""The scenarios that come with the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..choosing import Reach
from .reading import read
from .rules import Scenario

_FOLDER = Path(__file__).with_name("shipped")


def shipped(reaches: Mapping[str, Reach]) -> dict[str, Scenario]:
    """By name."""
    found = [read(path.read_text(encoding="utf-8"), reaches) for path in sorted(_FOLDER.glob("*.toml"))]
    return {scenario.name: scenario for scenario in found}
