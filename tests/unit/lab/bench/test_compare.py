"""`aegis bench compare`: what it makes of the rounds of two sides, and what it refuses."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aegis_worker.cli import cli
from aegis_worker.lab.bench.compare import ratios
from aegis_worker.lab.bench.sides import Side
from aegis_worker.lab.local.stopping import Stopped


def one_round(**figures: float) -> dict[str, Any]:
    spreads = {name: {"median": value, "min": value, "max": value} for name, value in figures.items()}
    return {"cases": {"backlog": spreads}}


def test_each_ratio_is_of_one_round_and_their_median_stands_for_them() -> None:
    # The machine is twice as slow in the second round: what is compared within a round does not show it.
    pairs = [
        (one_round(cpu_ms_per_payment=0.5), one_round(cpu_ms_per_payment=1.0)),
        (one_round(cpu_ms_per_payment=1.0), one_round(cpu_ms_per_payment=2.0)),
        (one_round(cpu_ms_per_payment=3.0), one_round(cpu_ms_per_payment=2.0)),
    ]
    assert ratios(pairs) == {"backlog": {"cpu_ms_per_payment": {"median": 0.5, "min": 0.5, "max": 1.5}}}


def test_a_figure_that_one_side_lacks_or_that_is_zero_is_left_out() -> None:
    pairs = [
        (one_round(throughput_per_s=10.0, new=1.0, commits=1.0), one_round(throughput_per_s=5.0, commits=0.0))
    ]
    assert ratios(pairs)["backlog"].keys() == {"throughput_per_s"}


def test_cases_of_one_side_only_are_left_out() -> None:
    ours = {"cases": {**one_round(throughput_per_s=1.0)["cases"], "more": {}}}
    assert ratios([(ours, one_round(throughput_per_s=1.0))]).keys() == {"backlog"}


def test_cpu_and_rate_come_first() -> None:
    figures = {"commits": 1.0, "throughput_per_s": 1.0, "cpu_ms_per_payment": 1.0}
    names = list(ratios([(one_round(**figures), one_round(**figures))])["backlog"])
    assert names == ["cpu_ms_per_payment", "throughput_per_s", "commits"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to compare"),
        (("--env-a", "A=1", "--env-b", "A=1"), "nothing to compare"),
        (("--env-a", "A"), "'A' is not NAME=VALUE"),
        (("--env-b", "=1"), "'=1' is not NAME=VALUE"),
    ],
)
def test_two_sides_that_do_not_differ_are_refused(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(cli, ["bench", "compare", *arguments])
    assert (result.exit_code, said in result.output) == (2, True)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", "compare", str(tmp_path)])
    assert (result.exit_code, "is no checkout of AegisPay" in result.output.replace("\n", " ")) == (2, True)


def test_a_round_that_is_stopped_ends_with_the_comparison(tmp_path: Path) -> None:
    program = "#!/bin/sh\ntrap 'touch ended; exit 3' TERM\ntouch begun\nsleep 60 &\nwait\n"
    for name, text in (("scripts/_env.sh", 'PATH="$PWD:$PATH"\n'), ("aegis", program)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "aegis").chmod(0o755)
    stopping = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        measured = pool.submit(Side("B", tmp_path, {}).measure, "drain", [], stopping)
        while not (tmp_path / "begun").exists() and not measured.done():
            time.sleep(0.01)
        stopping.set()
        with pytest.raises(Stopped):
            measured.result(timeout=30)
    assert (tmp_path / "ended").exists()
