"""Everything in this folder is marked `faults`; what takes more than a few seconds is marked `slow` as well.

A test that works on a running installation ends with the faults healed. Then every payment of it has to end, and the
books have to agree: that is checked here, after each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.installation import Installation
from support.ledger_checks import Books

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.faults)


@pytest.fixture
def books(running: Installation) -> Books:
    """The payments that the test posts to the shared installation."""
    return Books(running)


@pytest.fixture(autouse=True)
def _safe_and_live(request: pytest.FixtureRequest) -> Iterator[None]:
    if "running" not in request.fixturenames:
        yield
        return
    books: Books = request.getfixturevalue("books")
    yield
    books.all_ended()
    books.agree()
