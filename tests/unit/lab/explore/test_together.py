"""Several configurations, side by side: what comes of each is the same whatever the number of processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored
from aegis_worker.lab.explore.together import Task, explore_all

NAMES = ("payer", "one-step", "decides-later")


def tasks(directory: Path | None = None) -> list[Task]:
    return [
        Task(CONFIGURATIONS[name], 0, None if directory is None else directory / name, math.inf, True)
        for name in NAMES
    ]


def timeless(explored: Sequence[Explored]) -> list[Explored]:
    return [replace(one, seconds=0.0) for one in explored]


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to_and_tell_how_far_they_are() -> None:
    told: list[int] = []
    apart = explore_all(tasks(), 2, lambda: False, told.append)
    assert timeless(apart) == timeless(explore_all(tasks(), 1, lambda: False, lambda states: None))
    assert [one.configuration for one in apart] == list(NAMES)
    assert sum(told) > 0


def test_what_was_not_begun_when_it_was_stopped_is_told_as_not_complete() -> None:
    explored = explore_all(tasks(), 1, lambda: True, lambda states: None)
    assert [(one.configuration, one.complete) for one in explored] == [(name, False) for name in NAMES]


def test_what_is_complete_is_read_from_its_file(tmp_path: Path) -> None:
    whole = explore_all(tasks(tmp_path), 1, lambda: False, lambda states: None)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(NAMES)
    told: list[int] = []
    assert explore_all(tasks(tmp_path), 1, lambda: False, told.append) == whole
    assert told == []
