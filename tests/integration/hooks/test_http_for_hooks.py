"""What a hook calls over HTTP is bounded, and it is told whether anything may have arrived."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.merchant_server import Sink, a_sink, answers

from aegis_worker.hooks.http import HttpAnswer, NotSent, Unknown, call
from aegis_worker.lab.embedded.ports import free_port


@pytest.fixture
def service() -> Iterator[Sink]:
    with a_sink() as sink:
        yield sink


def test_a_document_goes_out_as_json_and_the_answer_comes_back(service: Sink) -> None:
    service.scripts["/score"] = [answers(200, b'{"score": 7}')]
    answer = call("POST", service.url("/score"), {"amount": 1999}, headers={"Authorization": "Bearer x"})
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (200, b'{"score": 7}')
    [received] = service.received
    assert received.json == {"amount": 1999}
    assert received.headers["authorization"] == "Bearer x"
    assert received.headers["content-type"] == "application/json"


def test_a_redirect_is_an_answer_and_nobody_follows_it(service: Sink) -> None:
    service.scripts["/score"] = [answers(302, Location=service.url("/other"))]
    answer = call("POST", service.url("/score"), {})
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 302
    assert [received.path for received in service.received] == ["/score"]


def test_where_nobody_listens_nothing_was_sent() -> None:
    assert isinstance(call("POST", f"http://127.0.0.1:{free_port()}/score", {}), NotSent)


def test_an_answer_that_does_not_come_in_time_is_unknown(service: Sink) -> None:
    service.scripts["/score"] = [service.hangs]
    assert isinstance(call("POST", service.url("/score"), {}, timeout_s=0.1), Unknown)


def test_an_answer_without_end_is_unknown(service: Sink) -> None:
    service.scripts["/score"] = [answers(200, b"x" * (256 << 10) + b"x")]
    assert isinstance(call("POST", service.url("/score"), {}), Unknown)


@pytest.mark.parametrize(
    "url",
    [
        "http://fraud.example/score",
        "ftp://fraud.example/score",
        "https://user@fraud.example/",
        "/score",
        "file:///etc/passwd",
        "https://fraud.example/a b",
    ],
)
def test_other_urls_are_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        call("GET", url)


@pytest.mark.parametrize("timeout_s", [0, -1, 31, float("nan")])
def test_no_call_is_without_a_bound(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        call("GET", "https://fraud.example/", timeout_s=timeout_s)
