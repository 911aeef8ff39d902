"""The data folder of a local installation: what stands where, who uses it now, and the secrets it keeps."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.server import write_secret

# Closes the line of a setting in the settings file: a comment for the shell.
_MADE_HERE = "  # made here"


@dataclass(slots=True)
class Secrets:
    """Made up at the first start. `installation` is AEGIS_SECRET; `gateways` holds two secrets for each sandbox.

    `vault_keys` and `vault_password`: of the card vault, once it was on.
    """

    installation: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    api_key: str = ""
    operator_key: str = ""
    gateways: dict[str, dict[str, str]] = field(default_factory=dict)
    vault_keys: str = ""
    vault_password: str = ""

    def of_gateway(self, name: str) -> Mapping[str, str]:
        """`api_key` and `webhook_secret` of a sandbox gateway."""
        if name not in self.gateways:
            self.gateways[name] = {
                "api_key": f"sk_sandbox_{secrets.token_urlsafe(24)}",
                # Some gateways write the key of their signatures in hexadecimal.
                "webhook_secret": secrets.token_hex(32),
            }
        return self.gateways[name]


class DataFolder:
    """Everything that `aegis up` keeps between runs. Its secrets are for its owner's eyes alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.settings_file = self.path / "aegis.env"
        self.logs = self.path / "logs"
        self.beat_schedule = self.path / "beat" / "celerybeat-schedule"
        self._secrets_file = self.path / "secrets.json"
        self._lock: IO[str] | None = None

    def ledger(self, gateway: str) -> Path:
        """The books of a sandbox gateway."""
        return self.path / "gateways" / f"{gateway}.sqlite"

    def open(self) -> None:
        """Make it where it is missing and take it for this process. Raises StackFailed when another one has it."""
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                # PostgreSQL, which root runs as nobody, must pass through; nobody may look around.
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for folder in (self.logs, self.ledger("any").parent, self.beat_schedule.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._take()
        except OSError as error:
            raise StackFailed(f"{self.path}: {error.strerror or error}") from error

    def _take(self) -> None:
        # The kernel lets go of it when we end, however we end.
        lock = (self.path / "up.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise StackFailed(f"{self.path} is in use: AegisPay runs there already (pid {holder})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        """Let go of it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load_secrets(self) -> Secrets:
        """The secrets kept here, or new ones. Raises StackFailed for a damaged file."""
        try:
            return Secrets(**json.loads(self._secrets_file.read_text()))
        except FileNotFoundError:
            return Secrets()
        except (ValueError, TypeError) as error:
            raise StackFailed(f"{self._secrets_file} is damaged: {error}") from error

    def save_secrets(self, kept: Secrets) -> None:
        """Keep them."""
        write_whole(self._secrets_file, json.dumps(asdict(kept), indent=2))

    def save_settings(self, settings: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Keep the settings of what runs here, for a shell's `.` command, which then also finds `aegis` itself.

        Those that are not `given` by the environment are marked as made here.
        """
        lines = [
            f"export {name}={shlex.quote(value)}{'' if given.get(name) == value else _MADE_HERE}"
            for name, value in sorted(settings.items())
        ]
        lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
        write_whole(self.settings_file, "\n".join(lines) + "\n")

    def given_in(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` without what an earlier run made here: a shell that has read our settings asks for nothing by them.

        Raises StackFailed where the settings can't be read.
        """
        try:
            lines = self.settings_file.read_text().splitlines() if self.settings_file.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            raise StackFailed(f"{self.settings_file} can't be read: {error}") from error
        made = {
            word
            for line in lines
            if line.endswith(_MADE_HERE)
            for word in shlex.split(line, comments=True)[1:]
        }
        return {name: value for name, value in environ.items() if f"{name}={value}" not in made}

    def note(self, text: str) -> None:
        """A line for `logs/up.log`."""
        stamp = rfc3339(datetime.now(UTC))
        with (self.logs / "up.log").open("a") as log:
            log.write(f"{stamp} {text}\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file for its owner's eyes; whoever looks for it finds the whole of it or nothing. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    write_secret(part, text)
    part.replace(path)
