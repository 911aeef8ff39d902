"""A Celery beat of the test's own, with a clock that the test sets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from support.installation import SOON_S, STOP_S, wait_until
from support.processes import SKEWED_CLOCK

# Beat checks all settings when it starts, but connects to Redis only.
_OTHER_SETTINGS = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "AEGIS_SECRET": "a secret of thirty-two characters",
}


class OwnBeat:
    """Started as in the Procfile. Its schedule file stays in `folder` for the next beat."""

    def __init__(self, folder: Path, settings: Mapping[str, str], *, clock_off_s: float = 0.0) -> None:
        self._skew = folder / "skew"
        self._log = folder / "beat.log"
        self.set_clock(clock_off_s)
        path = os.pathsep.join(filter(None, (SKEWED_CLOCK, os.environ.get("PYTHONPATH"))))
        skewed = {"PYTHONPATH": path, "TEST_CLOCK_SKEW_S": str(self._skew)}
        argv = [sys.executable, "-m", "celery", "--app", "aegis_worker.celery:app", "beat", "--pidfile="]
        with self._log.open("wb") as log:
            argv += ["--schedule", str(folder / "schedule")]
            self._process = subprocess.Popen(
                argv, env={**os.environ, **_OTHER_SETTINGS, **settings, **skewed}, stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.poll() is None, self.printed()
        self._process.terminate()
        self._process.wait(STOP_S)

    def set_clock(self, off_s: float) -> None:
        """Set its clock `off_s` seconds off."""
        new = self._skew.with_suffix(".new")
        new.write_text(str(off_s))
        new.rename(self._skew)

    def printed(self) -> str:
        """Its log so far."""
        return self._log.read_text()

    def says(self, words: str) -> None:
        """Wait until its log holds these words."""
        wait_until(lambda: words in self.printed(), SOON_S, self.printed)
