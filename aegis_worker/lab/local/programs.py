"""The programs of a local installation: their command lines, their environments, and how to tell that they answer."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError

from aegis_worker.celery import QUEUES
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.toml_file import read_toml

from .emulated import emulated
from .folder import Secrets

_HOST = "127.0.0.1"
_ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """One process. `ready` tells whether it answers; after TERM it is given `stop_s` before it is killed."""

    name: str
    argv: list[str]
    env: dict[str, str]
    ready: Callable[[], bool]
    stop_s: float


@dataclass(frozen=True, slots=True)
class Sandbox:
    """An emulated gateway of this installation and the variables of config/gateways.toml that lead to it.

    `credentials`: what it is called with. `flags`: what makes it as config/gateways.toml describes it.
    """

    name: str
    port: int
    credentials: str
    webhook_secret: str
    settings: dict[str, str]
    flags: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_HOST}:{self.port}"


def sandboxes(config_dir: Path, kept: Secrets, adapters: Collection[str] = ("sandbox",)) -> list[Sandbox]:
    """An emulator for every gateway of config/gateways.toml with one of these adapters. Raises ConfigurationError."""
    path = config_dir / "gateways.toml"
    try:
        tables: dict[str, dict[str, Any]] = read_toml(path)["gateways"]
        return [
            _sandbox(name, table, kept.of_gateway(name))
            for name, table in tables.items()
            if table["adapter"] in adapters
        ]
    except (AttributeError, TypeError) as error:
        raise ConfigurationError(f"{path}: gateways must be tables [gateways.NAME]") from error
    except KeyError as error:
        raise ConfigurationError(
            f"{path}: {error} is missing; a sandbox that is started here needs it"
        ) from error


def _sandbox(name: str, table: Mapping[str, Any], kept: Mapping[str, str]) -> Sandbox:
    port = free_port()
    credentials = emulated(table["adapter"]).credentials.format(key=kept["api_key"])
    settings = {
        table["base_url_env"]: f"http://{_HOST}:{port}",
        table["api_key_env"]: kept["api_key"],
        table["webhook_secret_env"]: kept["webhook_secret"],
    }
    has_keys = table.get("options", {}).get("key_lifetime_s", 1) > 0
    flags = ("--wire", table["adapter"], *(() if has_keys else ("--no-idempotency",)))
    return Sandbox(name, port, credentials, kept["webhook_secret"], settings, flags)


def sandbox_program(sandbox: Sandbox, ledger: Path, api_port: int, keeps: int) -> Program:
    """A gateway's own process, which knows of AegisPay where its webhooks go; its ledger is kept between runs.

    `keeps`: how many requests and webhooks its page shows.
    """
    argv = [sys.executable, "-m", "aegis_worker.emulator", "--name", sandbox.name]
    argv += ["--host", _HOST, "--port", str(sandbox.port), "--ledger", str(ledger)]
    argv += ["--keep", str(keeps)]
    argv += ["--webhook-url", f"http://{_HOST}:{api_port}/v1/gateways/{sandbox.name}/webhooks"]
    argv += ["--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET", *sandbox.flags]
    env = {
        "PATH": os.defpath,
        "SANDBOX_API_KEY": sandbox.credentials,
        "SANDBOX_WEBHOOK_SECRET": sandbox.webhook_secret,
    }
    return Program(sandbox.name, argv, env, lambda: answers(sandbox.port, "/healthz"), stop_s=10)


def web_program(port: int, env: Mapping[str, str]) -> Program:
    """The API under its server."""
    argv = [sys.executable, "-m", "aegis_api.server"]
    bound = {**env, "AEGIS_BIND": f"{_HOST}:{port}"}
    return Program("web", argv, bound, lambda: answers(port, "/readyz"), stop_s=25)


def worker_program(children: int, env: Mapping[str, str]) -> Program:
    """A Celery worker over every queue with `children` processes. TERM lets it finish what it has begun."""
    node = f"up-{os.getpid()}@localhost"
    argv = [*_celery(), "worker", "--pool", "prefork", "--concurrency", str(children), "--hostname", node]
    # No heartbeats, because a worker that is stopped while Redis is away would wait for ever to send its last one.
    argv += ["--queues", ",".join(QUEUES), "--without-gossip", "--without-mingle", "--without-heartbeat"]
    # 30 s > AEGIS_RUN_LIMIT_S (10 s) and the slowest call to a sandbox (10 s) together.
    return Program("worker", argv, dict(env), lambda: _worker_answers(env["REDIS_URL"], node), stop_s=30)


def beat_program(schedule: Path, env: Mapping[str, str]) -> Program:
    """Celery beat. It answers nobody: that it lives is all there is to see."""
    argv = [*_celery(), "beat", "--schedule", str(schedule), "--pidfile="]
    return Program("beat", argv, dict(env), lambda: True, stop_s=10)


def _celery() -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "aegis_worker.celery:app"]


def answers(port: int, path: str) -> bool:
    """Whether a program on that port of this machine answers 200 to a GET."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _worker_answers(redis_url: str, node: str) -> bool:
    with Celery(broker=redis_url, set_as_current=False) as app:
        app.conf.broker_transport_options = {"socket_timeout": 2, "socket_connect_timeout": 1}
        try:
            return bool(app.control.ping(destination=[node], timeout=_ANSWER_S, limit=1))
        except (OperationalError, RedisError, OSError):
            return False
