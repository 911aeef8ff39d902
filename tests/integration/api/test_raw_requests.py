"""Whatever a socket sends, the running server answers it as the API does: a problem document that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.raw_shop import Shop, raw_shop
from support.running_api import read_answer

from aegis_api.http.problems import PROBLEMS
from aegis_worker.lab.embedded.stack import Stores

BODY = b'{"amount":1999,"currency":"USD","payment_method":{"type":"card","token":"tok_visa"}}'
LONGEST = 65_536
NO_PAYMENT = b"/v1/payments/pay_" + b"0" * 32
HOST = b"Host: api.example"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def shop(stores: Stores, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with raw_shop(stores, migrated_template, tmp_path_factory.mktemp("raw")) as opened:
        yield opened


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((line, *headers, b"", body))


def post(*headers: bytes, body: bytes = BODY, host: bytes = HOST) -> bytes:
    return request(b"POST /v1/payments HTTP/1.1", host, b"<auth>", JSON, *headers, body=body)


def get(target: bytes, *headers: bytes) -> bytes:
    return request(b"GET " + target + b" HTTP/1.1", HOST, b"<auth>", *headers)


def length(size: int = len(BODY)) -> bytes:
    return b"Content-Length: %d" % size


def chunks(body: bytes = BODY, size: int = 1 << 30) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


# The application refuses these, with a problem document.
REFUSED: dict[str, tuple[int, bytes]] = {
    # Headers that are given once.
    "the key twice": (400, post(b"Idempotency-Key: K", b"Idempotency-Key: K", length())),
    "two keys": (400, post(b"Idempotency-Key: K1", b"Idempotency-Key: K2", length())),
    "two keys in one header": (400, post(b"Idempotency-Key: K1, K2", length())),
    "two keys around others": (400, post(b"idempotency-key: K", length(), b"IDEMPOTENCY-KEY: K")),
    "an empty key beside a key": (400, post(b"Idempotency-Key: K", b"Idempotency-Key:", length())),
    "a key under an underscore": (400, post(b"Idempotency_Key: K", length())),
    "a key without a value": (400, post(b"Idempotency-Key:", length())),
    "a key beyond ASCII": (400, post(b"Idempotency-Key: \xc3\xa9", length())),
    "the API key twice": (401, post(b"<auth>", b"<key>", length())),
    "two API keys": (401, post(b"Authorization: Bearer aegis_test_x", b"<key>", length())),
    "the type twice": (400, post(JSON, b"<key>", length())),
    "two types": (400, post(b"Content-Type: text/plain", b"<key>", length())),
    "two encodings": (
        400,
        post(b"Content-Encoding: identity", b"Content-Encoding: identity", b"<key>", length()),
    ),
    "the host twice": (400, post(HOST, b"<key>", length())),
    "two hosts": (400, post(b"Host: other.example", b"<key>", length())),
    "two versions": (400, get(b"/v1/payments", b'If-Match: "1"', b'If-Match: "2"')),
    # What frames a body.
    "chunks twice": (400, post(b"<key>", CHUNKED, CHUNKED, body=chunks())),
    "gzip in chunks": (400, post(b"<key>", b"Transfer-Encoding: gzip, chunked", body=chunks())),
    "gzip and chunks": (400, post(b"<key>", b"Transfer-Encoding: gzip", CHUNKED, body=chunks())),
    "identity in chunks": (400, post(b"<key>", b"Transfer-Encoding: identity, chunked", body=chunks())),
    "a chunk size that is none": (400, post(b"<key>", CHUNKED, body=b"zz\r\n" + BODY)),
    "a chunk size below zero": (400, post(b"<key>", CHUNKED, body=b"-5\r\n" + BODY)),
    "a chunk size with 0x": (400, post(b"<key>", CHUNKED, body=b"0x5\r\n" + BODY)),
    "an empty chunk size": (400, post(b"<key>", CHUNKED, body=b"\r\n" + BODY)),
    "a chunk that goes on": (400, post(b"<key>", CHUNKED, body=b"3\r\n" + BODY)),
    "a trailer with a length": (
        400,
        post(b"<key>", CHUNKED, body=chunks()[:-2] + b"Content-Length: 5\r\n\r\n"),
    ),
    "an endless chunk line": (400, post(b"<key>", CHUNKED, body=b"1" * 20_000)),
    "a body without a length": (400, post(b"<key>")),
    # Bad chunks where no body is needed.
    "chunks of a list": (400, get(b"/v1/payments", CHUNKED) + b"zz\r\n"),
    "chunks of a payment": (400, get(NO_PAYMENT, CHUNKED) + b"zz\r\n"),
    "chunks of a sync": (
        400,
        request(b"POST " + NO_PAYMENT + b"/sync HTTP/1.1", HOST, b"<auth>", CHUNKED, body=b"zz\r\n"),
    ),
    "chunks of an endpoint's end": (
        400,
        request(b"DELETE /v1/webhook-endpoints/whe_1 HTTP/1.1", HOST, b"<auth>", CHUNKED, body=b"zz\r\n"),
    ),
    "chunks of a batch": (
        400,
        request(b"POST /v1/payments/batches HTTP/1.1", HOST, b"<auth>", CHUNKED, body=b"zz\r\n"),
    ),
    "chunks of a gateway's event": (
        400,
        request(b"POST /v1/gateways/sandbox_a/webhooks HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n"),
    ),
    "chunks of a health check": (400, request(b"GET /healthz HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n")),
    "chunks of metrics": (400, request(b"GET /metrics HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n")),
    "chunks of the document": (400, request(b"GET /openapi.json HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n")),
    "chunks of nothing": (404, request(b"POST /nothing HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n")),
    # The line.
    "a method in small letters": (400, request(b"get /healthz HTTP/1.1", HOST)),
    "an unknown method": (405, request(b"BREW /healthz HTTP/1.1", HOST)),
    "TRACE": (405, request(b"TRACE /healthz HTTP/1.1", HOST)),
    "CONNECT": (404, request(b"CONNECT api.example:443 HTTP/1.1", HOST)),
    "OPTIONS *": (404, request(b"OPTIONS * HTTP/1.1", HOST)),
    "an escaped byte that is no UTF-8 in the path": (400, get(b"/v1/payments/%ff")),
    "an escaped null byte in the path": (404, get(b"/v1/payments/%00")),
    "half an escape in the path": (404, get(b"/v1/payments/%zz")),
    "an escaped byte that is no UTF-8 in the query": (400, get(b"/v1/payments?reference=%ff")),
    "half an escape in the query": (400, get(b"/v1/payments?reference=%4")),
    "no escape in the query": (400, get(b"/v1/payments?reference=100%")),
    "an escaped null byte in the query": (422, get(b"/v1/payments?reference=%00")),
    "half a surrogate in the query": (400, get(b"/v1/payments?reference=%ed%a0%80")),
    "a long path": (414, get(b"/" + b"a" * 9000)),
    "a long query": (414, get(b"/v1/payments?reference=" + b"a" * 9000)),
    # The headers.
    "no host": (400, request(b"GET /healthz HTTP/1.1")),
    "a host with a space": (400, request(b"GET /healthz HTTP/1.1", b"Host: a b")),
    "a host that is none": (400, request(b"GET /healthz HTTP/1.1", b"Host: <x>")),
    "a host beyond ASCII": (400, request(b"GET /healthz HTTP/1.1", b"Host: \xff")),
    "a host with a path": (400, request(b"GET /healthz HTTP/1.1", b"Host: a/b")),
    "a long header": (431, get(b"/v1/payments", b"X-Long: " + b"a" * 9000)),
    "an unknown expectation": (417, post(b"<key>", length(), b"Expect: a-miracle")),
    # Bodies.
    "nothing": (400, post(b"<key>", length(0), body=b"")),
    "null bytes": (400, post(b"<key>", length(3), body=b"\x00\x00\x00")),
    "a large body beside a GET": (413, get(b"/v1/payments", length(LONGEST + 1)) + b"x" * (LONGEST + 1)),
    # Granian passes on neither what is in a trailer nor that there was one, and a bad chunk looks the same.
    "a trailer": (400, post(b"<key>", CHUNKED, body=chunks()[:-2] + b"X-Sum: 1\r\n\r\n")),
}

# Granian refuses these by itself, before the application sees them: the status, no body, and the connection is closed.
NOT_HTTP: dict[str, tuple[int, bytes]] = {
    "a folded key": (400, post(b"Idempotency-Key: K", b" K", length())),
    "a key with a null byte": (400, post(b"Idempotency-Key: a\x00b", length())),
    "two lengths": (400, post(b"<key>", length(), length(3))),
    "two lengths in one header": (400, post(b"<key>", b"Content-Length: 5, 5")),
    "a length below zero": (400, post(b"<key>", length(-1))),
    "a length with a sign": (400, post(b"<key>", b"Content-Length: +5")),
    "a length that is no number": (400, post(b"<key>", b"Content-Length: five")),
    "a length of other digits": (400, post(b"<key>", b"Content-Length: \xb2")),
    "a length of thirty digits": (400, post(b"<key>", b"Content-Length: " + b"9" * 30)),
    "a length of many digits": (400, post(b"<key>", b"Content-Length: " + b"9" * 4000)),
    "gzip": (400, post(b"<key>", b"Transfer-Encoding: gzip")),
    "identity": (400, post(b"<key>", b"Transfer-Encoding: identity", length())),
    "an unknown coding": (400, post(b"<key>", b"Transfer-Encoding: xchunked", body=chunks())),
    "no coding": (400, post(b"<key>", b"Transfer-Encoding:", body=chunks())),
    "chunks in HTTP/1.0": (400, post(b"<key>", CHUNKED, body=chunks()).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "no version": (400, b"GET /healthz\r\n\r\n"),
    "HTTP/2": (400, request(b"GET /healthz HTTP/2.0", HOST)),
    "a greeting of TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "a null byte in the path": (400, get(b"/v1/\x00")),
    "a byte beyond ASCII in the path": (400, get(b"/v1/\xff")),
    "a space in the path": (400, get(b"/v1/pay ments")),
    "a byte beyond ASCII in the query": (400, get(b"/v1/payments?reference=\xff")),
    "many headers": (431, get(b"/v1/payments", *(b"X-%d: a" % number for number in range(200)))),
    "a lot of headers": (431, get(b"/v1/payments", *(b"X-%d: %s" % (n, b"a" * 4000) for n in range(90)))),
    "a null byte in a header": (400, get(b"/v1/payments", b"X: a\x00b")),
    "a space before the colon": (400, get(b"/v1/payments", b"X : a")),
    "no colon": (400, get(b"/v1/payments", b"X")),
    "no name": (400, get(b"/v1/payments", b": a")),
    "a fold": (400, get(b"/v1/payments", b"X: a", b" b")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_http_is_refused_with_a_problem_document_and_changes_nothing(
    shop: Shop, name: str
) -> None:
    status, raw = REFUSED[name]
    before = shop.payments()
    answer = shop.send(raw)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status == PROBLEMS[problem["code"]].status
    assert answer.headers["Request-Id"] == problem["request_id"]
    assert {"type", "title", "detail", "instance", "retryable"} <= set(problem)
    assert shop.payments() == before


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_the_server_can_not_read_is_refused_without_a_document_and_ends_the_connection(
    shop: Shop, name: str
) -> None:
    status, raw = NOT_HTTP[name]
    before = shop.payments()
    answer = shop.send(raw)
    assert (answer.status, answer.body, answer.closed) == (status, b"", True)
    assert shop.payments() == before


def test_the_preface_of_http_2_ends_the_connection_without_an_answer(shop: Shop) -> None:
    with shop.api.connection() as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert connection.recv(1) == b""


FRAMED_WRONGLY = [
    name
    for name in REFUSED
    if name.startswith(("chunks", "a chunk", "gzip", "identity", "a trailer", "a large body beside a GET"))
]


@pytest.mark.parametrize("name", FRAMED_WRONGLY)
def test_where_it_is_not_known_where_a_body_ends_the_connection_is_closed_and_the_answer_says_so(
    shop: Shop, name: str
) -> None:
    answer = shop.send(REFUSED[name][1])
    assert (answer.headers["Connection"], answer.closed) == ("close", True)


@pytest.mark.parametrize("size", [LONGEST - 1, LONGEST, LONGEST + 1])
@pytest.mark.parametrize("way", ["length", "one chunk", "many chunks"])
def test_a_body_of_exactly_the_limit_is_taken_whichever_way_it_comes(shop: Shop, size: int, way: str) -> None:
    body = BODY + b" " * (size - len(BODY))
    if way == "length":
        raw = post(b"<key>", length(size), body=body)
    else:
        raw = post(b"<key>", CHUNKED, body=chunks(body, 1000 if way == "many chunks" else size))
    answer = shop.send(raw)
    if size <= LONGEST:
        assert (answer.status, answer.headers["Connection"]) == (202, None)
    else:
        assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
        assert (answer.headers["Connection"], answer.closed) == ("close", True)


def test_a_gateways_event_and_a_batch_of_exactly_their_limits_are_read_whole(shop: Shop) -> None:
    for way in (lambda body: (length(len(body)), body), lambda body: (CHUNKED, chunks(body, 50_000))):
        header, body = way(b"x" * LONGEST)
        answer = shop.send(request(b"POST /v1/gateways/sandbox_a/webhooks HTTP/1.1", HOST, header, body=body))
        assert (answer.status, answer.json["code"]) == (401, "invalid_webhook")
        header, body = way(b"x" * (LONGEST + 1))
        answer = shop.send(request(b"POST /v1/gateways/sandbox_a/webhooks HTTP/1.1", HOST, header, body=body))
        assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
        ndjson = b"Content-Type: application/x-ndjson"
        for size, status in ((64 * LONGEST, 200), (64 * LONGEST + 1, 413)):
            header, body = way(b"\n" * 900 + b"x" * (size - 900))
            answer = shop.send(
                request(b"POST /v1/payments/batches HTTP/1.1", HOST, b"<auth>", ndjson, header, body=body)
            )
            assert answer.status == status, answer.body


@pytest.mark.parametrize("way", ["length", "chunks"])
def test_a_body_that_is_cut_short_is_refused_also_where_what_came_would_do(shop: Shop, way: str) -> None:
    raw = (
        post(b"<key>", length(len(BODY) + 1), body=BODY)
        if way == "length"
        else post(b"<key>", CHUNKED, body=chunks()[: -len(b"0\r\n\r\n")])
    )
    before = shop.payments()
    answer = shop.send(raw, end=True)
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert shop.payments() == before


TAKEN: dict[str, tuple[int, bytes]] = {
    "a body with a length": (202, post(b"<key>", length())),
    "a body in chunks": (202, post(b"<key>", CHUNKED, body=chunks(size=7))),
    "chunks in capitals": (202, post(b"<key>", b"Transfer-Encoding: Chunked", body=chunks())),
    "a chunk with an extension": (
        202,
        post(b"<key>", CHUNKED, body=b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
    ),
    "HTTP/1.0 without a host": (
        202,
        request(b"POST /v1/payments HTTP/1.0", b"<auth>", JSON, b"<key>", length(), body=BODY),
    ),
    "an empty host": (202, post(b"<key>", length(), host=b"Host:")),
    "a host with a port": (202, post(b"<key>", length(), host=b"Host: api.example:8443")),
    "a host that is an address": (202, post(b"<key>", length(), host=b"Host: [::1]:8000")),
    "100-continue": (202, post(b"<key>", length(), b"Expect: 100-continue")),
    "a key with spaces around it": (202, post(b"Idempotency-Key:   spaced   ", length())),
    "an offer of HTTP/2": (
        200,
        get(
            b"/v1/payments",
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABk",
        ),
    ),
    "a whole URL as the target": (200, get(b"http://api.example/v1/payments")),
    "a body beside a GET": (200, get(b"/v1/payments", length()) + BODY),
    "chunks beside a GET": (200, get(b"/v1/payments", CHUNKED) + chunks()),
    "a path that a header gives": (202, post(b"PATH_INFO: /healthz", b"<key>", length())),
    "a root that a header gives": (202, post(b"SCRIPT_NAME: /x", b"<key>", length())),
    "a long line": (
        200,
        get(b"/v1/payments?reference=" + b"%F0%9F%98%80" * 255 + b"&customer_id=" + b"%F0%9F%98%80" * 255),
    ),
    "several preferences": (
        202,
        post(b"Prefer: handling=lenient", b"Prefer: respond-async", b"<key>", length()),
    ),
}


# Left to the proxy: Granian reads these in one way only, and the application does not see that there is another. After a
# length beside chunks it closes the connection, so that nothing that follows can be taken for a request.
TAKEN |= {
    "the length twice": (202, post(b"<key>", length(), length())),
    "length and chunks": (202, post(b"<key>", length(), CHUNKED, body=chunks())),
    "chunks and length": (202, post(b"<key>", CHUNKED, length(), body=chunks())),
    "a bare line feed": (200, b"GET /healthz HTTP/1.1\nHost: x\n\n"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_http_allows_is_taken(shop: Shop, name: str) -> None:
    status, raw = TAKEN[name]
    answer = shop.send(raw)
    assert answer.status == status, answer.body


def test_a_connection_goes_on_after_a_refusal_that_leaves_nothing_unread(shop: Shop) -> None:
    with shop.api.connection() as connection:
        for raw, status in (
            (post(length()), 400),
            (post(b"<key>", length(3), body=b"{]}"), 400),
            (get(b"/v1/nothing"), 404),
            (post(b"<key>", CHUNKED, body=chunks()), 202),
            (get(b"/v1/payments"), 200),
        ):
            connection.sendall(shop.filled(raw))
            assert read_answer(connection).status == status


def test_head_is_answered_as_get_without_a_body(shop: Shop) -> None:
    for path, status in ((b"/healthz", 200), (b"/v1/payments", 200), (b"/v1/nothing", 404)):
        answer = shop.send(request(b"HEAD " + path + b" HTTP/1.1", HOST, b"<auth>"))
        assert (answer.status, answer.body) == (status, b"")


@pytest.mark.parametrize("name", ["length and chunks", "chunks and length"])
def test_nothing_is_read_after_a_body_with_a_length_and_chunks(shop: Shop, name: str) -> None:
    before = shop.payments()
    answer = shop.send(TAKEN[name][1] + post(b"<key>", length()))
    assert (answer.status, answer.closed, shop.payments()) == (202, True, before + 1)


def test_the_log_tells_of_refused_requests_without_what_they_held(shop: Shop) -> None:
    secret = b"tok_this_is_a_secret"
    shop.send(post(b"<key>", CHUNKED, body=secret + b"\r\n"))
    shop.send(get(b"/v1/payments", b"X-" + secret + b"\x00: a"))
    shop.send(get(b"/" + secret + b"\xff"))
    shop.send(get(b"/" + secret + b"%ff"))
    log = shop.api.log.read_text()
    assert "BodyBroken" in log
    assert secret.decode() not in log
    assert "Traceback" not in log
