"""`aegis pay` against the real API behind a real socket, with a relay that works on what is accepted."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

import pytest
from support.api_client import start_api
from support.command_line import Aegis, RunningAegis, aegis, install, served
from support.payments import rows
from support.sandbox_process import eventually, running_sandbox

from aegis_client import Retries
from aegis_worker.cli.relay import relay_pass
from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.api_keys import create_key
from aegis_worker.persistence.database import Database
from aegis_worker.terminal import api as http
from aegis_worker.terminal.worker_parts import opened_worker

__all__ = ["aegis"]

PAY = ("pay", "--amount", "1999", "--currency", "USD")


def _heard_by_nobody(*_: object) -> Callable[[bytes], object]:
    """A response that an application begins, and of which nothing is sent."""
    return len


@dataclass
class Front:
    """What stands before the API: answers the next requests itself, then lets everything through."""

    app: WSGIApplication
    script: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            self.keys.append(environ.get("HTTP_IDEMPOTENCY_KEY", ""))
        if not self.script:
            return self.app(environ, start)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, body = self.script.pop(0)
        content = json.dumps(body).encode() if body else b""
        start(status, [("Content-Type", "application/problem+json"), ("Content-Length", str(len(content)))])
        return [content]


@pytest.fixture
def front(database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """The API and a merchant's key in the environment; nobody works on what is accepted yet."""
    install(monkeypatch, database_url)
    monkeypatch.setattr(http, "_RETRIES", Retries(first_pause_s=0.01, longest_pause_s=0.02))
    api = start_api(database_url)
    front = Front(api.app.wsgi_app)
    monkeypatch.setattr(api.app, "wsgi_app", front)
    _, key = create_key(database, "shop", "test")
    with served(api.app) as url:
        monkeypatch.setenv("AEGIS_API_URL", url)
        monkeypatch.setenv("AEGIS_API_KEY", key)
        yield front
    api.database.dispose()


