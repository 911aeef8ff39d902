"""Notes what went out and what came back, without secrets and personal data: before anything of it is written anywhere.

One place for all adapters. Only what an adapter's `AllowList` names keeps its value. Of everything else the name is kept,
if it is a plain name, and the value is hidden. A body that can't be read, or is too large, is kept by its size only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import replace

from aegis_worker.domain.exchanges import (
    Exchange,
    LeftOut,
    NoAnswerNoted,
    Noted,
    NotedAnswer,
    NotedRequest,
)
from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.gateways.discretion import is_like_a_card
from aegis_worker.gateways.kit.allow_list import AllowList
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall
from aegis_worker.gateways.kit.reading import Unreadable
from aegis_worker.gateways.kit.xml import parsed_xml
from aegis_worker.observability.redaction import HIDDEN

from .transfers import Result

# Bodies above this are not read, and an exchange that is longer than MOST_TOLD loses its bodies. PostgreSQL takes 12,288:
# why a gateway was asked is added later.
LARGEST_READ, MOST_TOLD = 32_768, 12_256
_MOST_HEADERS, _MOST_FIELDS, _DEEPEST = 40, 200, 16
# Names and values that are kept are words: no address, no sentence, nothing with a control character.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,79}")
_WORD = re.compile(r"[A-Za-z0-9_.:,/+-]{0,200}(?:; ?[A-Za-z-]{1,30}=[A-Za-z0-9_.-]{1,40})?")
# An id of ours or a gateway's, and our keys: no number of a card, because no twelve of its digits stand together.
_ID = re.compile(r"[A-Za-z]{1,10}_(?![A-Za-z0-9]{0,88}?[0-9]{12})[A-Za-z0-9]{1,100}(?:-[a-z][0-9]{1,3})?")
_PATH = re.compile(r"[A-Za-z0-9_.~/-]{0,300}")
_TWELVE_DIGITS = re.compile(r"\A(?:\D*+\d){12}")
_INDEX = re.compile(r"\.\d+(?=\.|\Z)")
# Fewer digits than any card number has.
_SMALL = 10**12
_ENCODER = msgspec.json.Encoder()


class _Allowed(NamedTuple):
    """Whether a field's value is kept, and which of the fields inside of it."""

    is_kept: bool
    below: dict[str, _Allowed]


_NOTHING = _Allowed(False, {})


class Noting:
    """What is kept of the exchanges with gateways of one adapter."""

    def __init__(self, allowed: AllowList) -> None:
        self._headers = allowed.headers
        self._received, self._sent = _tree(allowed.received), _tree(allowed.sent)
        self._sent_fields, self._query = allowed.sent, allowed.query

    def noted(self, call: HttpCall, result: Result, began_s: float, took_ms: float) -> Noted:
        """What is kept of a call that ended with this result. `began_s`, by `time.monotonic`."""
        answer = self._answer(result) if isinstance(result, HttpAnswer) else None
        no_answer = None if isinstance(result, HttpAnswer) else _no_answer(result)
        exchange = Exchange(round(took_ms, 3), self._request(call), answer, no_answer)
        told = _ENCODER.encode(exchange)
        if len(told) > MOST_TOLD:
            told = _ENCODER.encode(_by_size(exchange))
        return Noted(began_s, told.decode())

    def _request(self, call: HttpCall) -> NotedRequest:
        path, _, query = call.path.partition("?")
        body, left_out = self._request_body(call)
        return NotedRequest(
            call.method,
            _shown_path(path),
            self._shown_headers(call.headers),
            len(call.body or b""),
            self._fields(query, self._query) if query else None,
            body,
            left_out,
        )

    def _request_body(self, call: HttpCall) -> tuple[Any, LeftOut | None]:
        if not call.body:
            return None, None
        if call.body[:1] in (b"{", b"[", b"<") or not _is_form(call.headers):
            return _document(call.body, self._sent)
        if len(call.body) > LARGEST_READ:
            return None, "too_large"
        try:
            return self._fields(call.body.decode(), self._sent_fields), None
        except ValueError:
            return None, "unreadable"

    def _answer(self, answer: HttpAnswer) -> NotedAnswer:
        body, left_out = _document(answer.body, self._received) if answer.body else (None, None)
        headers = self._shown_headers(answer.headers)
        return NotedAnswer(answer.status, headers, len(answer.body), body, left_out)

    def _shown_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        kept = self._headers
        return {
            _name(name): _word(value) if name.lower() in kept else HIDDEN
            for name, value in list(headers.items())[:_MOST_HEADERS]
        }

    def _fields(self, form: str, kept: frozenset[str]) -> dict[str, str]:
        """The fields of a form or a query. Raises ValueError for too many."""
        pairs = parse_qsl(form, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        return {_name(name): _word(value) if _as_path(name) in kept else HIDDEN for name, value in pairs}


def _tree(fields: Iterable[str]) -> _Allowed:
    root = _Allowed(False, {})
    for field in fields:
        node = root
        *above, last = field.split(".")
        for name in above:
            node = node.below.setdefault(name, _Allowed(False, {}))
        node.below[last] = _Allowed(True, node.below.get(last, _NOTHING).below or {})
    return root


def _document(body: bytes, allowed: _Allowed) -> tuple[Any, LeftOut | None]:
    """JSON, or XML, which no JSON begins like."""
    if len(body) > LARGEST_READ:
        return None, "too_large"
    read = parsed_xml if body.lstrip()[:1] == b"<" else msgspec.json.decode
    try:
        return _shown(read(body), allowed, _DEEPEST), None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, Unreadable):
        return None, "unreadable"


