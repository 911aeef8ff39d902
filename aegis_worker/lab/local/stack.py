"""A whole installation on this machine: stores, sandbox gateways, API, worker and beat, started and stopped as one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.ports import free_port, port_is_free
from aegis_worker.lab.embedded.server import EmbeddedServer
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence import migrate
from aegis_worker.settings import default_config_dir
from aegis_worker.store_urls import checked_database_url
from aegis_worker.terminal.worker_parts import opened_worker

from .config_files import ChooseTables, write_config
from .emulated import adapters_to_emulate, emulated
from .folder import DataFolder, Secrets
from .launched import LaunchedPrograms
from .programs import (
    Program,
    Sandbox,
    beat_program,
    sandbox_program,
    sandboxes,
    web_program,
    worker_program,
)
from .stopping import check_stopped
from .stores import check_redis, checked_stores, working_key, working_operator_key
from .vault import LocalVault
from .watch import Part, Watch


@dataclass(frozen=True, slots=True)
class Running:
    """Where everything answers, the merchant's API key and the operator's. Carries passwords."""

    api_url: str
    api_key: str = field(repr=False)
    operator_key: str = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    sandboxes: dict[str, dict[str, str]] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the ready file."""
        return asdict(self)


class LocalStack:
    """Everything under `data_dir`. What `environ` sets (DATABASE_URL, AEGIS_LEASE_S, …) wins over what is made up here."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int,
        workers: int,
        merchant_id: str,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        watched: bool = True,
        without: Collection[str] = (),
        choose: ChooseTables | None = None,
        keeps: int = 0,
        vault: bool = False,
    ) -> None:
        """`port` 0: any free one. `workers`: processes of the Celery worker. `say` is told what is going on.

        With `watched` off nobody starts again what dies: for who kills on purpose. `without`: names of programs that are
        not to run here, such as worker and beat. `choose`: which gateways to have, each emulated or in process; None: those
        of the configuration, whose sandboxes are emulated. `keeps`: how many requests, and how many webhooks, the page of
        each emulator shows; 0, where speed is measured, keeps none. `vault`: the card vault is on.
        """
        self.folder = DataFolder(data_dir)
        self._port = port
        self._workers = workers
        self._merchant_id = merchant_id
        environ = self.folder.given_in(environ)
        self._environ = checked_stores(environ)
        self._say = partial(_in_spite_of_everything, say)
        self._without = without
        self._choose = choose
        self._keeps = keeps
        self._config_dir = Path(environ.get("AEGIS_CONFIG_DIR") or default_config_dir()).absolute()
        self.stores = Stores(self.folder.path, self._environ)
        self._vault = LocalVault(self.folder.path, self._environ, self.stores.postgres) if vault else None
        self.launched = LaunchedPrograms(self.folder.logs)
        self._watched = watched
        self._watch = Watch([], self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, stopping: threading.Event) -> Running:
        """Start everything and wait until it answers. To be called in a `with` block, which stops what was started.

        From then on the environment of this process has the installation's settings, so that `load_settings` finds
        them. Raises StackFailed, ConfigurationError, or Stopped once `stopping` is set.
        """
        self.folder.open()
        kept = self.folder.load_secrets()
        gateways = self._emulated(kept)
        self._say("starting PostgreSQL and Valkey")
        urls = self.stores.start()
        check_stopped(stopping)
        self._say("bringing the schema up to date")
        database_url = checked_database_url(urls.database_url, self._environ)
        check_redis(urls.redis_url)
        migrate.upgrade(database_url)
        kept.api_key = working_key(database_url, self._merchant_id, kept.api_key)
        kept.operator_key = working_operator_key(database_url, kept.operator_key)
        vault = self._vault.start(kept) if self._vault else {}
        self.folder.save_secrets(kept)
        port = _checked_port(self._port)
        running = Running(
            api_url=f"http://127.0.0.1:{port}",
            api_key=kept.api_key,
            operator_key=kept.operator_key,
            database_url=database_url,
            redis_url=urls.redis_url,
            sandboxes={
                gateway.name: {"url": gateway.url, "key": gateway.credentials} for gateway in gateways
            },
        )
        settings = self._settings(running, gateways, kept) | vault
        self.folder.save_settings(settings, self._environ)
        _check(settings)
        programs = self._all_programs(port, gateways, {**self._environ, **settings})
        names = [program.name for program in programs]
        self._say(f"starting {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}")
        self.launched.start(programs, stopping)
        if self._watched:
            self._watch = Watch(self._parts(), self._note)
            self._watch.start()
        return running

    def stop(self) -> None:
        """Stop what runs, each before those that it needs: API, beat, worker, gateways, stores."""
        self._watch.stop()
        for program in reversed(self.launched.running()):
            self._say(f"stopping {program.name}")
            self.launched.stop(program)
        if self._vault:
            self._vault.stop()
        self.stores.stop()
        self.folder.close()

    def pids(self) -> dict[str, int]:
        """Of what was started here and runs: the programs, and the stores `postgres`, `valkey`, `vault-memory`."""
        stores = {store.name: store.pid for store in self._stores_here() if store.pid}
        return stores | {program.name: self.launched.pid(program.name) for program in self.launched.running()}

    def _emulated(self, kept: Secrets) -> list[Sandbox]:
        if self._choose is None:
            return sandboxes(self._config_dir, kept)
        own = self.folder.path / "config"
        tables = {
            name: {**table, **emulated(table["adapter"]).beside_ledger(self.folder.ledger(name))}
            for name, table in self._choose(self._config_dir).items()
        }
        write_config(self._config_dir, tables, own)
        self._config_dir = own
        return sandboxes(own, kept, adapters_to_emulate(tables.values()))

    def _settings(self, running: Running, gateways: list[Sandbox], kept: Secrets) -> dict[str, str]:
        """Environment variables for whoever works with this installation."""
        settings = {
            "AEGIS_SECRET": kept.installation,
            "AEGIS_WEBHOOK_ALLOW_PRIVATE": "true",  # endpoints are on this machine too
        }
        settings |= {
            name: value for name, value in self._environ.items() if name.startswith("AEGIS_") and value
        }
        settings |= {
            "DATABASE_URL": running.database_url,
            "REDIS_URL": running.redis_url,
            "AEGIS_CONFIG_DIR": str(self._config_dir),
            "AEGIS_API_URL": running.api_url,
            "AEGIS_API_KEY": running.api_key,
            "AEGIS_OPERATOR_KEY": running.operator_key,
        }
        for gateway in gateways:
            settings |= gateway.settings
        return settings

    def _all_programs(self, port: int, gateways: list[Sandbox], env: Mapping[str, str]) -> list[Program]:
        """In the order of their starting; stopping goes backwards."""
        programs = [
            *(
                sandbox_program(gateway, self.folder.ledger(gateway.name), port, self._keeps)
                for gateway in gateways
            ),
            worker_program(self._workers, env),
            beat_program(self.folder.beat_schedule, env),
            web_program(port, env),
        ]
        return [program for program in programs if program.name not in self._without]

    def _parts(self) -> list[Part]:
        # Watch only the stores that were started here; others are started again by whoever started them.
        parts = [
            Part(store.name, partial(_store_ended, store), store.start)
            for store in self._stores_here()
            if store.pid
        ]
        return [*parts, *self.launched.parts()]

    def _stores_here(self) -> list[EmbeddedServer]:
        memory = [self._vault.memory] if self._vault else []
        return [self.stores.postgres, self.stores.valkey, *memory]

    def _note(self, text: str) -> None:
        self.folder.note(text)
        self._say(text)


def _in_spite_of_everything(say: Callable[[str], None], text: str) -> None:
    with suppress(OSError):  # a terminal that was closed must not keep us from stopping what runs
        say(text)


def _store_ended(store: EmbeddedServer) -> str | None:
    return None if store.pid else "ended"


def _check(settings: Mapping[str, str]) -> None:
    os.environ.update(settings)
    with opened_worker(hinting=False):
        pass  # its parts fit together


def _checked_port(port: int) -> int:
    if port and not port_is_free(port):
        raise StackFailed(
            f"port {port} of 127.0.0.1 is taken; choose another with --port, or 0 for any free one"
        )
    return port or free_port()