@pytest.fixture
def working(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sandbox gateways, and a relay in the background."""
    with running_sandbox(tmp_path, name="sandbox_a") as a, running_sandbox(tmp_path, name="sandbox_b") as b:
        monkeypatch.setenv("AEGIS_SANDBOX_A_URL", a.url)
        monkeypatch.setenv("AEGIS_SANDBOX_B_URL", b.url)
        stop = threading.Event()
        with opened_worker(hinting=False) as parts:

            def work() -> None:
                while not stop.wait(0.05):
                    relay_pass(parts)

            thread = threading.Thread(target=work)
            thread.start()
            yield
            stop.set()
            thread.join()


def a_file(folder: Path, *bodies: dict[str, Any] | str) -> str:
    path = folder / "payments.jsonl"
    path.write_text("".join((body if isinstance(body, str) else json.dumps(body)) + "\n" for body in bodies))
    return str(path)


def a_body(token: str = "tok_ok", amount: int = 1999, **fields: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD", "payment_method": {"type": "card", "token": token}, **fields}


def count_payments(database: Database) -> int:
    return int(rows(database, "SELECT count(*) FROM payments")[0]["count"])


@pytest.mark.usefixtures("working")
def test_one_payment_is_posted_and_seen_through(aegis: Aegis) -> None:
    ran = aegis(*PAY, "--token", "tok_ok", "--reference", "order-1")
    assert ran.exit_code == 0, ran.err
    assert "SUCCESS" in ran.out
    assert "19.99 USD (1999)" in ran.out
    assert "order-1" in ran.out
    assert "idempotency key cli_" in ran.err


@pytest.mark.usefixtures("front")
def test_a_statement_descriptor_goes_along_from_options_and_from_a_file(
    aegis: Aegis, database: Database, tmp_path: Path
) -> None:
    path = a_file(tmp_path, a_body(statement_descriptor="FROM A FILE"))
    options = ("--token", "tok_ok", "--statement-descriptor", "FROM OPTIONS")
    assert (
        aegis(*PAY, *options, "--wait", "0", "--json").json["payment"]["statement_descriptor"]
        == "FROM OPTIONS"
    )
    assert aegis("pay", "--file", path, "--wait", "0").exit_code == 0
    stored = rows(database, "SELECT statement_descriptor FROM payments ORDER BY id")
    assert [row["statement_descriptor"] for row in stored] == ["FROM OPTIONS", "FROM A FILE"]


@pytest.mark.usefixtures("working")
def test_a_decline_is_a_result_and_says_why(aegis: Aegis) -> None:
    ran = aegis(*PAY, "--token", "tok_hard_expired_card", "--json")
    assert ran.exit_code == 0
    assert ran.json["payment"]["state"] == "FAILURE"
    assert ran.json["payment"]["last_error"]["code"] == "expired_card"
    assert ran.json["job"]["status"] == "failed"


@pytest.mark.usefixtures("front")
def test_nobody_waits_for_a_payment_for_later_alone_or_in_a_file(aegis: Aegis, tmp_path: Path) -> None:
    at = rfc3339(datetime.now(UTC) + timedelta(days=3))
    ran = aegis(*PAY, "--token", "tok_ok", "--at", at, "--json")
    assert (ran.exit_code, ran.json["payment"]["state"]) == (0, "INITIATED")
    assert ran.json["payment"]["scheduled_at"] == at
    assert f"it is charged at {at}" in ran.err
    ran = aegis("pay", "--file", a_file(tmp_path, a_body(scheduled_at=at)), "--json")
    assert (ran.exit_code, ran.json["accepted"], ran.json["unfinished"]) == (0, 1, 0)


@pytest.mark.usefixtures("front")
def test_every_method_has_its_option(aegis: Aegis, database: Database) -> None:
    for options in (
        ("--vpa", "asha@okbank"),
        ("--bank-code", "HDFC"),
        ("--method", "wallet", "--provider", "paytm"),
        ("--method", "pay_later", "--provider", "klarna"),
    ):
        assert aegis(*PAY, *options, "--wait", "0").exit_code == 0, options
    posted = rows(database, "SELECT payment_method->>'type' AS type FROM payments ORDER BY id")
    assert [row["type"] for row in posted] == ["upi", "net_banking", "wallet", "pay_later"]


@pytest.mark.usefixtures("front")
def test_the_same_key_pays_once_and_says_so(aegis: Aegis, database: Database) -> None:
    options = (*PAY, "--token", "tok_ok", "--idempotency-key", "order-1", "--wait", "0", "--json")
    first, second = aegis(*options), aegis(*options)
    assert (first.json["replayed"], second.json["replayed"]) == (False, True)
    assert first.json["payment"]["id"] == second.json["payment"]["id"]
    assert count_payments(database) == 1


@pytest.mark.usefixtures("front")
def test_a_refusal_names_the_field(aegis: Aegis) -> None:
    ran = aegis("pay", "--amount", "1999", "--currency", "USS", "--token", "tok_ok")
    assert ran.exit_code == 1
    assert "refused" in ran.out
    assert "/currency" in ran.out


@pytest.mark.usefixtures("front")
def test_a_payment_that_does_not_end_in_time_exits_with_1(aegis: Aegis) -> None:
    ran = aegis(*PAY, "--token", "tok_ok", "--wait", "0.2")
    assert ran.exit_code == 1
    assert "aegis status job_" in ran.err


def test_not_now_is_tried_again_with_the_same_key(aegis: Aegis, front: Front, database: Database) -> None:
    in_progress = {"code": "idempotency_in_progress", "retryable": True, "status": 409}
    unavailable = {"code": "database_unavailable", "retryable": True, "status": 503}
    front.script = [
        ("409 Conflict", in_progress),
        ("503 Unavailable", unavailable),
        ("429 Too Many", {"code": "x"}),
    ]
    ran = aegis(*PAY, "--token", "tok_ok", "--wait", "0")
    assert ran.exit_code == 0, ran.err
    assert len(front.keys) == 4
    assert len(set(front.keys)) == 1
    assert count_payments(database) == 1


def test_an_api_that_stays_away_ends_the_tries(aegis: Aegis, front: Front) -> None:
    front.script = [("503 Unavailable", {"code": "database_unavailable", "retryable": True})] * 50
    ran = aegis(*PAY, "--token", "tok_ok")
    assert ran.exit_code == 3
    assert "did not answer after 7 tries: HTTP 503 database_unavailable" in ran.err
    assert len(front.keys) == 7


@pytest.mark.usefixtures("front")
def test_nobody_at_the_address_says_so(aegis: Aegis) -> None:
    ran = aegis(*PAY, "--token", "tok_ok", "--url", "http://127.0.0.1:1")
    assert ran.exit_code == 3
    assert "is it running?" in ran.err


def test_a_wrong_key_or_a_wrong_server_ends_at_once(aegis: Aegis, front: Front) -> None:
    ran = aegis(*PAY, "--token", "tok_ok", "--key", "aegis_test_" + "x" * 43)
    assert ran.exit_code == 3
    assert "refuses the API key" in ran.err
    front.script = [("200 OK", {})]
    ran = aegis(*PAY, "--token", "tok_ok")
    assert ran.exit_code == 3
    assert "does not answer like an AegisPay API" in ran.err


@pytest.mark.usefixtures("working")
def test_a_file_is_posted_and_summed_up(aegis: Aegis, tmp_path: Path) -> None:
    path = a_file(tmp_path, *[a_body(amount=100 + n) for n in range(12)], a_body("tok_hard_lost_card"))
    ran = aegis("pay", "--file", path, "--json")
    assert ran.exit_code == 0, ran.err
    assert ran.json["by_state"] == {"FAILURE": 1, "SUCCESS": 12}
    assert (ran.json["accepted"], ran.json["refused"], ran.json["not_sent"]) == (13, 0, 0)
    said = [line for line in ran.err.splitlines() if not line.startswith('{"')]
    assert said == [], "a pipe gets no progress bar, only log lines"


@pytest.mark.usefixtures("front")
def test_refused_lines_are_listed_by_number_and_the_others_go_on(aegis: Aegis, tmp_path: Path) -> None:
    path = a_file(tmp_path, a_body(), "", a_body(idempotency_key=""), a_body(amount=0), a_body(amount=5))
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert ran.exit_code == 1
    assert ran.json["accepted"] == 2
    assert sorted((error["line"], error["code"]) for error in ran.json["errors"]) == [
        (3, "idempotency_key_invalid"),
        (4, "validation_failed"),
    ]
    table = aegis("pay", "--file", path, "--wait", "0").out
    assert "idempotency_key_invalid" in table


@pytest.mark.usefixtures("front")
def test_what_was_posted_by_itself_is_not_paid_again_by_a_file(
    aegis: Aegis, tmp_path: Path, database: Database
) -> None:
    aegis(*PAY, "--token", "tok_ok", "--idempotency-key", "order-1", "--wait", "0")
    path = a_file(tmp_path, a_body(idempotency_key="order-1"), a_body(idempotency_key="order-2"))
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.exit_code, ran.json["accepted"], ran.json["replayed"]) == (0, 1, 1)
    assert count_payments(database) == 2


@pytest.mark.usefixtures("front")
def test_what_is_too_large_for_one_request_is_sent_in_smaller_ones(
    aegis: Aegis, tmp_path: Path, database: Database, front: Front
) -> None:
    through, sizes = front.app, []

    def narrow(environ: dict[str, Any], start: StartResponse) -> Any:
        sizes.append(int(environ["CONTENT_LENGTH"]))
        if sizes[-1] > 1000:
            front.script = [
                ("413 Too Large", {"code": "payload_too_large", "status": 413, "detail": "too long"})
            ]
            return front(environ, start)
        return through(environ, start)

    front.app = narrow
    path = a_file(tmp_path, *[a_body() for _ in range(20)], a_body(metadata={"text": "x" * 1000}))
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.exit_code, ran.json["accepted"]) == (1, 20)
    assert [(error["line"], error["code"]) for error in ran.json["errors"]] == [(21, "payload_too_large")]
    assert count_payments(database) == 20


def hold_back(front: Front, key: str, times: int) -> list[list[str]]:
    """Have the line with this key told so many times that it is in progress; the keys of each batch as they come."""
    sent: list[list[str]] = []
    through = front.app

    def app(environ: dict[str, Any], start: StartResponse) -> Any:
        lines = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).splitlines()
        sent.append([json.loads(line)["idempotency_key"] for line in lines])
        problem = {"code": "idempotency_in_progress", "status": 409, "retryable": True}
        data = [{"outcome": "refused", "problem": problem}] * len(lines)
        taken = [place for place, own in enumerate(sent[-1]) if own != key or len(sent) > times]
        if taken:
            raw = b"\n".join(lines[place] for place in taken)
            environ |= {"wsgi.input": BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}
            told = json.loads(b"".join(through(environ, _heard_by_nobody)))["data"]
            for place, each in zip(taken, told, strict=True):
                data[place] = each
        content = json.dumps({"data": data}).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    front.app = app
    return sent


def test_a_line_that_is_told_not_now_is_sent_again_and_the_others_are_not(
    aegis: Aegis, front: Front, tmp_path: Path, database: Database
) -> None:
    sent = hold_back(front, "b", times=1)
    path = a_file(tmp_path, *[a_body(idempotency_key=key) for key in "abc"])
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.exit_code, ran.json["accepted"], ran.json["refused"]) == (0, 3, 0)
    assert sent == [["a", "b", "c"], ["b"]]
    assert count_payments(database) == 3


def test_a_line_that_is_never_taken_stops_the_file_and_is_counted_as_not_sent(
    aegis: Aegis, front: Front, tmp_path: Path, database: Database
) -> None:
    sent = hold_back(front, "b", times=100)
    path = a_file(tmp_path, *[a_body(idempotency_key=key) for key in "abc"])
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.exit_code, ran.json["accepted"], ran.json["not_sent"]) == (3, 2, 1)
    assert "line 2 was not taken" in ran.json["stopped_because"]
    assert len(sent) == 7
    assert count_payments(database) == 2


@pytest.mark.usefixtures("front")
def test_running_a_file_again_pays_nothing_twice(aegis: Aegis, tmp_path: Path, database: Database) -> None:
    path = a_file(tmp_path, *[a_body() for _ in range(5)])
    aegis("pay", "--file", path, "--wait", "0")
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.json["accepted"], ran.json["replayed"]) == (0, 5)
    assert count_payments(database) == 5, "equal lines are payments of their own, each once"


def test_an_api_that_goes_away_stops_a_file_and_the_next_run_goes_on(
    aegis: Aegis, front: Front, tmp_path: Path, database: Database
) -> None:
    path = a_file(tmp_path, *[a_body(amount=100 + n) for n in range(30)])
    front.script = [("503 Unavailable", {"retryable": True})] * 40
    ran = aegis("pay", "--file", path, "--concurrency", "2", "--wait", "0", "--json")
    assert ran.exit_code == 3
    assert "did not answer" in ran.json["stopped_because"]
    first = ran.json["accepted"]
    assert ran.json["not_sent"] == 30 - first > 0
    front.script = []
    ran = aegis("pay", "--file", path, "--wait", "0", "--json")
    assert (ran.exit_code, ran.json["accepted"], ran.json["replayed"]) == (0, 30 - first, first)
    assert count_payments(database) == 30


def test_no_more_than_the_given_number_are_in_flight(
    aegis: Aegis, front: Front, tmp_path: Path, database: Database
) -> None:
    inside, most, lock = 0, 0, threading.Lock()
    through = front.app

    def counting(environ: dict[str, Any], start: StartResponse) -> Any:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return through(environ, start)
        finally:
            with lock:
                inside -= 1

    front.app = counting
    path = a_file(tmp_path, *[a_body(amount=100 + n) for n in range(700)])
    assert aegis("pay", "--file", path, "--concurrency", "3", "--wait", "0").exit_code == 0
    assert count_payments(database) == 700
    assert most in (2, 3)


@pytest.mark.usefixtures("front")
def test_results_that_do_not_come_end_the_wait_with_1(aegis: Aegis, tmp_path: Path) -> None:
    ran = aegis("pay", "--file", a_file(tmp_path, a_body(), a_body()), "--wait", "0.3", "--json")
    assert (ran.exit_code, ran.json["unfinished"]) == (1, 2)


@pytest.mark.usefixtures("front")
def test_ctrl_c_ends_a_file_at_once_and_says_how_to_go_on(tmp_path: Path, database: Database) -> None:
    path = a_file(tmp_path, a_body(), a_body())
    running = RunningAegis("pay", "--file", path)
    posted = eventually(lambda: count_payments(database) == 2)
    ran = running.end(signal.SIGINT)
    assert posted
    assert ran.exit_code == 1
    assert "run it again to go on, nothing is paid twice" in ran.err
    assert "Traceback" not in ran.err
