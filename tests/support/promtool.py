"""Prometheus's own judge of rules, configurations and metrics."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def promtool(*arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run it; the test skips where it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip(
            "there is no promtool: scripts/debian-extras installs it on Debian (the package prometheus)"
        )
    return subprocess.run(
        [program, *map(str, arguments)], input=given, capture_output=True, text=True, timeout=240, check=False
    )
