"""The processes that serve the API: how they share an address, are replaced when they die, and stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
from support.checkout import CHECKOUT
from support.command_line import install
from support.raw_shop import Shop, raw_shop
from support.running_api import read_answer
from support.sandbox_process import eventually

from aegis_worker.lab.embedded.stack import Stores

BODY = b'{"amount":1999,"currency":"USD","payment_method":{"type":"card","token":"tok_visa"}}'
POST = b"POST /v1/payments HTTP/1.1\r\nHost: x\r\n<auth>\r\n<key>\r\nContent-Type: application/json\r\n"
PING = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SERVER = [sys.executable, "-m", "aegis_api.server"]
SOON_S = 30.0


@pytest.fixture
def shop(stores: Stores, migrated_template: str, tmp_path: Path) -> Iterator[Shop]:
    with raw_shop(
        stores, migrated_template, tmp_path, AEGIS_WEB_WORKERS="2", AEGIS_BODY_WITHIN_S="60"
    ) as opened:
        yield opened


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, database_url: str) -> dict[str, str]:
    install(monkeypatch, database_url, AEGIS_WEB_WORKERS="1")
    return dict(os.environ)


def workers_of(shop: Shop) -> list[psutil.Process]:
    return list(psutil.Process(shop.api.pid).children())


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_the_others_go_on(shop: Shop) -> None:
    before = workers_of(shop)
    before[0].kill()
    assert shop.send(PING).status == 200
    assert eventually(lambda: len(set(workers_of(shop)) - set(before)) == 1, within_s=SOON_S)
    assert before[1].is_running()
    assert shop.send(PING).status == 200


@pytest.mark.slow
def test_the_workers_end_when_their_main_process_was_killed(shop: Shop) -> None:
    workers = workers_of(shop)
    psutil.Process(shop.api.pid).kill()
    psutil.wait_procs(workers, timeout=SOON_S)
    assert not any(worker.is_running() for worker in workers)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", shop.api.port))


@pytest.mark.slow
def test_clients_that_went_away_before_their_answer_get_one_payment_for_each_key_when_they_ask_again(
    shop: Shop,
) -> None:
    # The server may or may not take up a request whose client has gone. Only the key makes asking again safe.
    posted = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    requests = [shop.filled(posted) for _ in range(20)]
    for request in requests:
        with shop.api.connection() as connection:
            connection.sendall(request)
    answers = [shop.api.send(request, method="POST") for request in requests]
    assert {answer.status for answer in answers} <= {200, 202}
    assert len({answer.json["id"] for answer in answers}) == shop.payments() == 20


@pytest.mark.slow
def test_at_term_requests_in_flight_are_answered_and_nothing_new_is_taken(shop: Shop) -> None:
    waiting = POST + b"Prefer: wait=2\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    with shop.api.connection() as in_flight, shop.api.connection() as idle, shop.api.connection() as stalled:
        idle.sendall(PING)
        assert read_answer(idle).status == 200
        stalled.sendall(shop.filled(POST + b"Content-Length: 90\r\n\r\n"))
        in_flight.sendall(shop.filled(waiting))
        assert eventually(lambda: shop.payments() == 1, within_s=SOON_S)
        main = psutil.Process(shop.api.pid)
        main.terminate()
        answer = read_answer(in_flight)
        assert (answer.status, answer.json["state"]) == (202, "INITIATED")
        assert idle.recv(1) == b""
        assert eventually(lambda: refuses(shop.api.port), within_s=SOON_S)
    assert main.wait(SOON_S) in (0, None)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


@pytest.mark.slow
def test_every_line_of_its_log_has_our_form(shop: Shop) -> None:
    shop.send(PING)
    workers_of(shop)[0].kill()
    assert eventually(lambda: "Unexpected exit" in shop.api.log.read_text(), within_s=SOON_S)
    lines: list[dict[str, Any]] = [json.loads(line) for line in shop.api.log.read_text().splitlines()]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)


@pytest.mark.slow
def test_a_second_server_on_the_port_says_that_it_is_in_use(shop: Shop, environ: dict[str, str]) -> None:
    taken = f"127.0.0.1:{shop.api.port}"
    ran = subprocess.run(
        SERVER,
        cwd=CHECKOUT,
        env={**environ, "AEGIS_BIND": taken},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 3
    assert ran.stderr == f"aegis: AEGIS_BIND: can't listen on {taken}: Address already in use\n"
    assert shop.send(PING).status == 200


@pytest.fixture
def started(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """`started(bind)`: a server there."""
    processes = []

    def start(bind: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "out").open("ab") as out:
            process = subprocess.Popen(
                SERVER, cwd=CHECKOUT, env={**environ, "AEGIS_BIND": bind}, stdout=out, stderr=out
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.terminate()
        process.wait(SOON_S)


def answers_on(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(path))
            connection.sendall(PING)
            return read_answer(connection).status == 200
        except OSError:
            return False


@pytest.mark.slow
def test_a_unix_socket_is_served_taken_over_from_the_dead_and_taken_away_at_the_end(
    started: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    process = started(f"unix:{path}")
    assert eventually(lambda: answers_on(path), within_s=SOON_S)
    assert started(f"unix:{path}").wait(SOON_S) == 3
    assert answers_on(path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 0
    assert not path.exists()


@pytest.mark.slow
def test_an_address_of_ipv6_is_served(started: Callable[[str], subprocess.Popen[bytes]]) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        port = probe.getsockname()[1]
    started(f"[::1]:{port}")

    def answers() -> bool:
        try:
            return (
                urllib3.request("GET", f"http://[::1]:{port}/healthz", retries=False, timeout=5).status == 200
            )
        except urllib3.exceptions.HTTPError:
            return False

    assert eventually(answers, within_s=SOON_S)
