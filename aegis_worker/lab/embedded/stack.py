"""The two stores of an installation: embedded, or those that DATABASE_URL and REDIS_URL name."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.valkey import EmbeddedValkey

_SHUTDOWN = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class StoreUrls:
    """Where the stores are. Both carry a password."""

    database_url: str
    redis_url: str


class Stores:
    """PostgreSQL and Redis under `data_dir`. A store that `environ` names is used as it is, never stopped."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str]) -> None:
        self._given_database = environ.get("DATABASE_URL", "")
        self._given_redis = environ.get("REDIS_URL", "")
        self.postgres = EmbeddedPostgres(data_dir)
        self.valkey = EmbeddedValkey(data_dir)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> StoreUrls:
        """Start what is not given. Raises StackFailed, with nothing left running."""
        try:
            return StoreUrls(
                database_url=self._given_database or self.postgres.start(),
                redis_url=self._given_redis or self.valkey.start(),
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what we started."""
        self.valkey.stop()
        self.postgres.stop()

    def restart_postgres(self, mode: Literal["smart", "fast", "immediate"] = "immediate") -> None:
        """Stop PostgreSQL that way, start it on the same port: a fault to test with. Raises StackFailed."""
        if self.postgres.pid is None:
            raise StackFailed("the PostgreSQL in use was not started here")
        self.postgres.stop(_SHUTDOWN[mode])
        self.postgres.start()

    def stop_redis(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop Valkey, with KILL for a crash: a fault to test with. Raises StackFailed."""
        if self.valkey.pid is None:
            raise StackFailed("the Valkey in use was not started here")
        self.valkey.stop(how)

    def start_redis(self) -> None:
        """Start it again on the same port. Raises StackFailed."""
        self.valkey.start()


@contextmanager
def temporary_data_dir() -> Iterator[Path]:
    """A folder for a stack that is thrown away, removed at the end; root's is within reach of `nobody`."""
    # Not TMPDIR for root: it may be a folder that only root may enter.
    parent = "/var/tmp" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="aegis-", dir=parent))
    try:
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
