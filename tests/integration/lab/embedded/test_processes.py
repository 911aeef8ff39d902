"""Supervision of child processes, on real ones."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.processes import Processes

_BOUND_S = 30.0
# Says when it is ready and when it is told to stop.
_ORDERLY = """
import signal, sys, time
def leave(number, frame):
    with open("stopped", "a") as file: file.write(sys.argv[1] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
open(sys.argv[1] + ".ready", "w").close()
time.sleep(600)
"""
# Ignores TERM, and has a child that does too.
_STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: open("stubborn", "w").write(str(child))
time.sleep(600)
"""
# Ends when told, and leaves a child behind.
_NEGLIGENT = """
import os, time
child = os.fork()
if child: open("left", "w").write(str(child))
time.sleep(600)
"""


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.chdir(tmp_path)
    with Processes() as group:
        yield group


def test_processes_stop_in_the_reverse_of_their_starting_order(processes: Processes, tmp_path: Path) -> None:
    for name in ("api", "worker", "beat"):
        _start(processes, name, _ORDERLY)
    assert processes.alive() == ["api", "worker", "beat"]
    assert processes.exit_codes() == {}
    processes.stop_all()
    assert (tmp_path / "stopped").read_text().split() == ["beat", "worker", "api"]
    assert processes.alive() == []
    assert processes.exit_codes() == {"api": 0, "worker": 0, "beat": 0}


def test_one_that_ignores_term_is_killed_with_its_children(processes: Processes, tmp_path: Path) -> None:
    _start(processes, "stubborn", _STUBBORN, ready_file="stubborn")
    grandchild = psutil.Process(_read_pid(tmp_path / "stubborn"))
    assert processes.stop("stubborn", grace_s=0.2) == -signal.SIGKILL
    _wait_gone(grandchild)


def test_what_a_process_leaves_behind_is_killed_when_its_end_is_noticed(
    processes: Processes, tmp_path: Path
) -> None:
    _start(processes, "negligent", _NEGLIGENT, ready_file="left")
    left = psutil.Process(_read_pid(tmp_path / "left"))
    os.kill(processes.pid("negligent"), signal.SIGKILL)
    deadline = time.monotonic() + _BOUND_S
    while processes.alive():
        assert time.monotonic() < deadline
    assert processes.exit_codes() == {"negligent": -signal.SIGKILL}
    _wait_gone(left)


def test_one_that_ends_before_it_is_ready_is_reported_with_the_end_of_its_log(
    processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(StackFailed, match=r"api ended with exit code 3 .*api\.log:\nno such table: payments"):
        processes.start(
            "api",
            [sys.executable, "-c", "import sys; print('no such table: payments'); sys.exit(3)"],
            dict(os.environ),
            tmp_path / "api.log",
            ready=lambda: False,
        )


def test_one_that_is_not_ready_in_time_is_reported_and_stopped(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match=r"api was not ready after 0\.1 s"):
        _start(processes, "api", "import time; time.sleep(600)", timeout_s=0.1)
    assert processes.alive() == []


def test_a_program_that_does_not_exist_is_reported(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(StackFailed, match="no-such-program"):
        processes.start("api", ["no-such-program"], dict(os.environ), tmp_path / "log", ready=lambda: False)


def test_a_name_is_free_again_when_its_process_has_ended(processes: Processes, tmp_path: Path) -> None:
    _start(processes, "worker", _ORDERLY)
    first = processes.pid("worker")
    with pytest.raises(StackFailed, match="already running"):
        _start(processes, "worker", _ORDERLY)
    processes.stop("worker")
    (tmp_path / "worker.ready").unlink()
    _start(processes, "worker", _ORDERLY)
    assert processes.pid("worker") != first
    assert processes.alive() == ["worker"]


def test_a_process_gets_the_environment_it_is_given_and_a_session_of_its_own(processes: Processes) -> None:
    process = _start_sleep(processes, {"AEGIS_ENV": "test"})
    # Python adds LC_CTYPE where no locale is set.
    assert process.environ().keys() - {"LC_CTYPE"} == {"AEGIS_ENV"}
    assert os.getsid(process.pid) == process.pid


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_ignores_no_signal_that_python_ignores(processes: Processes) -> None:
    status = Path(f"/proc/{_start_sleep(processes, {}).pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    assert int(ignored.split()[1], 16) & 1 << (signal.SIGPIPE - 1) == 0


def test_a_process_outlives_the_thread_that_started_it(processes: Processes) -> None:
    starter = threading.Thread(target=_start_sleep, args=(processes, {}))
    starter.start()
    native_id = starter.native_id
    starter.join()
    deadline = time.monotonic() + _BOUND_S
    while native_id in [thread.id for thread in psutil.Process().threads()]:
        assert time.monotonic() < deadline
    # Of two pending signals the lower number is taken first: a TERM for the thread's end would show here.
    assert processes.stop("sleep", signal.SIGPROF) == -signal.SIGPROF


def _start(
    processes: Processes, name: str, program: str, ready_file: str = "", timeout_s: float = _BOUND_S
) -> None:
    processes.start(
        name,
        [sys.executable, "-c", program, name],
        dict(os.environ),
        Path(f"{name}.log"),
        ready=Path(ready_file or f"{name}.ready").exists,
        ready_timeout_s=timeout_s,
    )


def _start_sleep(processes: Processes, env: dict[str, str]) -> psutil.Process:
    processes.start(
        "sleep",
        ["sleep", "600"],
        env,
        Path("sleep.log"),
        ready=lambda: psutil.Process(processes.pid("sleep")).name() == "sleep",
    )
    return psutil.Process(processes.pid("sleep"))


def _read_pid(path: Path) -> int:
    deadline = time.monotonic() + _BOUND_S
    while not path.read_text():
        assert time.monotonic() < deadline
    return int(path.read_text())


def _wait_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + _BOUND_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{process} lives on"
        time.sleep(0.02)
