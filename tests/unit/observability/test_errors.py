"""Error reports watch this process alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

_A_CHILD_OF_ONE_THAT_REPORTS = """
import subprocess
from aegis_worker.observability.errors import configure_error_reports
configure_error_reports("http://key@127.0.0.1:1/1", "test")
print(subprocess.check_output(["env"], env={}, text=True))
"""


@pytest.mark.slow
def test_reporting_adds_nothing_to_what_children_are_told() -> None:
    told = subprocess.check_output([sys.executable, "-c", _A_CHILD_OF_ONE_THAT_REPORTS], text=True)
    assert "SENTRY" not in told
