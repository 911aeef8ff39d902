"""Programs that tests start beside themselves, or put into a process of the product: it freezes, sleeps, dies, is late."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

FROZEN_WORKER = _HERE / "frozen_worker.py"
SLEEPING_WORKER = _HERE / "sleeping_worker.py"

# On PYTHONPATH: Python imports its sitecustomize.py at its start.
SKEWED_CLOCK = str(_HERE / "skewed")
