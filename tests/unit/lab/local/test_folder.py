"""What `aegis up` leaves for another shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aegis_worker.lab.local.folder import DataFolder


def test_a_second_shell_finds_aegis_and_its_settings(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.save_settings({"AEGIS_API_KEY": "it's a key"})
    shell = f'. "{folder.settings_file}" && echo "$AEGIS_API_KEY" && aegis --version'
    ran = subprocess.run(["sh", "-c", shell], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == "it's a key"
    assert ran.stdout.splitlines()[1].startswith("aegis, version")
