"""Posting over real sockets: kept-alive, bounded, to the address that was checked."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from types import SimpleNamespace

import pytest
from support.merchant_server import a_sink, answers

from aegis_worker.delivery.webhooks.schedule import Answered, NoAnswer
from aegis_worker.delivery.webhooks.sender import HttpSender

# For hooks.merchant.test, made for these tests with a key that nobody else uses; valid until 2126.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg69DrLHGR6GRut5HO
SPVTu3zJR9zgA8FnZvloY61OIh+hRANCAAQIt5Lhufo1ZoczET7ZaH9QMa6SZRCe
/9hb4/J0UjfAeFOyp/lsMPYoRiiT8Efr1b06Peqlkc3RvR7ViOlFDcMw
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUD0R43urCW5jbBzl+XFPJ6XhNwBAwCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTaG9va3MubWVyY2hhbnQudGVzdDAgFw0yNjExMjExMTUyMzJa
GA8yMTI2MTAyODExNTIzMlowHjEcMBoGA1UEAwwTaG9va3MubWVyY2hhbnQudGVz
dDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAi3kuG5+jVmhzMRPtlof1AxrpJl
EJ7/2Fvj8nRSN8B4U7Kn+Www9ihGKJPwR+vVvTo96qWRzdG9HtWI6UUNwzCjczBx
MB0GA1UdDgQWBBQUaqFesLSxoa1CaRumzB2m+IPPoTAfBgNVHSMEGDAWgBQUaqFe
sLSxoa1CaRumzB2m+IPPoTAPBgNVHRMBAf8EBTADAQH/MB4GA1UdEQQXMBWCE2hv
b2tzLm1lcmNoYW50LnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIhAM5Wf3vuyYhFh3kk
YLLulO1byWD0+8R5eKipyt3K/410AiA+9APAzW+mi2xAwrPFIlF+iUZ+keGce6qT
ao3260ohCQ==
-----END CERTIFICATE-----
"""


@pytest.fixture
def sink():
    with a_sink() as running:
        yield running


def a_sender(**changes):
    return HttpSender(**{"timeout_s": 10.0, "allow_private": True, **changes})


@pytest.fixture
def sender():
    sender = a_sender()
    yield sender
    sender.close()


@pytest.fixture
def hasty():
    """Gives up after a quarter of a second."""
    sender = a_sender(timeout_s=0.25)
    yield sender
    sender.close()


