"""What `aegis up` leaves for another shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aegis_worker.lab.local.folder import DataFolder


def test_a_second_shell_finds_aegis_and_its_settings(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.save_settings({"AEGIS_API_KEY": "it's a key"}, given={})
    shell = f'. "{folder.settings_file}" && echo "$AEGIS_API_KEY" && aegis --version'
    ran = subprocess.run(["sh", "-c", shell], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == "it's a key"
    assert ran.stdout.splitlines()[1].startswith("aegis, version")


def test_a_shell_that_has_read_the_settings_asks_for_nothing_by_what_was_made_here(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    given = {"AEGIS_LEASE_S": "5", "DATABASE_URL": "postgresql://theirs/pay"}
    settings = given | {
        "REDIS_URL": "redis://:a 'b' #c@127.0.0.1:1/0",
        "AEGIS_CONFIG_DIR": "/pay/data/config",
    }
    folder.save_settings(settings, given)
    ran = subprocess.run(
        ["sh", "-c", f'. "{folder.settings_file}" && env -0'],
        env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
        capture_output=True,
        text=True,
    )
    environ = dict(pair.split("=", 1) for pair in ran.stdout.split("\0") if pair)
    assert environ["REDIS_URL"] == settings["REDIS_URL"]
    left = folder.given_in(environ)
    assert {name: left[name] for name in settings if name in left} == given
    assert left["HOME"] == "/root"
    assert folder.given_in(given | {"REDIS_URL": "redis://theirs"})["REDIS_URL"] == "redis://theirs"
