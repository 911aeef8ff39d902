"""The processes that run tests each read all test files: each begins with another part, so that none compiles all.

pytest compiles a test file anew where it has changed, which takes longer than anything else it does before the first
test, and keeps the result. In a fresh checkout processes that read the files in one order would all compile each one.

It is a plugin of tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from xdist import is_xdist_worker


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Called by pytest to collect what is in a folder, among others: has a folder begin at this process's share of it."""
    report = yield
    if report.result and isinstance(collector, pytest.Dir) and is_xdist_worker(collector.session):
        worker = collector.config.workerinput  # type: ignore[attr-defined]
        number = int(worker["workerid"].removeprefix("gw"))
        first = len(report.result) * number // worker["workercount"]
        report.result = report.result[first:] + report.result[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Called by pytest with all tests: puts their files into the order that every process has to agree on."""
    if is_xdist_worker(session):
        items.sort(key=lambda item: item.path.parts)
