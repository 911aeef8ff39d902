"""Translates Braintree's answers to look-ups. Pure.

A transaction that is asked for by its id shows at once what became of it. A search may lag behind; what it does not find is
believed to be absent after the absence window, and a charge never, because Braintree has no keys that would stop a lost
call from arriving after all. A 404 on an id that Braintree gave us proves nothing: it may be the wrong merchant's key.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Approved, Declined, Lookup, NotFound, Operation, Unknown, UnknownKind

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another
from ..kit.reading import Unreadable, child, children
from ..kit.xml import parsed_xml
from ..requests import StatusQuery
from .answers import Reader
from .objects import Transaction, ids, read_transaction, transaction_in
from .standing import Standing, movements_of, of_capture, of_charge, of_refund, of_void, of_whole_refund

# A page of Braintree's search. A payment has at most a few.
_MOST = 50


def found_by_id(id_: str | None, answer: HttpAnswer, reader: Reader) -> Transaction | Unknown:
    """The transaction that was asked for by its id."""
    if answer.status != 200:
        return unusable(answer)
    try:
        found = transaction_in(parsed_xml(answer.body), reader.holder)
    except Unreadable as problem:
        return unexpected(problem)
    return found if found.id == id_ else about_another(f"it shows {found.id}, asked was about {id_}")


def found_ids(answer: HttpAnswer) -> tuple[str, ...] | Unknown:
    """The ids that a search has found; Braintree answers without any list where it took too long."""
    if answer.status != 200:
        return unusable(answer)
    try:
        results = child(parsed_xml(answer.body), "search-results")
        if results.get("ids") is None:
            return Unknown("the search names no ids", kind=UnknownKind.UNREADABLE)
        listed = ids(results, "ids")
    except Unreadable as problem:
        return unexpected(problem)
    if len(listed) > _MOST:
        return Unknown("the search has found more than it may", kind=UnknownKind.UNREADABLE)
    return listed


def found_transactions(
    asked: Sequence[str], answer: HttpAnswer, reader: Reader
) -> tuple[Transaction, ...] | Unknown:
    """The transactions that were asked for by these ids, all of them and no other."""
    if answer.status != 200:
        return unusable(answer)
    try:
        listed = children(parsed_xml(answer.body), "credit-card-transactions")
        found = tuple(read_transaction(each, reader.holder) for each in listed)
    except Unreadable as problem:
        return unexpected(problem)
    if sorted(one.id for one in found) != sorted(asked):
        return about_another("the list has other transactions than were asked for")
    return found


def of_sale(query: StatusQuery, sale: Transaction, refunds: Sequence[Transaction], reader: Reader) -> Lookup:
    """The outcome of a charge, a capture or a void, by the sale that shows it and the refunds of that one."""
    if any(refund.sale_id != sale.id for refund in refunds):
        return about_another("refunds of another sale")
    if query.operation is Operation.CAPTURE:
        result = of_capture(sale, query.reference, query.amount)
    elif query.operation is Operation.VOID:
        result = of_void(sale)
    else:
        result = of_charge(sale, refunds, captures=query.capture)
    # It does not show an operation that has not happened, so it can't show its key: that it is the sale is enough.
    operation = Operation.VOID if isinstance(result, NotFound) else query.operation
    other = reader.stranger(query.expected, operation, sale, query.reference)
    if other is None and query.movements and isinstance(result, Approved):
        result = replace(result, movements=movements_of(sale, refunds, was_held=not query.capture))
    return other or result


def of_found_refund(query: StatusQuery, refund: Transaction, reader: Reader) -> Lookup:
    """The outcome of the refund that was asked for, by its own id or by our key."""
    other = reader.stranger(query.expected, query.operation, refund, query.reference)
    return other or of_refund(refund)


def of_voided_sale(query: StatusQuery, sale: Transaction, reader: Reader) -> Lookup:
    """The outcome of a refund that may have been made by voiding the whole sale. `NotFound` if it was not."""
    other = reader.stranger(query.expected, Operation.VOID, sale, query.reference)
    minor = query.amount.minor if query.amount is not None else sale.captured_minor
    return other or of_whole_refund(sale, minor) or NotFound()


def chosen(query: StatusQuery, found: Sequence[Transaction]) -> Transaction | Unknown:
    """Of the sales with our reference, or the refunds, the one that counts.

    What was declined, or called a duplicate, counts where there is no other.

    A refund that was made at Braintree repeats the reference of its sale, and is none of ours.
    """
    kind = "credit" if query.operation is Operation.REFUND else "sale"
    of_ours = [one for one in found if one.type == kind and one.order_id == query.reference]
    if not of_ours:
        return about_another("transactions with another reference")
    outcomes = {one.id: _outcome(query, one) for one in of_ours}
    standing = [one for one in of_ours if not isinstance(outcomes[one.id], Declined | Unknown)]
    if len(standing) > 1:
        return Unknown(f"{len(standing)} {kind}s carry {query.reference}", kind=UnknownKind.UNREADABLE)
    doubt = next((said for said in outcomes.values() if isinstance(said, Unknown)), None)
    return standing[0] if standing else doubt or of_ours[-1]


def _outcome(query: StatusQuery, one: Transaction) -> Standing:
    return of_refund(one) if one.type == "credit" else of_charge(one, (), captures=query.capture)


def unusable(answer: HttpAnswer) -> Unknown:
    """For an HTTP status that no found transaction has."""
    return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))


def unexpected(problem: Unreadable) -> Unknown:
    """For a body that can't be read."""
    return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