class Resolver:
    """Answers with the given addresses, one list a question, and remembers the questions."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, host, port, type):
        self.asked.append((host, port))
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in self.answers.pop(0)]


def test_what_is_posted_arrives_and_what_is_answered_comes_back(sink, sender):
    sink.scripts["/hooks?a=1"] = [answers(400, b"not \x00 today\n")]
    assert sender.post(sink.url("/hooks?a=1"), {"webhook-id": "evt_1"}, b'{"a":1}') == Answered(
        400, "not   today"
    )
    [received] = sink.received
    assert received.body == b'{"a":1}'
    assert received.headers["webhook-id"] == "evt_1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{sink.port}"
    assert received.headers["user-agent"].startswith("AegisPay/")


def test_one_connection_serves_many_posts(sink, sender):
    for _ in range(5):
        assert sender.post(sink.url(), {}, b"{}") == Answered(204)
    assert len({request.connection for request in sink.received}) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(sink, sender):
    def last(request):
        answers(200)(request)
        request.close_connection = True

    sink.scripts["/hooks"] = [last]
    assert [sender.post(sink.url(), {}, b"{}").status for _ in range(2)] == [200, 204]
    assert len({request.connection for request in sink.received}) == 2


def test_an_endpoint_that_hangs_is_given_up(sink, hasty):
    sink.scripts["/hooks"] = [sink.hangs]
    assert hasty.post(sink.url(), {}, b"{}") == NoAnswer("timed out")


def test_an_endpoint_that_drips_its_answer_is_given_up_like_one_that_hangs(sink, hasty):
    sink.scripts["/hooks"] = [sink.drips]
    assert hasty.post(sink.url(), {}, b"{}") == NoAnswer("timed out")


def test_an_endpoint_that_drops_the_connection_gave_no_answer(sink, sender):
    sink.scripts["/hooks"] = [sink.drops]
    assert sender.post(sink.url(), {}, b"{}").error.startswith("closed without an answer")
    assert len(sink.received) == 1


def test_nobody_listening_is_no_answer(sender):
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{placeholder.getsockname()[1]}/"
        assert sender.post(url, {}, b"{}").error.startswith("could not connect: Connection refused")


def test_what_is_not_http_is_no_answer(sink, sender):
    sink.scripts["/hooks"] = [lambda request: request.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")]
    assert sender.post(sink.url(), {}, b"{}").error.startswith("the answer can't be read")


def test_of_a_long_answer_a_little_is_read_and_the_connection_is_not_used_again(sink, sender):
    sink.scripts["/hooks"] = [answers(500, b"x" * 1_000_000)]
    assert sender.post(sink.url(), {}, b"{}") == Answered(500, "x" * 200)
    assert sender.post(sink.url(), {}, b"{}") == Answered(204)
    assert len({request.connection for request in sink.received}) == 2


NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize("later_s", [0.0, 0.1], ids=["at_once", "a_moment_later"])
def test_an_event_counts_as_delivered_only_by_its_own_answer(sink, sender, later_s):
    sent = threading.Event()

    def answers_twice(request):
        request.wfile.write(NO_CONTENT)
        time.sleep(later_s)
        request.wfile.write(NO_CONTENT)
        sent.set()

    sink.scripts["/hooks"] = [answers_twice, answers(500)]
    assert sender.post(sink.url(), {}, b"{}") == Answered(204)
    assert sent.wait(10)
    assert sender.post(sink.url(), {}, b"{}") == Answered(500)


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"])
def test_the_answer_is_the_one_behind_what_is_interim(sink, sender, interim):
    head = f"HTTP/1.1 {interim}\r\n\r\n".encode()
    sink.scripts["/hooks"] = [
        lambda request: request.wfile.write(3 * head + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
        answers(204),
    ]
    assert [sender.post(sink.url(), {}, b"{}") for _ in range(2)] == [Answered(500), Answered(204)]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + NO_CONTENT,
        10_000 * b"HTTP/1.1 103 Early Hints\r\n\r\n" + NO_CONTENT,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + 100_000 * b"x" + b"\r\n\r\n",
        b"200",
    ],
    ids=["101", "endless_103", "two_lengths", "length_and_chunked", "huge_header", "http_0_9"],
)
def test_what_can_be_read_in_two_ways_is_no_answer(sink, sender, raw):
    def script(request):
        request.wfile.write(raw)
        request.close_connection = True

    sink.scripts["/hooks"] = [script]
    assert isinstance(sender.post(sink.url(), {}, b"{}"), NoAnswer)


def test_a_card_number_in_an_answer_that_cannot_be_read_is_not_kept(sink, sender):
    sink.scripts["/hooks"] = [
        lambda request: request.wfile.write(b"HTTP/1.1 200 OK\r\n4111111111111111\r\n\r\n")
    ]
    error = sender.post(sink.url(), {}, b"{}").error
    assert error.startswith("the answer can't be read")
    assert "4111111111111111" not in error


def test_a_name_that_is_never_resolved_is_given_up_like_an_endpoint_that_hangs():
    answered = threading.Event()

    def silent(host, port, type):
        answered.wait(20)
        return []

    sender = a_sender(timeout_s=0.25, resolve=silent)
    assert sender.post("http://hooks.merchant.test/", {}, b"{}") == NoAnswer("timed out")
    assert not answered.is_set()
    answered.set()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 80, None),
    ],
)
def test_retry_after_is_understood_as_seconds_or_a_date(sink, sender, value, seconds):
    sink.scripts["/hooks"] = [answers(429, Retry_After=value)]
    assert sender.post(sink.url(), {}, b"{}") == Answered(429, retry_after_s=seconds)


def test_the_name_is_resolved_once_a_connection_and_still_said_to_the_server(sink):
    resolver = Resolver(["127.0.0.1"])
    sender = a_sender(resolve=resolver)
    for _ in range(2):
        assert sender.post(sink.url(host="hooks.merchant.test"), {}, b"{}") == Answered(204)
    sender.close()
    assert resolver.asked == [("hooks.merchant.test", sink.port)]
    assert {request.headers["host"] for request in sink.received} == {f"hooks.merchant.test:{sink.port}"}


def test_the_next_address_is_tried_when_one_refuses(sink):
    sender = a_sender(resolve=Resolver(["127.0.0.2", "127.0.0.1"]))
    assert sender.post(sink.url(host="hooks.merchant.test"), {}, b"{}") == Answered(204)
    sender.close()


def test_a_name_that_nobody_knows_is_no_answer(sender):
    assert sender.post("http://nobody.invalid/", {}, b"{}") == NoAnswer("the host can't be resolved")


@pytest.fixture
def secured(tmp_path):
    pem = tmp_path / "certificate.pem"
    pem.write_text(CERTIFICATE)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    names = []
    server.sni_callback = lambda connection, name, context: names.append(name)
    with a_sink(server) as sink:
        yield SimpleNamespace(sink=sink, ca_bundle=pem, names=names)


def test_over_tls_the_certificate_is_checked_against_the_name_although_the_address_was_given(secured):
    sender = a_sender(ca_bundle=secured.ca_bundle, resolve=Resolver(["127.0.0.1"]))
    for _ in range(2):
        assert sender.post(f"https://hooks.merchant.test:{secured.sink.port}/", {}, b"{}") == Answered(204)
    sender.close()
    assert secured.names == ["hooks.merchant.test"]


def test_a_certificate_for_another_name_is_refused(secured):
    sender = a_sender(ca_bundle=secured.ca_bundle, resolve=Resolver(["127.0.0.1"]))
    answer = sender.post(f"https://other.merchant.test:{secured.sink.port}/", {}, b"{}")
    assert "TLS: SSL: no alternative certificate subject name matches" in answer.error
    assert secured.sink.received == []


def test_an_endpoint_that_hangs_or_drips_over_tls_is_given_up(secured):
    sender = a_sender(
        ca_bundle=secured.ca_bundle, timeout_s=0.5, resolve=Resolver(["127.0.0.1"], ["127.0.0.1"])
    )
    secured.sink.scripts["/"] = [secured.sink.hangs, secured.sink.drips]
    url = f"https://hooks.merchant.test:{secured.sink.port}/"
    assert [sender.post(url, {}, b"{}") for _ in range(2)] == [NoAnswer("timed out")] * 2


def test_a_post_that_meets_a_dead_connection_goes_over_a_new_one(sink, sender):
    def reads_and_closes(request):
        request.close_connection = True

    sink.scripts["/hooks"] = [answers(200), reads_and_closes, answers(201)]
    assert [sender.post(sink.url(), {}, b"{}") for _ in range(2)] == [Answered(200), Answered(201)]


def test_an_endpoint_that_drops_every_connection_gets_a_bounded_number_of_copies(sink, sender):
    sink.scripts["/hooks"] = [answers(200)]
    sink.otherwise["/hooks"] = sink.drops
    assert sender.post(sink.url(), {}, b"{}") == Answered(200)
    assert sender.post(sink.url(), {}, b"{}") == NoAnswer("closed without an answer")
    assert len(sink.received) <= 1 + 2
