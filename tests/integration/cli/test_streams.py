"""A reader who has seen enough: `aegis … | head -1` is no error, and what was done stays done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.command_line import install
from support.payments import accept_one, rows

from aegis_worker.persistence.database import Database

MAIN = "from aegis_worker.cli import main; main()"
COMMANDS = [
    ("--help",),
    ("--version",),
    ("pay", "--help"),
    ("keys", "list"),
    ("keys", "list", "--json"),
    ("outbox", "status"),
    ("audit-log",),
    ("reviews", "--json"),
    ("routing", "show"),
    ("migrate",),
    ("crashtest", "--list"),
    ("gateways", "--watch", "--interval", "0.2", "--json"),
    ("relay", "--json"),
]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url)


def run_for_nobody(*arguments: str, errors_too: bool = False) -> tuple[int, str]:
    """`aegis ARGUMENT…` into a pipe whose reader is gone; its exit code and what it said on standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            stdout=writer,
            stderr=writer if errors_too else subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writer)
    _, said = process.communicate(timeout=60)
    return process.returncode, said or ""


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS[::3],
        *(pytest.param(one, marks=pytest.mark.slow) for one in COMMANDS if one not in COMMANDS[::3]),
    ],
)
@pytest.mark.slow
def test_a_command_whose_reader_is_gone_ends_with_0_and_says_nothing(
    database: Database, command: tuple[str, ...]
) -> None:
    accept_one(database)
    code, said = run_for_nobody(*command)
    assert code == 0
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert not [line for line in said.splitlines() if line.startswith("Exception ignored")]


@pytest.mark.slow
def test_what_a_command_did_stays_done_when_its_reader_is_gone(database: Database) -> None:
    assert run_for_nobody("keys", "create", "--merchant", "shop")[0] == 0
    (key,) = rows(database, "SELECT merchant_id FROM api_keys")
    assert key["merchant_id"] == "shop"


@pytest.mark.slow
def test_a_command_that_could_not_be_done_ends_with_3_whoever_reads() -> None:
    assert run_for_nobody("status", "pay_" + "0" * 32)[0] == 3
    assert run_for_nobody("status", "pay_" + "0" * 32, errors_too=True)[0] == 3
    assert run_for_nobody("status", errors_too=True)[0] == 2


def test_head_takes_the_first_line() -> None:
    shell = f'set -o pipefail; "{sys.executable}" -c "{MAIN}" --help | head -1'
    ran = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr, ran.stdout.count("\n")) == (0, "", 1)


@pytest.mark.parametrize("command", [("--help",), ("keys", "list", "--json")])
def test_a_full_disk_is_said_in_one_line(command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-c", MAIN, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    said = "aegis: standard output can't be written: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (3, said)


@pytest.mark.parametrize("command", [("status",), ("status", "--merchant", "shop", "--json")])
def test_an_argument_that_is_not_utf_8_is_said_in_one_line(command: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable.encode(), b"-c", MAIN.encode(), *map(str.encode, command), b"caf\xe9"],
        capture_output=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (2, b"aegis: an argument is not UTF-8\n")
