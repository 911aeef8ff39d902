"""Translates PayPal's answers to look-ups. Pure.

An order shows at once what was made of it, so what it says about a later step counts. A 404 on an id that PayPal gave us
proves nothing: it may be the wrong account's secret, or an order that was deleted because nobody approved it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import (
    CHARGING_STEPS,
    Approved,
    Lookup,
    Operation,
    Unknown,
    UnknownKind,
)

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another
from ..kit.reading import Unreadable, parsed
from ..requests import StatusQuery
from .answers import Reader
from .objects import Capture, Order, Refund, read_capture, read_order, read_refund, under
from .standing import movements_of, of_capture, of_order, of_refund

Moved = TypeVar("Moved", Capture, Refund)


def found_order(query: StatusQuery, answer: HttpAnswer, reader: Reader) -> Lookup:
    """The operation's outcome by the order that was looked up by its id."""
    try:
        if answer.status != 200:
            return unusable(answer)
        order = read_order(parsed(answer.body))
        stranger = _stranger(query, order, reader)
        result = stranger or of_order(query.operation, order, query.reference, reader.approval_s)
    except Unreadable as problem:
        return unexpected(problem)
    if query.movements and isinstance(result, Approved):
        return replace(result, movements=movements_of(order))
    return result


def found_capture(query: StatusQuery, answer: HttpAnswer, reader: Reader) -> Lookup:
    """The outcome of a capture that was looked up by its own id."""
    return _found_own(query, answer, reader, read_capture, of_capture)


def found_refund(query: StatusQuery, answer: HttpAnswer, reader: Reader) -> Lookup:
    """The outcome of a refund that was looked up by its own id."""
    return _found_own(query, answer, reader, read_refund, of_refund)


def _found_own(
    query: StatusQuery,
    answer: HttpAnswer,
    reader: Reader,
    read: Callable[[Mapping[str, Any]], Moved],
    outcome_of: Callable[[Moved], Lookup],
) -> Lookup:
    try:
        if answer.status != 200:
            return unusable(answer)
        found = read(parsed(answer.body))
    except Unreadable as problem:
        return unexpected(problem)
    if found.id != query.own_ref:
        return about_another(f"it shows {found.id}, asked was about {query.own_ref}")
    return reader.stranger(query.expected, query.operation, found.shown()) or outcome_of(found)


def _stranger(query: StatusQuery, order: Order, reader: Reader) -> Unknown | None:
    """Why the order is another one, or what it shows of the operation is of other money."""
    place = parse_gateway_key(query.reference)
    if query.operation in CHARGING_STEPS:
        return reader.stranger(query.expected, query.operation, order.shown())
    other = reader.other_order(order, query.gateway_ref, "" if place is None else place[0])
    if other is not None:
        return other
    made: Capture | Refund | None = None
    if query.operation is Operation.CAPTURE:
        made = under(query.reference, order.captures)
    elif query.operation is Operation.REFUND:
        made = under(query.reference, order.refunds)
    return None if made is None else reader.stranger(query.expected, query.operation, made.shown())


def unusable(answer: HttpAnswer) -> Unknown:
    """For a look-up that was answered with an error."""
    return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))


def unexpected(problem: Unreadable) -> Unknown:
    """For a look-up whose answer can't be read."""
    return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
