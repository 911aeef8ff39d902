"""The bench's load: what it sends and when, and that it neither hides nor invents an error."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aegis_worker.lab.bench.load import Orders, Plan, prepared, run, schedule

OK = b'HTTP/1.1 202 ACCEPTED\r\nContent-Length: 14\r\n\r\n{"id":"pay_1"}'
CLOSING = b'HTTP/1.1 202 ACCEPTED\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{"id":"pay_1"}'
BUSY = b'HTTP/1.1 503 BUSY\r\nContent-Length: 31\r\n\r\n{"code":"database_unavailable"} '

# Gets a connection's number and a request's number on it; gives the bytes of the answer, None to hang up without one.
Script = Callable[[int, int], bytes | None]


@contextmanager
def a_server(script: Script) -> Iterator[tuple[int, list[bytes]]]:
    """A server that follows the script; gives its port and the requests as they come in."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def talk(connection: socket.socket, number: int) -> None:
        with connection:
            for index in range(1_000_000):
                request = _request(connection)
                if not request:
                    return
                seen.append(request)
                answer = script(number, index)
                if answer is None:
                    return
                connection.sendall(answer)
                if b"close" in answer:
                    return

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection, number), daemon=True).start()
            number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got or (b"POST" in got and not got.rstrip().endswith(b"}")):
        piece = connection.recv(65536)
        if not piece:
            return b""
        got += piece
    return got


def a_plan(port: int, **more: Any) -> Plan:
    given: dict[str, Any] = {"connections": 2, "body": {"currency": "USD"}, "key": "k", "count": 6} | more
    return Plan(port=port, paths=["/v1/payments"], headers={"Authorization": "Bearer x"}, ok=202, **given)


def test_an_open_loop_has_its_requests_at_fixed_times() -> None:
    assert schedule(4.0, 1.0) == [0.0, 0.25, 0.5, 0.75]
    assert schedule(0.5, 4.0) == [0.0, 2.0]
    assert len(schedule(300.0, 10.0)) == 3000


def test_an_open_loop_gives_what_is_due_and_remembers_when_it_was() -> None:
    orders = Orders(a_plan(1, count=0, rate=2.0, seconds=1.0), [b"a", b"b"])
    assert orders.take(0.0) == (b"a", 0.0)
    assert orders.take(0.1) is None
    assert orders.wait_s(0.25) == 0.25
    assert orders.take(0.9) == (b"b", 0.5), "late by 0.4 s, which its latency includes"
    assert orders.over(0.9)


def test_a_closed_loop_ends_after_its_count_or_its_time() -> None:
    counted = Orders(a_plan(1, count=1), [b"a"])
    assert (counted.take(7.0), counted.take(7.0)) == ((b"a", 7.0), None)
    timed = Orders(a_plan(1, count=0, seconds=2.0), [b"a"])
    assert [timed.take(0.0), timed.take(1.9), timed.take(2.0)] == [(b"a", 0.0), (b"a", 1.9), None]


def test_every_order_is_another_one() -> None:
    requests = prepared(a_plan(9))
    bodies = [json.loads(request.split(b"\r\n\r\n")[1]) for request in requests]
    assert [body["reference"] for body in bodies] == [f"k-{index}" for index in range(6)]
    assert all(body["currency"] == "USD" and body["amount"] > 0 for body in bodies)
    assert all(b"Idempotency-Key: k-%d\r\n" % index in request for index, request in enumerate(requests))


def test_a_batch_holds_an_order_a_line_and_the_last_one_what_is_left() -> None:
    requests = prepared(a_plan(9, count=7, batch=3))
    lines = [
        [json.loads(line) for line in request.split(b"\r\n\r\n")[1].splitlines()] for request in requests
    ]
    assert [len(each) for each in lines] == [3, 3, 1]
    assert [line["idempotency_key"] for each in lines for line in each] == [f"k-{n}" for n in range(7)]
    assert all(line["reference"] == line["idempotency_key"] for each in lines for line in each)
    assert Orders(a_plan(1, count=7, batch=3), requests).over(0.0) is False


def test_every_line_of_a_batch_counts_by_itself() -> None:
    lines = [
        {"outcome": "accepted", "payment_id": "pay_1"},
        {"outcome": "accepted", "payment_id": "pay_2"},
        {"outcome": "refused", "problem": {"code": "duplicate_reference"}},
    ]
    body = json.dumps({"data": lines}).encode()
    answer = b"HTTP/1.1 202 ACCEPTED\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with a_server(lambda connection, index: answer) as (port, seen):
        sent = run(a_plan(port, batch=3))
    assert len(seen) == 2
    assert [id_ for id_, _, _ in sent.answers] == ["pay_1", "pay_2"] * 2
    assert sent.errors == {"duplicate_reference": 2}


def test_connections_are_kept_alive() -> None:
    with a_server(lambda connection, index: OK) as (port, seen):
        sent = run(a_plan(port))
    assert (len(seen), len(sent.answers), sent.connections_opened, sent.errors) == (6, 6, 2, {})
    assert {answer[0] for answer in sent.answers} == {"pay_1"}
    assert sent.started_at <= min(due for _, due, _ in sent.answers) <= sent.ended_at


@pytest.mark.slow
def test_a_server_that_closes_gets_a_new_connection_for_each() -> None:
    with a_server(lambda connection, index: CLOSING) as (port, _):
        sent = run(a_plan(port))
    assert (len(sent.answers), sent.connections_opened, sent.errors) == (6, 6, {})


@pytest.mark.slow
def test_a_kept_connection_that_the_server_closed_is_no_error() -> None:
    with a_server(lambda connection, index: OK if index == 0 else None) as (port, _):
        sent = run(a_plan(port, connections=1))
    assert (len(sent.answers), sent.errors) == (6, {})


def test_other_answers_are_errors_by_their_code() -> None:
    with a_server(lambda connection, index: BUSY if index == 0 else OK) as (port, _):
        sent = run(a_plan(port, connections=1))
    assert (len(sent.answers), sent.errors) == (5, {"503 database_unavailable": 1})


def test_a_connection_that_breaks_before_its_first_answer_is_an_error() -> None:
    with a_server(lambda connection, index: None if connection == 0 else OK) as (port, _):
        sent = run(a_plan(port, connections=1))
    assert len(sent.answers) == 5
    assert sent.errors == {"the connection was closed before the answer ended": 1}


def test_a_port_where_nobody_listens_is_an_error_for_each() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sent = run(a_plan(port))
    assert (sent.answers, sent.errors) == ([], {"ConnectionRefusedError": 6})


@pytest.mark.slow
def test_latency_in_an_open_loop_counts_from_when_the_request_was_due() -> None:
    first_may_go = threading.Event()

    def held_up(connection: int, index: int) -> bytes:
        if index == 0:
            first_may_go.wait(0.3)
        return OK

    with a_server(held_up) as (port, _):
        sent = run(a_plan(port, connections=1, count=0, rate=50.0, seconds=0.2))
    due = [round(at - sent.started_at, 6) for _, at, _ in sent.answers]
    assert due == pytest.approx(schedule(50.0, 0.2), abs=1e-5)
    # Due while the first was held up, and sent only then: it waited for the rest of the 0.3 s.
    assert sent.answers[5][2] > (0.3 - due[5]) * 1000 - 1
