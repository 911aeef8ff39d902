"""Ways in which a gateway's answer may be malformed: on the wire, in its head, in its body, or about something else."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

from support.malforming_proxy import Form, Honest, Wire

Change = Callable[[dict[str, Any]], object]


def interim(*statuses: str, times: int = 1) -> Form:
    """These interim answers before the answer."""
    heads = "".join(f"HTTP/1.1 {status}\r\n\r\n" for status in statuses).encode()
    return lambda answer, wire: wire.send(times * heads + answer.raw())


def interim_first(status: str, after_s: float) -> Form:
    """This interim answer, and the answer a moment later."""

    def form(answer: Honest, wire: Wire) -> None:
        wire.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        wire.wait(after_s)
        wire.send(answer.raw())

    return form


def again(after_s: float, times: int = 1) -> Form:
    """The answer, and then the same answer again."""

    def form(answer: Honest, wire: Wire) -> None:
        for _ in range(times + 1):
            wire.send(answer.raw())
            wire.wait(after_s)

    return form


def sent(make: Callable[[Honest], bytes], *, end: bool = False, reset: bool = False) -> Form:
    """These bytes in place of the answer. Then the connection stays open, or ends."""

    def form(answer: Honest, wire: Wire) -> None:
        wire.send(make(answer))
        if end or reset:
            wire.end(reset=reset)

    return form


def dripped(begin: Callable[[Honest], bytes], drop: bytes, every_s: float = 0.05) -> Form:
    """These bytes, and then `drop` again and again without an end."""

    def form(answer: Honest, wire: Wire) -> None:
        wire.send(begin(answer))
        wire.repeat(drop, every_s)
        wire.end()

    return form


def body(make: Callable[[Honest], bytes]) -> Form:
    """Another body under the same head."""
    return sent(lambda answer: answer.raw(make(answer)))


def text(old: str, new: str) -> Form:
    """The body with every occurrence of a piece of text replaced."""
    return body(lambda answer: _compact(answer).replace(old.encode(), new.encode()))


def payment(change: Change) -> Form:
    """The body with every payment in it changed."""

    def changed(answer: Honest) -> bytes:
        value = answer.json
        for each in _payments(value):
            change(each)
        return json.dumps(value).encode()

    return body(changed)


def twice(name: str, also: object, *, first: bool) -> Form:
    """A key that stands twice in the payment, with another value before or after its own."""

    def doubled(answer: Honest) -> bytes:
        value = answer.json
        for each in _payments(value):
            own = each.pop(name)
            each["FIRST"], each["LAST"] = (also, own) if first else (own, also)
        return json.dumps(value).replace('"FIRST"', f'"{name}"').replace('"LAST"', f'"{name}"').encode()

    return body(doubled)


def _compact(answer: Honest) -> bytes:
    return json.dumps(answer.json, separators=(",", ":")).encode()


def _payments(value: Any) -> list[dict[str, Any]]:
    """Every object that looks like a payment."""
    if isinstance(value, list):
        return [found for each in value for found in _payments(each)]
    if not isinstance(value, dict):
        return []
    own = [value] if {"amount", "currency", "status"} <= value.keys() else []
    return own + [found for each in value.values() for found in _payments(each)]


def _chunked(answer: Honest, *pieces: bytes) -> bytes:
    return answer.head("Transfer-Encoding: chunked") + b"".join(pieces)


def _size(data: bytes) -> bytes:
    return f"{len(data):x}".encode()


def _nested(answer: Honest) -> bytes:
    return b'{"a":' + 100_000 * b"[" + 100_000 * b"]" + b"," + answer.body.lstrip()[1:]


def _silence(answer: Honest, wire: Wire) -> None:
    wire.wait(3)
    wire.end()


def _endless_interim(answer: Honest, wire: Wire) -> None:
    for _ in range(200):
        wire.send(100 * b"HTTP/1.1 103 Early Hints\r\n\r\n")
    wire.send(answer.raw())


def _dripped_whole(answer: Honest, wire: Wire) -> None:
    wire.drip(answer.raw())


OTHERS_PLACE: dict[str, Form] = {
    "100": interim("100 Continue"),
    "102": interim("102 Processing"),
    "103": interim("103 Early Hints\r\nLink: </a.css>; rel=preload"),
    "199": interim("199 Odd"),
    "103 with a length": interim("103 Early Hints\r\nContent-Length: 2"),
    "100, and later the answer": interim_first("100 Continue", 0.05),
    "103, and later the answer": interim_first("103 Early Hints", 0.05),
    "103, and much later the answer": interim_first("103 Early Hints", 0.3),
    "each of 1xx": interim("100 Continue", "102 Processing", "103 Early Hints"),
    "many 103": interim("103 Early Hints", times=30),
    "endless 103": _endless_interim,
    "101": sent(
        lambda answer: (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + answer.raw()
        )
    ),
    "repeated at once": sent(lambda answer: 2 * answer.raw()),
    "repeated a moment later": again(0.03),
    "repeated later, and again": again(0.15, times=2),
    "half of it repeated": sent(lambda answer: answer.raw() + answer.raw()[:40]),
    "behind an empty line": sent(lambda answer: answer.raw() + b"\r\n"),
    "behind a 408": sent(lambda answer: answer.raw() + b"HTTP/1.1 408 Too Late\r\nContent-Length: 0\r\n\r\n"),
    "the answer before it": body(lambda answer: answer.before),
    "the answer before it, and its own": sent(lambda answer: answer.raw(answer.before) + answer.raw()),
    "another payment": body(lambda answer: answer.stranger),
    "another payment too": body(
        lambda answer: json.dumps({**answer.json, "data": [json.loads(answer.stranger)]}).encode()
    ),
}

DRIPPING: dict[str, Form] = {
    "silence": _silence,
    "dripping as a whole": _dripped_whole,
    "dripping status": dripped(lambda answer: b"HTTP/1.1 200", b" "),
    "dripping header": dripped(lambda answer: answer.head()[:-2] + b"X: ", b"x"),
    "dripping headers": dripped(lambda answer: answer.head()[:-2], b"X: y\r\n"),
    "dripping 100s": dripped(lambda answer: b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping body": dripped(lambda answer: answer.head("Content-Length: 100000"), b" "),
    "dripping chunks": dripped(lambda answer: _chunked(answer), b"1\r\n \r\n"),
    "dripping chunk size": dripped(lambda answer: _chunked(answer), b"0"),
    "dripping trailers": dripped(
        lambda answer: _chunked(answer, _size(answer.body), b"\r\n", answer.body, b"\r\n0\r\n"), b"X: y\r\n"
    ),
}

MALFORMED: dict[str, Form] = {
    "closed": sent(lambda answer: b"", end=True),
    "reset": sent(lambda answer: b"", reset=True),
    "status line cut short": sent(lambda answer: b"HTTP/1.1 20", end=True),
    "head cut short": sent(lambda answer: answer.head()[:-4], end=True),
    "body cut short": sent(lambda answer: answer.raw()[:-20], end=True),
    "body cut short, without a length": sent(lambda answer: answer.head() + answer.body[:-20], end=True),
    "length too short": sent(lambda answer: answer.head("Content-Length: 10") + answer.body),
    "length too long": sent(lambda answer: answer.head("Content-Length: 99999") + answer.body, end=True),
    "two lengths": sent(lambda answer: answer.raw(None, "Content-Length: 2")),
    "negative length": sent(lambda answer: answer.head("Content-Length: -1") + answer.body, end=True),
    "a length and chunks": sent(
        lambda answer: answer.raw(
            _size(answer.body) + b"\r\n" + answer.body + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
        )
    ),
    "chunks of no size": sent(lambda answer: _chunked(answer, b"zz\r\n", answer.body, b"\r\n0\r\n\r\n")),
    "chunks of a signed size": sent(
        lambda answer: _chunked(answer, b"+" + _size(answer.body) + b"\r\n", answer.body, b"\r\n0\r\n\r\n")
    ),
    "chunks without an end": sent(
        lambda answer: _chunked(answer, _size(answer.body) + b"\r\n", answer.body, b"\r\n"), end=True
    ),
    "an unknown transfer coding": sent(
        lambda answer: answer.head("Transfer-Encoding: gzip") + answer.body, end=True
    ),
    "huge header": sent(lambda answer: answer.raw(None, "X: " + 300_000 * "x")),
    "many headers": sent(lambda answer: answer.raw(None, *(60_000 * ["X: y"]))),
    "a header without a colon": sent(
        lambda answer: b"HTTP/1.1 200 OK\r\nX\r\n" + answer.raw().partition(b"\r\n")[2]
    ),
    "huge body": body(lambda answer: answer.body + (8 << 20) * b" "),
    "endless body": dripped(lambda answer: answer.head() + answer.body, 65_536 * b" ", every_s=0.0),
    "a gzip bomb": sent(
        lambda answer: answer.raw(gzip.compress((64 << 20) * b" "), "Content-Encoding: gzip")
    ),
    "gzip": sent(lambda answer: answer.raw(gzip.compress(answer.body), "Content-Encoding: gzip")),
    "deflate": sent(lambda answer: answer.raw(zlib.compress(answer.body), "Content-Encoding: deflate")),
    "gzip that is none": sent(lambda answer: answer.raw(None, "Content-Encoding: gzip")),
    "HTTP/0.9": sent(lambda answer: answer.body, end=True),
    "HTTP/2": sent(lambda answer: answer.raw().replace(b"HTTP/1.1", b"HTTP/2.0", 1)),
    "no HTTP": sent(lambda answer: b"SSH-2.0-OpenSSH_9.9\r\n", end=True),
    "a status of four digits": sent(lambda answer: answer.raw(status=2000)),
    "200 in place of its status": sent(lambda answer: answer.raw(status=200)),
    "201 in place of its status": sent(lambda answer: answer.raw(status=201)),
    "204": sent(lambda answer: answer.head(status=204)),
    "204 with a body": sent(lambda answer: answer.raw(status=204)),
    "302": sent(lambda answer: answer.raw(b"", "Location: /healthz", status=302)),
    "304": sent(lambda answer: answer.head(status=304)),
    "400 of a proxy": sent(lambda answer: answer.raw(b"<h1>Bad Request</h1>", status=400)),
    "402 with the gateway's body": sent(lambda answer: answer.raw(status=402)),
    "404 of a proxy": sent(lambda answer: answer.raw(b"<h1>Not Found</h1>", status=404)),
    "418": sent(lambda answer: answer.raw(status=418)),
    "500 with the gateway's body": sent(lambda answer: answer.raw(status=500)),
    "502 of a proxy": sent(lambda answer: answer.raw(b"<h1>Bad Gateway</h1>", status=502)),
    "999": sent(lambda answer: answer.raw(status=999)),
    "HTML": body(lambda answer: b"<!doctype html><p>Please log in"),
    "nothing": body(lambda answer: b""),
    "an empty object": body(lambda answer: b"{}"),
    "null": body(lambda answer: b"null"),
    "an array": body(lambda answer: b"[" + answer.body + b"]"),
    "an array of nothing": body(lambda answer: b"[]"),
    "a string": body(lambda answer: json.dumps(answer.body.decode()).encode()),
    "two objects": body(lambda answer: answer.body + answer.body),
    "an object and more": body(lambda answer: answer.body + b" x"),
    "no quotes": body(lambda answer: answer.body.replace(b'"', b"'")),
    "invalid UTF-8": body(lambda answer: answer.body.rstrip()[:-1] + b',"note":"\xff\xfe"}'),
    "UTF-16": body(lambda answer: answer.body.decode().encode("utf-16")),
    "a byte order mark": body(lambda answer: b"\xef\xbb\xbf" + answer.body),
    "deep nesting": body(_nested),
    "NaN": text('"amount":1999', '"amount":NaN'),
    "Infinity": text('"amount":1999', '"amount":Infinity'),
    "a number of 5,000 digits": text('"amount":1999', '"amount":' + 5_000 * "9"),
    "a number as a string": payment(lambda one: one.update(amount=str(one["amount"]))),
    "a number with a point": payment(lambda one: one.update(amount=float(one["amount"]))),
    "a number as true": payment(lambda one: one.update(amount=True)),
    "no amount": payment(lambda one: one.pop("amount")),
    "another amount": payment(lambda one: one.update(amount=one["amount"] * 100)),
    "no currency": payment(lambda one: one.update(currency=None)),
    "another currency": payment(lambda one: one.update(currency="JPY")),
    "currency in lower case": payment(lambda one: one.update(currency=one["currency"].lower())),
    "no reference": payment(lambda one: one.pop("reference")),
    "another reference": payment(lambda one: one.update(reference="of-nobody")),
    "reference as a list": payment(lambda one: one.update(reference=[one["reference"]])),
    "no id": payment(lambda one: one.pop("id")),
    "id as a number": payment(lambda one: one.update(id=17)),
    "id of 10,000 characters": payment(lambda one: one.update(id=10_000 * "x")),
    "no status": payment(lambda one: one.pop("status")),
    "null status": payment(lambda one: one.update(status=None)),
    "unknown status": payment(lambda one: one.update(status="charged_back_maybe")),
    "status in upper case": payment(lambda one: one.update(status=one["status"].upper())),
    "status as an object": payment(lambda one: one.update(status={"succeeded": True})),
    "status twice, its own last": twice("status", "failed", first=True),
    "status twice, its own first": twice("status", "failed", first=False),
    "amount twice": twice("amount", 1, first=True),
    "id twice": twice("id", "pay_of_another", first=True),
    "reference twice": twice("reference", "of-nobody", first=True),
}

FORMS: dict[str, Form] = {**OTHERS_PLACE, **DRIPPING, **MALFORMED}
