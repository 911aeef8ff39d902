"""Each experiment that ships, carried out shortly on real processes: all invariants hold, whatever is broken."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.checkout import CHECKOUT
from support.installation import AEGIS

pytestmark = pytest.mark.slow

EXPERIMENTS = sorted(path.stem for path in (CHECKOUT / "config" / "chaos").glob("*.toml"))
_PATIENCE_S = 600


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_invariant_is_broken_and_injections_are_told(name: str, tmp_path: Path) -> None:
    report, figures = tmp_path / "report.html", tmp_path / "report.json"
    command = [AEGIS, "chaos", "run", name, "--minutes", "0.5"]
    ended = subprocess.run(
        [*command, "--report", str(report), "--json", str(figures)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
    )
    # A busy machine may be too slow for the criteria, which exits with 1; what must hold does in any case.
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(figures.read_text())
    assert told["violations"] == []
    assert told["came_to_rest"]
    assert [one for one in told["findings"]["invariants"] if not one["holds"]] == []
    assert sum(one["struck"] for one in told["injections"]) > 0
    assert told["held"] is (ended.returncode == 0)
    assert told["verdict"] in report.read_text()
