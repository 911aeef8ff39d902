"""A flow has its card opened by whoever makes its calls: what it is told when there is none, and what nobody is told."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from aegis_worker.domain.cards import Card
from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Outcome, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import CannotUnseal, VaultUnavailable
from aegis_worker.exchange import driver
from aegis_worker.exchange.engine import wait_for
from aegis_worker.exchange.opening import Opener
from aegis_worker.exchange.transfers import Done
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, OpenCard, opened
from aegis_worker.lab.conformance.numbered import CODE, MASTERCARD, METHOD, NUMBER, Drawer

# A moment on a line may hold any three digits.
TIME = re.compile(r"\d\d:\d\d:\d\d\.\d+")
OPEN = OpenCard.of(METHOD)
WRITE = HttpCall("POST", "/charges", body=b"{}")


class Client:
    """Answers every call at once, and remembers the threads that made them."""

    def __init__(self) -> None:
        self.bodies: list[bytes | None] = []
        self.threads: list[str] = []

    def begin(
        self, call: HttpCall, done: Done, *, deadline: float, may_leave: Callable[[], bool] | None
    ) -> None:
        self.bodies.append(call.body)
        self.threads.append(threading.current_thread().name)
        done(HttpAnswer(200, {}, b"{}"))

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        callback()


def charging(before: tuple[HttpCall, ...] = ()) -> Flow[Outcome]:
    """Makes the calls `before`, opens the card, and sends it."""
    for call in before:
        answer = yield call
        assert answer.status == 200
    card = yield from opened(OPEN)
    if isinstance(card, Declined):
        return card
    yield HttpCall("POST", "/charges", body=f"{card.number} {card.cvc}".encode())
    return Approved("ch_1")


def made(
    flow: Flow[Outcome], client: Client, drawer: Callable[[OpenCard], Card], within_s: float = 5
) -> Outcome:
    """What comes of the flow."""

    def begin(told: Callable[[Outcome], None]) -> None:
        opener = Opener(drawer)
        driver.make(flow, client, told, within_s=within_s, gateway="a", opener=opener)

    nobody: Outcome = Unknown("nobody said what came of it")
    return wait_for(begin, within_s, nobody)


def test_the_card_goes_into_the_flow_and_the_vault_is_waited_for_on_a_thread_of_its_own() -> None:
    client, drawer = Client(), Drawer()
    assert made(charging(), client, drawer) == Approved("ch_1")
    assert client.bodies == [f"{NUMBER} {CODE}".encode()]
    assert drawer.asked == [OPEN]
    assert client.threads[0].startswith("vault")


def test_a_payment_that_had_no_security_code_sends_none() -> None:
    client = Client()

    def without_code() -> Flow[Outcome]:
        card = yield from opened(OpenCard.of({**METHOD, "with_code": None} | {"with_code": False}))
        assert isinstance(card, Card)
        yield HttpCall("POST", "/charges", body=str(card.cvc).encode())
        return Approved("ch_1")

    assert made(without_code(), client, Drawer()) == Approved("ch_1")
    assert client.bodies == [b"None"]


@pytest.mark.parametrize("before", [(), (HttpCall("GET", "/charges/1", only_reads=True),)])
def test_where_the_vault_does_not_answer_nothing_was_sent_and_the_log_alone_says_where_it_is(
    before: tuple[HttpCall, ...],
) -> None:
    client, drawer = Client(), Drawer()
    drawer.problem = VaultUnavailable("10.0.0.7:6379 refused the connection")
    with capture_logs() as lines:
        outcome = made(charging(before), client, drawer)
    assert outcome == NotSent("the card vault does not answer", kind=NotSentKind.VAULT)
    assert client.bodies == [None] * len(before)
    assert "10.0.0.7:6379" in str(lines)


def test_after_a_call_that_may_have_done_something_a_silent_vault_leaves_the_operation_in_doubt() -> None:
    drawer = Drawer()
    drawer.problem = VaultUnavailable("connection refused")
    assert isinstance(made(charging((WRITE,)), Client(), drawer), Unknown)


def test_a_card_that_is_gone_or_has_lost_its_code_is_declined_and_nothing_is_sent() -> None:
    client, drawer = Client(), Drawer()
    drawer.forget_code()
    lost = made(charging(), client, drawer)
    drawer.card = None
    gone = made(charging(), client, drawer)
    assert [one.code for one in (lost, gone) if isinstance(one, Declined)] == [
        "security_code_gone",
        "card_gone",
    ]
    assert client.bodies == []


def test_a_wrong_key_is_a_decline_of_its_own_and_an_error_in_the_log() -> None:
    client, drawer = Client(), Drawer()
    drawer.problem = CannotUnseal("sealed with the key 'k7', which the vault's ring does not hold")
    with capture_logs() as lines:
        outcome = made(charging(), client, drawer)
    assert isinstance(outcome, Declined)
    assert (outcome.code, client.bodies) == ("vault_misconfigured", [])
    assert "a card can't be opened" in str(lines)


def test_a_vault_that_breaks_leaves_nothing_sent() -> None:
    drawer = Drawer()
    drawer.problem = ZeroDivisionError(NUMBER)
    outcome = made(charging(), Client(), drawer)
    assert outcome == NotSent("the card vault raised ZeroDivisionError", kind=NotSentKind.VAULT)


def test_a_card_for_which_no_time_is_left_is_not_opened() -> None:
    drawer, told = Drawer(), []
    done = threading.Event()

    def tell(outcome: object) -> None:
        told.append(outcome)
        done.set()

    Opener(drawer).begin(OPEN, tell, deadline=time.monotonic() - 1)
    assert done.wait(5)
    assert told == [NotSent("the card vault had no time for it", kind=NotSentKind.VAULT)]
    assert drawer.asked == []


def test_what_an_adapter_raises_with_a_card_in_its_hands_is_not_written_anywhere(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def clumsy() -> Flow[Outcome]:
        card = yield from opened(OPEN)
        assert isinstance(card, Card)
        raise ValueError(f"no such card: {card.number} {card.cvc}")

    with caplog.at_level(logging.DEBUG):
        assert made(clumsy(), Client(), Drawer()) == Unknown("the adapter raised ValueError")
    written = capsys.readouterr()
    for text in (written.out, written.err, caplog.text):
        assert NUMBER not in text
        assert CODE not in TIME.sub("", text)


def test_without_a_vault_nothing_is_sent() -> None:
    told: list[Outcome] = []
    done = threading.Event()

    def tell(outcome: Outcome) -> None:
        told.append(outcome)
        done.set()

    driver.make(charging(), Client(), tell, within_s=5, gateway="a")
    assert done.wait(5)
    assert told == [NotSent("the card vault does not answer", kind=NotSentKind.VAULT)]


def test_a_card_shows_nothing_of_itself_in_a_step() -> None:
    assert NUMBER not in repr(OPEN)
    assert NUMBER not in repr(MASTERCARD)
