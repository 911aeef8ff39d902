"""What the client sends again, and when it stops: the flows, carried out with answers that are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pytest

from aegis_client import ApiError, NotAnswered, Retries, UnexpectedAnswer, problems
from aegis_client.calls import Answer, Call, NoAnswer, call
from aegis_client.flows import Flow, Pause, Way, answered, batch, done, ended

T = TypeVar("T")

PAYMENT = call("POST", "/v1/payments", body={"amount": 1}, idempotency_key="order-1")
WITHOUT_KEY = call("POST", "/v1/payments/pay_1/sync")
LOST, NEVER_SENT = NoAnswer("timed out", was_sent=True), NoAnswer("refused", was_sent=False)
BUSY = Answer(503, {"code": "unavailable", "retryable": True}, {"Retry-After": "2"})
PROXY_AWAY = Answer(502, {}, {})
ACCEPTED = Answer(202, {"id": "pay_1"}, {})


def refusal(status: int, code: str) -> Answer:
    return Answer(status, {"code": code, "detail": "no", "retryable": False, "errors": []}, {})


class Peer:
    """Answers the calls of a flow one after the other, and lets time pass by its pauses."""

    def __init__(self, *answers: Answer | NoAnswer, stops: bool = False) -> None:
        self.answers, self.stops = iter(answers), stops
        self.calls: list[Call] = []
        self.pauses: list[float] = []

    @property
    def way(self) -> Way:
        return Way("http://api.example", Retries(tries=4), lambda: sum(self.pauses), lambda: 1.0)

    def run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._done(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _done(self, step: Call | Pause) -> Any:
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            return self.stops
        self.calls.append(step)
        return next(self.answers)


@pytest.mark.parametrize("problem", [LOST, NEVER_SENT, BUSY, PROXY_AWAY])
def test_what_has_a_key_is_sent_again_with_the_same_key_and_body(problem: Answer | NoAnswer) -> None:
    peer = Peer(problem, problem, ACCEPTED)
    assert peer.run(done(PAYMENT, peer.way)) == {"id": "pay_1"}
    assert peer.calls == [PAYMENT] * 3
    assert all(sent.headers["Idempotency-Key"] == "order-1" for sent in peer.calls)


@pytest.mark.parametrize("problem", [NEVER_SENT, BUSY])
def test_what_has_no_key_is_sent_again_only_where_nothing_was_done(problem: Answer | NoAnswer) -> None:
    peer = Peer(problem, ACCEPTED)
    assert peer.run(done(WITHOUT_KEY, peer.way)) == {"id": "pay_1"}


def test_what_has_no_key_and_may_have_arrived_is_left_to_the_caller() -> None:
    peer = Peer(LOST)
    with pytest.raises(NotAnswered) as told:
        peer.run(done(WITHOUT_KEY, peer.way))
    assert told.value.may_have_arrived
    assert len(peer.calls) == 1


def test_a_proxy_that_lost_what_has_no_key_is_not_asked_again() -> None:
    peer = Peer(PROXY_AWAY)
    with pytest.raises(ApiError):
        peer.run(done(WITHOUT_KEY, peer.way))


def test_it_gives_up_after_its_tries_and_says_whether_anything_was_sent() -> None:
    peer = Peer(*[NEVER_SENT] * 4)
    with pytest.raises(NotAnswered, match="after 4 tries: refused") as told:
        peer.run(done(PAYMENT, peer.way))
    assert not told.value.may_have_arrived
    peer = Peer(NEVER_SENT, LOST, NEVER_SENT, NEVER_SENT)
    with pytest.raises(NotAnswered) as told:
        peer.run(done(PAYMENT, peer.way))
    assert told.value.may_have_arrived


def test_pauses_double_up_to_a_bound_and_honour_retry_after() -> None:
    retries = Retries(first_pause_s=0.5, longest_pause_s=6.0, longest_retry_after_s=10.0)
    assert [retries.pause(tries, 0.0, 1.0).seconds for tries in (1, 2, 3, 4, 5, 60)] == [0.5, 1, 2, 4, 6, 6]
    assert retries.pause(1, 3.0, 0.0).seconds == 3.0
    assert retries.pause(1, 3600.0, 0.0).seconds == 10.0


def test_a_pause_that_is_ended_ends_the_flow() -> None:
    peer = Peer(BUSY, stops=True)
    with pytest.raises(NotAnswered):
        peer.run(done(PAYMENT, peer.way))
    assert len(peer.calls) == 1


def test_a_refusal_is_the_exception_of_its_code_with_what_is_wrong() -> None:
    peer = Peer(refusal(422, "idempotency_key_reused"))
    with pytest.raises(problems.IdempotencyKeyReused, match="idempotency_key_reused: no") as told:
        peer.run(done(PAYMENT, peer.way))
    assert (told.value.status, told.value.is_retryable, told.value.errors) == (422, False, [])


def test_a_code_of_a_later_version_is_an_api_error_all_the_same() -> None:
    peer = Peer(refusal(409, "made_up_later"))
    with pytest.raises(ApiError) as told:
        peer.run(done(PAYMENT, peer.way))
    assert type(told.value) is ApiError
    assert told.value.code == "made_up_later"


def test_a_refusal_by_something_else_in_the_apis_place_is_an_api_error_whatever_it_holds() -> None:
    odd = Answer(400, {"code": ["x"], "errors": "none", "detail": {"a": 1}}, {})
    peer = Peer(odd, Answer(400, {"errors": [1, {"detail": "no"}]}, {}))
    with pytest.raises(ApiError, match="x") as told:
        peer.run(done(PAYMENT, peer.way))
    assert told.value.errors == []
    with pytest.raises(ApiError, match="body: no") as told:
        peer.run(done(PAYMENT, peer.way))
    assert told.value.errors == [{"detail": "no"}]


def test_what_answers_without_json_is_no_such_api() -> None:
    peer = Peer(Answer(200, {}, {}))
    with pytest.raises(UnexpectedAnswer):
        peer.run(done(PAYMENT, peer.way))


def test_an_answer_is_given_whatever_it_says() -> None:
    peer = Peer(refusal(404, "not_found"))
    assert peer.run(answered(PAYMENT, peer.way)).code == "not_found"


def lines(number: int) -> list[dict[str, Any]]:
    return [{"idempotency_key": f"k{place}", "amount": 1} for place in range(number)]


def told(*outcomes: str) -> Answer:
    return Answer(200, {"data": [_result(outcome) for outcome in outcomes]}, {})


def _result(outcome: str) -> Mapping[str, Any]:
    if outcome == "busy":
        return {"outcome": "refused", "problem": {"code": "unavailable", "retryable": True}}
    if outcome == "refused":
        return {"outcome": "refused", "problem": {"code": "validation_failed", "retryable": False}}
    return {"outcome": outcome}


def test_a_batch_without_lines_asks_nobody() -> None:
    peer = Peer()
    assert peer.run(batch("/v1/payments/batches", [], peer.way)) == []


@pytest.mark.parametrize("body", [{"data": []}, {"data": "none"}, {"object": "something else"}])
def test_a_batch_that_is_answered_by_something_else_is_told(body: dict[str, Any]) -> None:
    peer = Peer(Answer(200, body, {}))
    with pytest.raises(UnexpectedAnswer):
        peer.run(batch("/v1/payments/batches", lines(2), peer.way))


def test_only_the_lines_that_were_told_not_now_are_posted_again() -> None:
    peer = Peer(told("accepted", "busy", "refused"), told("accepted"))
    results = peer.run(batch("/v1/payments/batches", lines(3), peer.way))
    assert [result["outcome"] for result in results] == ["accepted", "accepted", "refused"]
    assert peer.calls[1].body == b'{"idempotency_key":"k1","amount":1}'


def test_a_batch_that_is_too_large_is_posted_in_halves_and_one_line_spoils_no_other() -> None:
    too_large = refusal(413, "request_too_large")
    peer = Peer(too_large, too_large, told("accepted"), told("accepted"))
    results = peer.run(batch("/v1/payments/batches", lines(2), peer.way))
    assert [result["outcome"] for result in results] == ["refused", "accepted"]
    assert results[0]["problem"]["code"] == "request_too_large"


def a_job(status: str) -> Answer:
    return Answer(200, {"status": status}, {})


def test_a_job_is_asked_about_until_it_has_ended() -> None:
    peer = Peer(a_job("queued"), a_job("running"), a_job("succeeded"))
    assert peer.run(ended("/v1/jobs/job_1", 30.0, peer.way))["status"] == "succeeded"


def test_a_job_that_does_not_end_in_time_is_given_as_it_stands() -> None:
    def for_ever() -> Iterator[Answer]:
        while True:
            yield a_job("waiting")

    peer = Peer(*(answer for answer, _ in zip(for_ever(), range(50), strict=False)))
    assert peer.run(ended("/v1/jobs/job_1", 5.0, peer.way))["status"] == "waiting"
    assert sum(peer.pauses) == pytest.approx(5.0)


def test_an_api_that_is_away_for_a_while_does_not_end_the_wait() -> None:
    peer = Peer(a_job("queued"), *[NEVER_SENT] * 4, a_job("failed"))
    assert peer.run(ended("/v1/jobs/job_1", 60.0, peer.way))["status"] == "failed"


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: call("GET", "/v1/payments", query={"state": "SUCCESS", "limit": None}), "/v1/payments?state=SUCCESS"),
        (lambda: call("GET", "/v1/p", query={"created[gte]": "2026-11-21T09:00:00+01:00"}),
         "/v1/p?created%5Bgte%5D=2026-11-21T09%3A00%3A00%2B01%3A00"),
        (lambda: call("GET", "/v1/p", query={"open": True}), "/v1/p?open=true"),
    ],
)  # fmt: skip
def test_queries_are_written_as_the_api_reads_them(make: Callable[[], Call], path: str) -> None:
    assert make().path == path
