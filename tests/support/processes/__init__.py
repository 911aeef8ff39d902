"""Programs that tests start, or modules that they put into our processes to make them freeze, sleep, die or be late."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

BEHIND_A_SILENT_RESOLVER = _HERE / "behind_a_silent_resolver.py"
FROZEN_WORKER = _HERE / "frozen_worker.py"
SLEEPING_WORKER = _HERE / "sleeping_worker.py"

# A folder for PYTHONPATH: Python imports the sitecustomize.py in it at the start.
SKEWED_CLOCK = str(_HERE / "skewed")

# What `aegis_api.server` serves in place of the API, found with this folder in PYTHONPATH.
TOY_GATEWAYS_WEB = "support.processes.toy_gateways_web:application"
