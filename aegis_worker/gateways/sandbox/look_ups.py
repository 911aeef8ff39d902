"""Translates the sandbox gateway's answers to look-ups. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.outcomes import (
    Approved,
    Lookup,
    NotFound,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.twins import of_several

from ..kit.flows import HttpAnswer
from ..kit.identity import EVERYTHING, Shown, about_another, mismatch
from ..kit.reading import Unreadable, child, children, identifier, parsed
from ..requests import StatusQuery
from .codes import declined
from .payment import IDENTITY, NOT_YET, SandboxPayment, read_payment
from .standing import after_confirm, by_status

# A payment, looked up by its id, that has not reached the step asked about does not show the step's reference yet.
_BEFORE_THE_STEP = replace(EVERYTHING, reference=False)


def found_by_id(query: StatusQuery, answer: HttpAnswer) -> Lookup:
    """The operation's outcome by the payment that was looked up by its id."""
    found = _found_or_not(query, answer)
    if not isinstance(found, dict):
        return found
    try:
        payment = read_payment(found)
    except Unreadable as problem:
        return _unexpected(problem)
    return _about(query, payment)


def found_by_reference(query: StatusQuery, answer: HttpAnswer) -> Lookup:
    """The operation's outcome by the payments listed under our reference. Of ours the one that got furthest counts, with
    the others as its twins.
    """
    found = _found_or_not(query, answer)
    return _among(query, found) if isinstance(found, dict) else found


def _found_or_not(query: StatusQuery, answer: HttpAnswer) -> dict[str, Any] | Unknown | NotFound:
    """The body of an answer to a look-up. `NotFound` only if the answer says which payment does not exist."""
    kind = UnknownKind.of_status(answer.status)
    try:
        body = parsed(answer.body)
        if answer.status == 200:
            return body
        if answer.status == 404 and child(body, "error").get("code") == "not_found":
            absent = Shown(query.expected.references, identifier(body, "payment_id"))
            return mismatch(IDENTITY.absences, query.expected, absent) or NotFound()
    except Unreadable as problem:
        return Unknown(f"look-up answered HTTP {answer.status}: {problem}", kind=kind)
    return Unknown(f"look-up answered HTTP {answer.status}", kind=kind)


def _among(query: StatusQuery, body: Mapping[str, Any]) -> Lookup:
    """The outcome by a list. One with only others' payments was not filtered: it proves nothing, not even absence."""
    try:
        asked = Shown({identifier(body, "reference")})
        payments = [read_payment(each) for each in children(body, "data")]
    except Unreadable as problem:
        return _unexpected(problem)
    stranger = mismatch(IDENTITY.absences, query.expected, asked)
    if stranger is not None:
        return stranger
    ours = [payment for payment in payments if not query.expected.references.isdisjoint(payment.references)]
    if payments and not ours:
        return about_another(f"{len(payments)} payments of others, and none under {query.reference}")
    return of_several([_about(query, payment) for payment in ours])


def _unexpected(problem: Unreadable) -> Unknown:
    return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)


def _about(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    if query.operation is Operation.CONFIRM:
        return _of_confirm(query, payment)
    return _of_charge(query, payment) if query.operation in NOT_YET else _of_later_step(query, payment)


def _of_charge(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    is_before = query.gateway_ref is not None and payment.status in NOT_YET[query.operation]
    carries = _BEFORE_THE_STEP if is_before else IDENTITY.look_ups[query.operation]
    shown = replace(payment.shown(), references=()) if is_before else payment.shown()
    stranger = mismatch(carries, query.expected, shown)
    if stranger is not None:
        return stranger
    found = by_status(query.operation, payment)
    if not query.movements or not isinstance(found, Approved):
        return found
    return replace(found, movements=payment.movements, still_held=payment.status == "authorized")


def _of_confirm(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    """While the payer is waited for, only what was done under the confirm's key counts; later, how the payment stands."""
    done = payment.done(query.operation, query.reference)
    if done is None and payment.status == "requires_action":
        is_asked_about = query.gateway_ref in (None, payment.id)
        return NotFound() if is_asked_about else about_another(f"it shows {payment.id}")
    carries = _BEFORE_THE_STEP if done is None else IDENTITY.look_ups[query.operation]
    shown = payment.shown(done) if done is not None else replace(payment.shown(), references=())
    stranger = mismatch(carries, query.expected, shown)
    return after_confirm(payment) if stranger is None else stranger


def _of_later_step(query: StatusQuery, payment: SandboxPayment) -> Lookup:
    done = payment.done(query.operation, query.reference)
    if done is None:
        if query.gateway_ref in (None, payment.id):
            return NotFound()
        return about_another(f"it shows {payment.id}, asked was about {query.gateway_ref}")
    stranger = mismatch(IDENTITY.look_ups[query.operation], query.expected, payment.shown(done))
    if stranger is not None:
        return stranger
    if done.error_code:
        return declined(done.error_code, "", payment.id)
    if done.status == "pending":
        return Pending(payment.id)
    return Approved(payment.id, captured=query.operation not in (Operation.VOID, Operation.CLOSE))
