"""A whole AegisPay, run by `aegis up`: tests see it over HTTP, by its ready file, and by its processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import psycopg2.extras
import redis
import urllib3
from sqlalchemy import make_url

AEGIS = str(Path(sys.executable).with_name("aegis"))

# Limits of waits, not expectations: a busy machine may take several times as long as usual.
START_S, STOP_S, SOON_S = 120.0, 90.0, 60.0

# AEGIS_LEASE_S of the installations here.
LEASE_S = 4.0


@dataclass(frozen=True)
class Reply:
    """An HTTP answer with a JSON object in it."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


class Installation:
    """`aegis up` on a data folder of its own, as a process of its own."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str], *, workers: int = 2) -> None:
        self.data_dir = data_dir
        self._ready_file = data_dir.with_name(f"{data_dir.name}.ready.json")
        self._out = data_dir.with_name(f"{data_dir.name}.out").open("a+")
        argv = [AEGIS, "up", "--data", str(data_dir), "--port", "0", "--workers", str(workers)]
        self.process = subprocess.Popen(
            [*argv, "--ready-file", str(self._ready_file)],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(self._is_ready, START_S)
        except BaseException:
            self.stop()
            raise
        self.ready: dict[str, Any] = json.loads(self._ready_file.read_text())
        self._http = urllib3.PoolManager(maxsize=64, timeout=30, retries=False)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed()
        return self._ready_file.exists()

    def printed(self) -> str:
        """The output of `aegis up`."""
        return Path(self._out.name).read_text()

    @cached_property
    def settings(self) -> dict[str, str]:
        """The environment for other `aegis` commands, from the file that `aegis up` writes for shells."""
        lines = (self.data_dir / "aegis.env").read_text().splitlines()
        lines = [line for line in lines if not line.startswith("export PATH=")]
        pairs = (shlex.split(line.removeprefix("export "))[0].split("=", 1) for line in lines)
        return dict(pairs)

    def aegis(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `aegis` command against this installation."""
        env = {**os.environ, **self.settings}
        return subprocess.run([AEGIS, *arguments], env=env, capture_output=True, text=True, timeout=SOON_S)

    def send(self, method: str, path: str, body: Any = None, within_s: float = 30, **headers: str) -> Reply:
        """Send one request to the API with the merchant's key."""
        sent = {"Authorization": f"Bearer {self.ready['api_key']}", "Content-Type": "application/json"}
        raw = None if body is None else json.dumps(body).encode()
        answer = self._http.request(
            method, self.ready["api_url"] + path, body=raw, headers=sent | headers, timeout=within_s
        )
        return Reply(answer.status, answer.headers, json.loads(answer.data))

    def post(self, body: Mapping[str, Any], key: str | None = None, within_s: float = 30) -> Reply:
        """POST /v1/payments, under a new key if none is given."""
        return self.send(
            "POST", "/v1/payments", body, within_s, **{"Idempotency-Key": key or uuid.uuid4().hex}
        )

    def accepted(self, token: str, within_s: float = 30) -> str:
        """Post a card payment; returns its id."""
        reply = self.post(card(token), within_s=within_s)
        assert reply.status == 202, (reply.body, (self.data_dir / "logs" / "web.log").read_text()[-2000:])
        return str(reply.body["id"])

    def capture(self, payment_id: str) -> None:
        """Capture all that is held."""
        reply = self.send(
            "POST", f"/v1/payments/{payment_id}/captures", {}, 30, **{"Idempotency-Key": payment_id}
        )
        assert reply.status == 202, reply.body

    def wait_for_the_api(self) -> None:
        """Wait until none of many requests at once is refused, so that each process of the API has met some of them."""

        def status(number: int) -> int:
            return self.send("GET", "/v1/payments", Connection="close").status

        def none_is_refused() -> bool:
            return {200} == set(pool.map(status, range(32)))

        with ThreadPoolExecutor(8) as pool:
            wait_until(none_is_refused, SOON_S)

    def payment(self, payment_id: str) -> dict[str, Any]:
        """The payment as it stands, with its attempts and events."""
        reply = self.send("GET", f"/v1/payments/{payment_id}?expand=attempts,events")
        assert reply.status == 200, reply.body
        return reply.body

    def ended(self, payment_id: str, within_s: float = SOON_S) -> dict[str, Any]:
        """Wait for the payment's end and return it."""

        def is_final() -> bool:
            return self.payment(payment_id)["state"] in ("SUCCESS", "FAILURE", "CANCELLED")

        wait_until(is_final, within_s)
        return self.payment(payment_id)

    def attempts(self, payment_id: str) -> list[dict[str, Any]]:
        """The calls to gateways for a payment."""
        attempts: list[dict[str, Any]] = self.payment(payment_id)["attempts"]["data"]
        return attempts

    def ledgers(self) -> list[dict[str, Any]]:
        """Everything in the gateways' own ledgers."""
        found: list[dict[str, Any]] = []
        for sandbox in self.ready["sandboxes"].values():
            cursor = 0
            while cursor is not None:
                page = self._sandbox("GET", sandbox, f"ledger?cursor={cursor}")
                found += [charge | {"gateway": page["gateway"]} for charge in page["charges"]]
                cursor = page["next_cursor"]
        return found

    def charges(self, payment_id: str) -> list[dict[str, Any]]:
        """The captured charges of a payment in the gateways' own ledgers."""
        charges = [charge for charge in self.ledgers() if charge["merchant_payment_id"] == payment_id]
        return [charge for charge in charges if charge["captured"] > 0]

    @contextmanager
    def gateway_faults(self, name: str = "", **faults: Any) -> Iterator[None]:
        """For the time of the block, give a sandbox gateway (or all of them) the faults; see the emulator's `Faults`."""
        chosen = [box for own, box in self.ready["sandboxes"].items() if name in ("", own)]
        assert chosen, f"no sandbox {name}"
        try:
            for sandbox in chosen:
                self._sandbox("POST", sandbox, "faults", faults)
            yield
        finally:
            for sandbox in chosen:
                self._sandbox("POST", sandbox, "faults", {})

    def _sandbox(
        self, method: str, sandbox: Mapping[str, str], what: str, body: Any = None
    ) -> dict[str, Any]:
        raw = None if body is None else json.dumps(body).encode()
        answer = self._http.request(method, f"{sandbox['url']}/_sandbox/{what}", body=raw)
        assert answer.status == 200, answer.data
        found: dict[str, Any] = json.loads(answer.data)
        return found

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of the installation's database, read over a connection of their own."""
        url = make_url(self.ready["database_url"]).set(drivername="postgresql")
        connection = psycopg2.connect(url.render_as_string(hide_password=False), application_name="test")
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(sql, parameters)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """A client of the installation's Redis."""
        with redis.Redis.from_url(self.ready["redis_url"]) as client:
            yield client

    def pids(self) -> list[int]:
        """`aegis up` and all its descendants."""
        parent = psutil.Process(self.process.pid)
        return [parent.pid, *(child.pid for child in parent.children(recursive=True))]

    def pid_of(self, program: str) -> int | None:
        """The main process of Celery's `worker` or `beat`; None while it doesn't run."""
        started = command_lines(psutil.Process(self.process.pid).children())
        return next((pid for pid, command in started.items() if program in command), None)

    def worker_pid(self) -> int | None:
        """The worker's main process; None while it doesn't run."""
        return self.pid_of("worker")

    def kill(self, program: str) -> None:
        """SIGKILL Celery's `worker` or `beat` with its children. `aegis up` starts another one."""
        wait_until(lambda: self.pid_of(program), SOON_S)
        pid = self.pid_of(program)
        assert pid is not None
        os.killpg(pid, signal.SIGKILL)

    def kill_worker(self) -> None:
        """SIGKILL the worker with its children. `aegis up` starts another one."""
        self.kill("worker")

    @contextmanager
    def without(self, program: str) -> Iterator[None]:
        """For the time of the block, Celery's `worker` or `beat` doesn't run, and `aegis up` can't start another."""
        # A stopped `aegis up` starts nothing, so the program has to run before.
        wait_until(lambda: self.pid_of(program), SOON_S)
        self.process.send_signal(signal.SIGSTOP)
        try:
            self.kill(program)
            wait_until(lambda: self.pid_of(program) is None, SOON_S)
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """For the time of the block, no worker runs."""
        with self.without("worker"):
            yield

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(STOP_S)
        self._out.close()
        return code


def card(token: str, **more: Any) -> dict[str, Any]:
    """A card payment with one of the sandbox's tokens."""
    return {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", "token": token}, **more}


def wait_until(
    condition: Callable[[], object], within_s: float, what: Callable[[], str] = lambda: "it is not so"
) -> None:
    """Return as soon as `condition` holds. Fails with `what()` if it doesn't in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what()}, not within {within_s:g} s"
        time.sleep(0.05)


def command_lines(processes: list[psutil.Process]) -> dict[int, list[str]]:
    """The command line of each process, without processes that have ended meanwhile."""
    found = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a zombie raises one of these
            found[process.pid] = process.cmdline()
    return found


def alive(pids: list[int]) -> list[int]:
    """Those of the processes that still run."""

    def runs(pid: int) -> bool:
        try:
            return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    return [pid for pid in pids if runs(pid)]
