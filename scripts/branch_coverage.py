"""Prints which branches of the deciding code the tests took, by package. Exits with 1 if a package is under 95 %.

`scripts/test --cov` runs this on the measurements that it leaves in the checkout. A total over lines and branches, as in
coverage.py's own `fail_under`, would let many lines without a branch hide the branches that no test takes.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coverage import Coverage

LEAST_PERCENT = 95.0


def main() -> int:
    """Print a line for each package, and below it the branches that no test took."""
    by_package = defaultdict(list)
    for path, measured in _measured().items():
        by_package[Path(path).parts[1]].append((path, measured))
    short = []
    for package, modules in sorted(by_package.items()):
        there = sum(measured["summary"]["num_branches"] for _, measured in modules)
        taken = sum(measured["summary"]["covered_branches"] for _, measured in modules)
        percent = 100.0 * taken / there if there else 100.0
        print(f"aegis_worker/{package}: {percent:.1f} % of {there} branches")
        for path, measured in sorted(modules, key=lambda module: module[0]):
            missing = ", ".join(f"{start} → {end}" for start, end in measured["missing_branches"])
            if missing:
                print(f"    {path}: not taken {missing}")
        if percent < LEAST_PERCENT:
            short.append(package)
    if short:
        print(f"under {LEAST_PERCENT:.0f} %: {', '.join(short)}", file=sys.stderr)
    return bool(short)


def _measured() -> dict[str, Any]:
    coverage = Coverage()
    coverage.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        files: dict[str, Any] = json.loads(report.read_text())["files"]
    return files


if __name__ == "__main__":
    sys.exit(main())
