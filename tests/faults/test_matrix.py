"""Every row of the fault matrix has a test that names it, or a reason why not."""

from __future__ import annotations

import re
from pathlib import Path

from support.fault_matrix import NOT_YET, ROWS


def test_every_row_is_tested_or_explained() -> None:
    sources = (path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    named = {int(number) for source in sources for number in re.findall(r"mark\.row\((\d+)\)", source)}
    assert named | set(NOT_YET) == set(ROWS)
    assert not named & set(NOT_YET)
