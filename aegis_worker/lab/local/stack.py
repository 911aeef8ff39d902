"""A whole installation on this machine: stores, sandbox gateways, API, worker and beat, started and stopped as one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.ports import free_port, port_is_free
from aegis_worker.lab.embedded.processes import Processes
from aegis_worker.lab.embedded.server import EmbeddedServer
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence import migrate
from aegis_worker.settings import default_config_dir
from aegis_worker.store_urls import checked_database_url
from aegis_worker.terminal.worker_parts import opened_worker

from .config_files import EMULATED_ADAPTERS, copy_config
from .folder import DataFolder, Secrets
from .programs import (
    Program,
    Sandbox,
    beat_program,
    sandbox_program,
    sandboxes,
    web_program,
    worker_program,
)
from .stores import check_redis, checked_stores, working_key, working_operator_key
from .watch import Part, Watch

# Generous, because all programs start at once and the disk may be slow. A program that fails ends sooner by itself.
_READY_S = 90.0
_POLL_S = 0.05


class Stopped(Exception):
    """Somebody asked to stop while something was under way."""


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


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that TERM, Ctrl-C and the closing of the terminal set, for the whole of the block."""
    stopping = threading.Event()
    wanted = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in wanted}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        gateways: Sequence[str] = (),
    ) -> None:
        """`port` 0: any free one. `workers`: processes of the Celery worker. `say` is told what is going on.

        With `watched` off nobody starts again what dies: for who kills on purpose. `without`: names of programs that are
        not to run here, such as worker and beat. `gateways`: the emulated gateways to have, see `config_files`; none: the
        sandboxes of the configuration, beside its other gateways.
        """
        self.folder = DataFolder(data_dir)
        self._port = port
        self._workers = workers
        self._merchant_id = merchant_id
        self._environ = checked_stores(environ)
        self._say = partial(_in_spite_of_everything, say)
        self._without = without
        self._gateways = gateways
        self._config_dir = Path(environ.get("AEGIS_CONFIG_DIR") or default_config_dir()).absolute()
        self.stores = Stores(self.folder.path, self._environ)
        self._processes = Processes()
        self._programs: list[Program] = []
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
        _unless(stopping)
        self._say("bringing the schema up to date")
        database_url = checked_database_url(urls.database_url, self._environ)
        check_redis(urls.redis_url)
        migrate.upgrade(database_url)
        kept.api_key = working_key(database_url, self._merchant_id, kept.api_key)
        kept.operator_key = working_operator_key(database_url, kept.operator_key)
        self.folder.save_secrets(kept)
        port = _checked_port(self._port)
        running = Running(
            api_url=f"http://127.0.0.1:{port}",
            api_key=kept.api_key,
            operator_key=kept.operator_key,
            database_url=database_url,
            redis_url=urls.redis_url,
            sandboxes={gateway.name: {"url": gateway.url, "key": gateway.api_key} for gateway in gateways},
        )
        settings = self._settings(running, gateways, kept)
        self.folder.save_settings(settings)
        _check(settings)
        self._programs = self._all_programs(port, gateways, {**self._environ, **settings})
        self._start_programs(stopping)
        if self._watched:
            self._watch = Watch(self._parts(), self._note)
            self._watch.start()
        return running

    def restart(
        self,
        names: Sequence[str],
        stopping: threading.Event,
        extra_env: Mapping[str, str] | None = None,
        *,
        wait: bool = True,
    ) -> None:
        """SIGKILL those of the programs that run, with their children, and start all of them, with `extra_env` too.

        For a stack that is not watched. With `wait`, until they answer. Raises StackFailed, or Stopped.
        """
        programs = [program for program in self._programs if program.name in names]
        for program in programs:
            self.kill(program.name)
        for program in programs:
            self._launch(replace(program, env={**program.env, **(extra_env or {})}))
        if wait:
            self._wait_until_ready(programs, stopping)

    def kill(self, name: str) -> None:
        """SIGKILL a program with its children; nothing when it has ended."""
        if name in self._processes.alive():
            self._processes.stop(name, signal.SIGKILL)

    def pid(self, name: str) -> int:
        """Of a program's main process, which leads a group of the same number."""
        return self._processes.pid(name)

    def ended(self) -> dict[str, str]:
        """The programs that don't run, and how each ended."""
        return {name: _how(code) for name, code in self._processes.exit_codes().items()}

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.folder.logs / f"{name}.log"

    def stop(self) -> None:
        """Stop what runs, each before those that it needs: API, beat, worker, gateways, stores."""
        self._watch.stop()
        for program in reversed(self._programs):
            if program.name in self._processes.alive():
                self._say(f"stopping {program.name}")
                self._processes.stop(program.name, grace_s=program.stop_s)
        self.stores.stop()
        self.folder.close()

    def pids(self) -> dict[str, int]:
        """Of what was started here and runs: the programs by name, and the stores `postgres` and `valkey`."""
        stores = {store.name: store.pid for store in (self.stores.postgres, self.stores.valkey) if store.pid}
        return stores | {name: self._processes.pid(name) for name in self._processes.alive()}

    def _emulated(self, kept: Secrets) -> list[Sandbox]:
        if not self._gateways:
            return sandboxes(self._config_dir, kept)
        chosen = self.folder.path / "config"
        copy_config(self._config_dir, self._gateways, chosen)
        self._config_dir = chosen
        return sandboxes(chosen, kept, EMULATED_ADAPTERS)

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
            *(sandbox_program(gateway, self.folder.ledger(gateway.name), port) for gateway in gateways),
            worker_program(self._workers, env),
            beat_program(self.folder.beat_schedule, env),
            web_program(port, env),
        ]
        return [program for program in programs if program.name not in self._without]

    def _start_programs(self, stopping: threading.Event) -> None:
        names = [program.name for program in self._programs]
        self._say(f"starting {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}")
        for program in self._programs:
            self._launch(program)
        self._wait_until_ready(self._programs, stopping)

    def _launch(self, program: Program) -> None:
        self._processes.start(program.name, program.argv, program.env, self.log(program.name))

    def _wait_until_ready(self, programs: Sequence[Program], stopping: threading.Event) -> None:
        waiting = list(programs)
        deadline = time.monotonic() + _READY_S
        while waiting:
            _unless(stopping)
            for program in waiting:
                if (how := self._ended(program.name)) is not None:
                    raise StackFailed(
                        f"{program.name} {how} before it was ready. {self._processes.log_tail(program.name)}"
                    )
            if time.monotonic() > deadline:
                name = waiting[0].name
                raise StackFailed(
                    f"{name} does not answer after {_READY_S:g} s. {self._processes.log_tail(name)}"
                )
            waiting = [program for program in waiting if not program.ready()]
            time.sleep(_POLL_S)

    def _parts(self) -> list[Part]:
        stores = [self.stores.postgres, self.stores.valkey]
        # Watch only the stores that were started here; others are started again by whoever started them.
        parts = [Part(store.name, partial(_store_ended, store), store.start) for store in stores if store.pid]
        for program in self._programs:
            parts.append(
                Part(program.name, partial(self._ended, program.name), partial(self._launch, program))
            )
        return parts

    def _ended(self, name: str) -> str | None:
        code = self._processes.exit_codes().get(name)
        return None if code is None else _how(code)

    def _note(self, text: str) -> None:
        self.folder.note(text)
        self._say(text)


def _in_spite_of_everything(say: Callable[[str], None], text: str) -> None:
    with suppress(OSError):  # a terminal that was closed must not keep us from stopping what runs
        say(text)


def _store_ended(store: EmbeddedServer) -> str | None:
    return None if store.pid else "ended"


def _how(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _unless(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise Stopped


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
