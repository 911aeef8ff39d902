"""Reads a batch's body (newline-delimited JSON) into payment commands: each line is accepted or refused by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aegis_api.http.problems import RequestRefused
from aegis_api.http.requests import json_object, validated
from aegis_api.payments.accepting import PAYMENTS_ROUTE, command_of
from aegis_api.payments.checking import shown_to_hooks
from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_api.payments.vaulted import Method, claiming, method_of, vault_tokens
from aegis_worker.domain.accepting import Key
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.text import KEY_RULE, same_key
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.errors import AegisError
from aegis_worker.intake import MOST_AT_ONCE, PaymentCommand
from aegis_worker.intake.validation import Validation
from aegis_worker.routing.eligibility import Candidate
from aegis_worker.vault.vault import Vault

_PAYMENT = PaymentRequestSchema()
# The whitespace that JSON allows around a value, except the line feed, which ends a line.
_BLANK = b" \t\r"
_NO_CARD = {
    "pointer": "/payment_method/card",
    "code": "not_taken",
    "detail": "Post this payment by itself, or take a token for the card first.",
}
_NOT_KEPT = {
    "pointer": "/payment_method/token",
    "code": "not_kept",
    "detail": "This card is for a single payment: post that by itself.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line, numbered from 1 with blank lines counted, as in an editor. `key` is None if none could be read."""

    number: int
    key: str | None
    content: PaymentCommand | AegisError


@dataclass(frozen=True, slots=True)
class _Read:
    """A line that is a JSON object. `given`: what it has for a key; `key`: that in canonical form, if it can be one."""

    number: int
    given: Any
    key: str | None
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Valid:
    """A line whose body the schema takes."""

    number: int
    key: str
    body: dict[str, Any]


def _all_read(body: bytes, longest_line: int) -> list[_Read | Line]:
    """Each line that is not blank, or why it can't be read. Raises RequestRefused if there are none, or too many lines."""
    count = body.count(b"\n") + (not body.endswith(b"\n"))
    if count > MOST_AT_ONCE:
        raise RequestRefused(
            "payload_too_large",
            f"The batch has {count} lines, of which {MOST_AT_ONCE} are taken; nothing was stored.",
        )
    read = [
        _read(number, raw)
        if len(raw) <= longest_line
        else Line(number, None, RequestRefused("payload_too_large", f"Longer than {longest_line} bytes."))
        for number, raw in _raw_lines(body)
    ]
    if not read:
        raise RequestRefused("malformed_json", "The body is empty; a batch has at least one line.")
    return read


def read_lines(
    body: bytes,
    owner: Owner,
    *,
    longest_line: int,
    secret: str,
    gateways: Collection[Candidate],
    vault: Vault | None,
    validation: Validation,
    trail: Trail = NO_TRAIL,
) -> list[Line]:
    """The lines that are not blank. Raises RequestRefused if there are none, or more than 1,000 lines, blank or not, and
    VaultUnavailable where one is paid by a card of the vault that can't be looked at now.
    """
    read = _all_read(body, longest_line)
    known: frozenset[Key] = frozenset()
    if validation.asks:
        known = validation.known([_key(owner, one) for one in read if isinstance(one, _Read) and one.key])
        read = _checked(read, owner, validation, known)
    checked = [_validated(one) if isinstance(one, _Read) else one for one in read]
    valid = [one for one in checked if isinstance(one, _Valid)]
    found = {} if vault is None else vault.find(owner, vault_tokens(one.body for one in valid))
    methods = [method_of(one.body, vault, owner, found) for one in valid]
    commands = [
        command_of(
            owner,
            PAYMENTS_ROUTE,
            one.key,
            one.body,
            secret=secret,
            gateways=gateways,
            method=method,
            trail=trail,
        )
        for one, method in zip(valid, methods, strict=True)
    ]
    if validation.asks:
        commands = validation.judged(commands, known)
    commanded = map(partial(_claimed, vault=vault), valid, commands, methods)
    return [next(commanded) if isinstance(one, _Valid) else one for one in checked]


def _claimed(one: _Valid, command: PaymentCommand, method: Method | None, *, vault: Vault | None) -> Line:
    """The line, whose payment has claimed the card that it is paid by, where it must."""
    if method is not None and method.to_claim is not None and not method.is_kept:
        refused = RequestRefused("validation_failed", "A batch takes cards that are kept.", [_NOT_KEPT])
        return Line(one.number, one.key, refused)
    if vault is not None and method is not None:
        command = claiming(vault, command, method)
    return Line(one.number, one.key, command)


def _raw_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(body.split(b"\n"), 1):
        if stripped := raw.strip(_BLANK):
            yield number, stripped


def _read(number: int, raw: bytes) -> _Read | Line:
    try:
        document = json_object(raw)
    except AegisError as error:
        return Line(number, None, error)
    given = document.pop("idempotency_key", None)
    return _Read(number, given, same_key(given) if isinstance(given, str) else None, document)


def _key(owner: Owner, one: _Read) -> Key:
    return Key(*owner, PAYMENTS_ROUTE, one.key or "")


def _checked(
    lines: Sequence[_Read | Line], owner: Owner, validation: Validation, known: Collection[Key]
) -> list[_Read | Line]:
    """The lines; those that hooks refuse before the schema sees them are refused. None is asked about a known key."""
    asked = [one for one in lines if isinstance(one, _Read) and one.key and _key(owner, one) not in known]
    refusals = validation.of_bodies(owner, [shown_to_hooks(one.document) for one in asked])
    refused = {one.number: error for one, error in zip(asked, refusals, strict=True) if error is not None}
    return [
        Line(one.number, one.key, refused[one.number])
        if isinstance(one, _Read) and one.number in refused
        else one
        for one in lines
    ]


def _validated(one: _Read) -> _Valid | Line:
    try:
        body = validated(one.document, _PAYMENT)
        if one.given is None:
            raise RequestRefused(
                "idempotency_key_missing",
                "Give the line an idempotency_key: new for each payment, the same for each try.",
            )
        if one.key is None:
            fault = {"pointer": "/idempotency_key", "code": "invalid_format", "detail": KEY_RULE}
            raise RequestRefused("idempotency_key_invalid", KEY_RULE, [fault])
        if "card" in body["payment_method"]:
            raise RequestRefused("validation_failed", "A batch takes no card itself.", [_NO_CARD])
        return _Valid(one.number, one.key, body)
    except AegisError as error:
        return Line(one.number, one.key, error)
