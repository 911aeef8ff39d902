"""What becomes of an adapter's flow: its calls are made and bounded, and what is no answer is told as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace
from support.gateway_calls import sent

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    NotSent,
    Operation,
    Outcome,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.exchange import driver
from aegis_worker.exchange.driver import MOST_CALLS, Client, ReadTold, nothing_told
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.transfers import Done
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, NoAnswer, Pause, Recall, recalled
from aegis_worker.gateways.kit.probing import Probed, Standing, probed
from aegis_worker.gateways.null.adapter import NullAdapter
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

WRITE, READ = HttpCall("POST", "/charges", body=b"{}"), HttpCall("GET", "/charges/1", only_reads=True)
OK = HttpAnswer(200, {}, b"{}")
REFUSED = NotSent("could not connect: Connection refused")
RESET = Unknown("ConnectionResetError: reset")
CHARGE = GatewayRequest(
    Operation.PROCESS, "pay_1", "pay_1-p1", PaymentTerms(Money(1999, "USD"), {"type": "card"})
)


class ScriptedClient:
    """Gives the answers one after the other, at once, and remembers the calls and the pauses."""

    def __init__(self, *answers: HttpAnswer | NotSent | Unknown) -> None:
        self.answers = list(answers)
        self.calls: list[HttpCall] = []
        self.pauses: list[float] = []
        self.asked_before: list[bool] = []

    def begin(
        self, call: HttpCall, done: Done, *, deadline: float, may_leave: Callable[[], bool] | None
    ) -> None:
        assert deadline > time.monotonic()
        self.calls.append(call)
        self.asked_before.append(may_leave is not None)
        done(self.answers.pop(0))

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        self.pauses.append(seconds)
        callback()


def make(flow: Flow[Outcome], client: Client, *, within_s: float, gateway: str) -> Outcome:
    """What comes of the flow."""
    told: list[Outcome] = []
    driver.make(flow, client, told.append, within_s=within_s, gateway=gateway)
    (outcome,) = told
    return outcome


def calling(calls: Sequence[HttpCall]) -> Flow[Outcome]:
    """Makes these calls, and approves."""
    for call in calls:
        answer = yield call
        assert answer is OK
    return Approved("ch_1")


def test_answers_go_into_the_flow_and_its_outcome_comes_out() -> None:
    client = ScriptedClient(OK, OK)
    assert make(calling([READ, WRITE]), client, within_s=5, gateway="a") == Approved("ch_1")
    assert client.calls == [READ, WRITE]


def test_a_flow_may_need_no_call() -> None:
    assert make(calling([]), ScriptedClient(), within_s=5, gateway="a") == Approved("ch_1")


@pytest.mark.parametrize(
    ("calls", "answers", "comes_to"),
    [
        ([WRITE], [REFUSED], REFUSED),
        ([WRITE], [RESET], RESET),
        ([READ, WRITE], [OK, REFUSED], REFUSED),
        ([READ, WRITE], [OK, RESET], RESET),
        ([WRITE, WRITE], [OK, RESET], RESET),
        (
            [WRITE, WRITE],
            [OK, REFUSED],
            Unknown("an earlier call was answered, and then: could not connect: Connection refused"),
        ),
    ],
)
def test_nothing_was_sent_only_where_no_call_of_the_flow_may_have_done_anything(
    calls: list[HttpCall], answers: list[HttpAnswer | NotSent | Unknown], comes_to: Outcome
) -> None:
    assert make(calling(calls), ScriptedClient(*answers), within_s=5, gateway="a") == comes_to


def test_an_adapter_may_know_better_what_a_call_without_an_answer_means() -> None:
    def created_then_confirmed() -> Flow[Outcome]:
        yield WRITE
        try:
            yield WRITE
        except NoAnswer as none:
            return none.outcome
        return Approved("pi_1")

    assert make(created_then_confirmed(), ScriptedClient(OK, REFUSED), within_s=5, gateway="a") == REFUSED
    assert make(created_then_confirmed(), ScriptedClient(OK, RESET), within_s=5, gateway="a") == RESET


def test_a_flow_may_go_on_after_a_call_without_an_answer() -> None:
    def asked_after_doubt() -> Flow[Outcome]:
        try:
            yield WRITE
        except NoAnswer:
            answer = yield READ
            return Declined("do_not_honor", str(answer.status))
        return Approved("ch_1")

    client = ScriptedClient(RESET, OK)
    assert make(asked_after_doubt(), client, within_s=5, gateway="a") == Declined("do_not_honor", "200")
    assert client.calls == [WRITE, READ]


def test_the_calls_of_a_flow_are_counted() -> None:
    client = ScriptedClient(*[OK] * MOST_CALLS)
    outcome = make(calling([READ] * (MOST_CALLS + 1)), client, within_s=5, gateway="a")
    assert outcome == Unknown(f"the adapter asked for more than {MOST_CALLS} calls")
    assert len(client.calls) == MOST_CALLS


def test_a_call_for_which_no_time_is_left_is_not_sent() -> None:
    def slow() -> Flow[Outcome]:
        yield READ
        time.sleep(0.02)
        yield WRITE
        return Approved("ch_1")

    client = ScriptedClient(OK)
    outcome = make(slow(), client, within_s=0.01, gateway="a")
    assert outcome == NotSent("no time was left for the call", kind=NotSentKind.TIMEOUT)
    assert client.calls == [READ]


def test_a_pause_is_kept_and_answered_with_nothing() -> None:
    def pretends_to_be_slow() -> Flow[Outcome]:
        nothing = yield Pause(1.5)
        assert nothing is None
        return Approved("ch_1")

    client = ScriptedClient()
    assert make(pretends_to_be_slow(), client, within_s=5, gateway="a") == Approved("ch_1")
    assert client.pauses == [1.5]


TOLD = (Told("e-1", "payment.succeeded", "pay_1-p1", "ch_1", Money(1999, "USD")),)


def remembers() -> Flow[Outcome]:
    """Approves what the gateway has told of."""
    told = yield from recalled(Recall("pay_1-p1"))
    return Approved(str(told[0].gateway_ref)) if told else Unknown("nothing was told")


def recalling(read_told: ReadTold) -> Outcome:
    said: list[Outcome] = []
    driver.make(remembers(), ScriptedClient(), said.append, within_s=5, gateway="a", read_told=read_told)
    (outcome,) = said
    return outcome


def test_what_a_gateway_has_told_by_itself_is_read_in_place_of_a_call() -> None:
    asked = []

    def read(recall: Recall) -> Sequence[Told]:
        asked.append(recall)
        return TOLD

    assert recalling(read) == Approved("ch_1")
    assert asked == [Recall("pay_1-p1")]
    assert recalling(nothing_told) == Unknown("nothing was told")


def test_what_can_not_be_read_now_leaves_the_doubt_and_merchants_do_not_read_where_the_database_is() -> None:
    def gone(recall: Recall) -> Sequence[Told]:
        raise DatabaseUnavailable("no connection to 10.0.0.7:5432")

    outcome = recalling(gone)
    assert isinstance(outcome, Unknown)
    assert "the database does not answer" in outcome.reason
    assert "10.0.0.7" not in outcome.reason


def test_only_what_changes_something_is_asked_whether_it_may_still_leave() -> None:
    client = ScriptedClient(OK, OK)
    driver.make(
        calling([READ, WRITE]), client, lambda _: None, within_s=5, gateway="a", may_leave=lambda: True
    )
    assert client.asked_before == [False, True]


def test_what_is_done_with_an_outcome_may_break_and_is_done_once() -> None:
    told = []

    def broken(outcome: Outcome) -> None:
        told.append(outcome)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        driver.make(calling([WRITE]), ScriptedClient(OK), broken, within_s=5, gateway="a")
    assert told == [Approved("ch_1")]


@pytest.mark.parametrize("answer", [REFUSED, RESET])
def test_a_flow_is_closed_however_it_ends(answer: NotSent | Unknown) -> None:
    closed = []

    def tidy() -> Flow[Outcome]:
        try:
            yield WRITE
        finally:
            closed.append(True)
        return Approved("ch_1")

    make(tidy(), ScriptedClient(answer), within_s=5, gateway="a")
    assert closed == [True]


def test_the_end_of_a_worker_closes_the_flow_and_goes_on() -> None:
    class Dying(ScriptedClient):
        def begin(self, call: HttpCall, done: Done, **_: object) -> None:
            raise SystemExit

    flow = calling([WRITE])
    with pytest.raises(SystemExit):
        make(flow, Dying(), within_s=5, gateway="a")
    with pytest.raises(StopIteration):
        next(flow)


class Broken(NullAdapter):
    """An adapter with mistakes: in a flow, before a flow, and in what it asks for."""

    def process(self, request: GatewayRequest) -> Flow[Outcome]:
        yield Pause(0)
        raise ZeroDivisionError

    def refund(self, request: GatewayRequest) -> Flow[Outcome]:
        raise KeyError(request.gateway_ref)

    def void(self, request: GatewayRequest) -> Flow[Outcome]:
        yield "POST /voids"  # type: ignore[misc]
        return Approved("ch_1")


@pytest.mark.parametrize(
    ("operation", "error"),
    [("process", "ZeroDivisionError"), ("refund", "KeyError"), ("void", "AttributeError")],
)
def test_an_adapter_that_raises_leaves_its_operation_in_doubt(operation: str, error: str) -> None:
    gateway = LoadedGateway(Broken(GatewayConfig("a", "broken", "http://127.0.0.1:1", "k")))
    request = replace(CHARGE, operation=Operation(operation))
    assert sent(gateway, request) == Unknown(f"the adapter raised {error}")


class Remote(NullAdapter):
    """Calls its gateway for everything."""

    def find_by_reference(self, query: StatusQuery) -> Flow[Lookup]:
        yield READ
        return Approved("ch_1")

    def probe(self) -> Flow[Probed]:
        answer = yield READ
        return probed(answer, 200)


def test_a_look_up_that_was_not_sent_tells_as_little_as_one_that_was_not_answered() -> None:
    gateway = LoadedGateway(Remote(GatewayConfig("a", "remote", "http://127.0.0.1:1", "k")))
    said = gateway.ask_and_wait(StatusQuery(Operation.PROCESS, "pay_1-p1"))
    assert said == Unknown("could not connect: Connection refused", kind=UnknownKind.NO_ANSWER)


def test_a_gateway_that_can_not_be_reached_is_silent() -> None:
    gateway = LoadedGateway(Remote(GatewayConfig("a", "remote", "http://127.0.0.1:1", "k")))
    found = gateway.probe()
    assert (found.standing, found.detail) == (Standing.SILENT, "could not connect: Connection refused")