def _shown(value: Any, allowed: _Allowed, depth: int) -> Any:
    """The value with everything hidden that is not kept. What is absent (null) hides nothing, and stays."""
    kind = type(value)
    if kind is dict:
        return _object(value, allowed.below, depth - 1) if depth else HIDDEN
    if kind is list:
        return [_shown(inner, allowed, depth - 1) for inner in value] if depth else HIDDEN
    if value is None:
        return None
    return _kept(value, kind) if allowed.is_kept else HIDDEN


def _object(fields: dict[str, Any], below: dict[str, _Allowed], depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        allowed, kind = below.get(name), type(value)
        if allowed is None:
            is_nested = kind is dict or kind is list
            hidden = _shown(value, _NOTHING, depth) if is_nested else None if value is None else HIDDEN
            shown[_name(name)] = hidden
        elif allowed.is_kept and kind is str:
            shown[name] = _word(value)
        else:
            shown[name] = _shown(value, allowed, depth)
    return shown


def _kept(value: Any, kind: type) -> Any:
    if kind is str:
        return _word(value)
    is_plain = kind is bool or (kind is int and -_SMALL < value < _SMALL)
    return value if is_plain else HIDDEN


@lru_cache(2048)
def _name(name: str) -> str:
    """A field's name, unless it is more than a name: then somebody wrote a value there."""
    return name if _NAME.fullmatch(name) and _is_no_card(name) else HIDDEN


@lru_cache(2048)
def _as_path(name: str) -> str:
    """`card[networks][0]` as an allow-list writes it: `card.networks`."""
    return _INDEX.sub("", name.replace("]", "").replace("[", ".")).rstrip(".")


def _word(value: str) -> str:
    """A value that is kept, unless it has not the form of a word, or could be the number of a card."""
    if value.isalpha() and value.isascii() and len(value) <= 40:
        return value
    if _ID.fullmatch(value) or (_WORD.fullmatch(value) and _is_no_card(value)):
        return value
    return HIDDEN


def _is_no_card(word: str) -> bool:
    return len(word) < 12 or _TWELVE_DIGITS.match(word) is None or not is_like_a_card(word)


def _shown_path(path: str) -> str:
    """The path, whose parts are names and ids; anything else in it is hidden."""
    if _PATH.fullmatch(path) and _is_no_card(path):
        return path
    parts = path.split("/")
    return "/".join(part if _PATH.fullmatch(part) and _is_no_card(part) else HIDDEN for part in parts)


def _is_form(headers: Mapping[str, str]) -> bool:
    types = (value for name, value in headers.items() if name.lower() == "content-type")
    return "x-www-form-urlencoded" in next(types, "")


def _no_answer(result: NotSent | Unknown) -> NoAnswerNoted:
    """Its reason is in our words, or in those of the system; of bytes that could not be read it may quote some."""
    if isinstance(result, NotSent):
        return NoAnswerNoted("not_sent", result.kind.value, result.reason)
    quotes = result.kind is UnknownKind.UNREADABLE
    return NoAnswerNoted("unknown", result.kind.value, None if quotes else result.reason)


def _by_size(exchange: Exchange) -> Exchange:
    request, answer = exchange.request, exchange.answer
    return replace(
        exchange,
        request=replace(
            request,
            path=request.path[:300],
            query=None,
            headers={},
            body=None,
            left_out=request.left_out or ("too_large" if request.bytes else None),
        ),
        answer=answer
        and replace(
            answer,
            headers={},
            body=None,
            left_out=answer.left_out or ("too_large" if answer.bytes else None),
        ),
    )
