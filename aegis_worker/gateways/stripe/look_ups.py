"""Translates Stripe's answers to look-ups. Pure.

An intent that was created shows at once what became of it, so what it says about a later step counts. A 404 on an id that
Stripe gave us proves nothing: it may be the wrong account's key.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Approved, Lookup, NotFound, Unknown, UnknownKind

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another, mismatch
from ..kit.reading import Unreadable, children, identifier, parsed
from ..requests import StatusQuery
from .answers import Reader
from .objects import IDENTITY, Refund, read_intent, read_refund
from .standing import captures_of, movement_of, of_intent, of_refund


def found_intent(query: StatusQuery, answer: HttpAnswer, reader: Reader) -> Lookup:
    """The operation's outcome by the intent that was looked up by its id."""
    try:
        if answer.status != 200:
            return _unusable(answer)
        intent = read_intent(parsed(answer.body))
    except Unreadable as problem:
        return _unexpected(problem)
    result = of_intent(query.operation, intent, query.reference, reader.publishable_key)
    if isinstance(result, NotFound):
        # It does not show the operation, so it can't show its key either: that it is the intent is enough.
        is_ours = (intent.id, intent.mode) == (query.gateway_ref, reader.mode)
        return result if is_ours else about_another(f"it shows {intent.id}, which is {intent.mode}")
    if query.movements and isinstance(result, Approved):
        is_held = intent.status == "requires_capture"
        result = replace(result, movements=captures_of(intent), still_held=is_held)
    return reader.stranger(query.operation, query.reference, query.expected, intent) or result


def found_refund(query: StatusQuery, answer: HttpAnswer) -> Lookup:
    """The outcome of a refund: the one that was asked for by its id, or, of an intent's, the one that carries our key."""
    try:
        if answer.status != 200:
            return _unusable(answer)
        body = parsed(answer.body)
        if query.own_ref is not None:
            return _of_refund(query, read_refund(body))
        refunds = [read_refund(each) for each in children(body, "data")]
    except Unreadable as problem:
        return _unexpected(problem)
    ours = next((refund for refund in refunds if refund.reference == query.reference), None)
    if ours is not None:
        return _of_refund(query, ours)
    if body.get("has_more") is not False:
        return Unknown("the intent has more refunds than one answer shows", kind=UnknownKind.UNREADABLE)
    others = {refund.intent_id for refund in refunds} - {query.gateway_ref}
    return about_another(f"refunds of {', '.join(sorted(others)[:3])}") if others else NotFound()


def last_id(pages: Sequence[HttpAnswer]) -> str | None:
    """The id after which the next page begins; None for the first page."""
    if not pages:
        return None
    return str(parsed(pages[-1].body)["data"][-1]["id"])


def has_more(page: HttpAnswer) -> bool:
    """Whether the list goes on after this page. Where the page is no list, `with_refunds` says so."""
    try:
        body = parsed(page.body) if page.status == 200 else {}
        return body.get("has_more") is True and bool(identifier(children(body, "data")[-1], "id"))
    except (Unreadable, IndexError):
        return False


def with_refunds(query: StatusQuery, found: Approved, pages: Sequence[HttpAnswer]) -> Lookup:
    """The charge with the refunds in these pages among its movements. Unknown where they are not all of them."""
    movements = list(found.movements or ())
    try:
        for page in pages:
            if page.status != 200:
                return _unusable(page)
            refunds = [read_refund(each) for each in children(parsed(page.body), "data")]
            others = {refund.intent_id for refund in refunds} - {query.gateway_ref}
            if others:
                return about_another(f"refunds of {', '.join(sorted(others)[:3])}")
            movements += [movement_of(refund) for refund in refunds]
        if parsed(pages[-1].body).get("has_more") is not False:
            return Unknown("the intent has more refunds than are read", kind=UnknownKind.UNREADABLE)
    except Unreadable as problem:
        return _unexpected(problem)
    return replace(found, movements=tuple(movements))


def _of_refund(query: StatusQuery, refund: Refund) -> Lookup:
    stranger = mismatch(IDENTITY.look_ups[query.operation], query.expected, refund.shown())
    if query.own_ref not in (None, refund.id):
        return about_another(f"it shows {refund.id}, asked was about {query.own_ref}")
    return stranger or of_refund(refund)


def _unusable(answer: HttpAnswer) -> Unknown:
    return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))


def _unexpected(problem: Unreadable) -> Unknown:
    return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
