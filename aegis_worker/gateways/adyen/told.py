"""What became of an operation, by what Adyen has told: beside an answer nothing else is known (design D14). Pure.

Each counts for exactly the operation, the amount and the account that it names. Why something was refused is not signed, so
a refusal that only a notification tells of is a generic decline. A success that was told later than a failure does not undo
it: notifications come in any order, and a change that has failed late was told of as a success before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import keys_of_same_hop, ordered_in
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Declined,
    Lookup,
    Movement,
    Operation,
    Unknown,
    UnknownKind,
)

from ..kit.identity import Expected, Shown, mismatch, other_money
from ..requests import StatusQuery
from .charges import is_our_own
from .disputes import DISPUTE_STATUSES
from .items import Item, items_of
from .objects import IDENTITY

# The event that tells what became of a change, and those that tell that it failed after its success.
_ENDS = {
    Operation.CAPTURE: ("CAPTURE", frozenset({"CAPTURE_FAILED"})),
    Operation.REFUND: ("REFUND", frozenset({"REFUND_FAILED", "REFUNDED_REVERSED"})),
    Operation.VOID: ("CANCELLATION", frozenset[str]()),
}
_RELEASED = frozenset({"CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"})
# Gives all of a payment back, whether it is captured or not. Which of the two it did is not signed.
_REVERSED = "CANCEL_OR_REFUND"
# What Adyen does with authorised payments only.
_OF_AUTHORISED = _RELEASED | {
    "CAPTURE",
    "CAPTURE_FAILED",
    "REFUND",
    "REFUND_FAILED",
    "REFUNDED_REVERSED",
    _REVERSED,
}
_NOTHING_TOLD = Unknown("Adyen can't be asked, and has told nothing of it", kind=UnknownKind.NO_LOOK_UP)


class Change(Struct, frozen=True):
    """A capture, cancel or refund, by all that was told of it. `failed`: the event that told of its failure, if any."""

    psp: str
    reference: str | None
    amount: Money
    failed: str

    @property
    def minor(self) -> int:
        """What it moved, in ISO's minor units; 0 if it failed."""
        return 0 if self.failed else self.amount.minor


def found(query: StatusQuery, told: Sequence[Told]) -> Lookup:
    """The outcome of an operation; Unknown of the kind NO_LOOK_UP where nothing was told of it, which proves nothing."""
    items = items_of(told)
    if query.operation in _ENDS:
        return _of_change(query, changes(query.operation, items))
    return _of_charge(query, items)


def changes(operation: Operation, items: Sequence[Item]) -> list[Change]:
    """All changes of a kind that were told of, whoever asked for them, in the order in which they were told first."""
    ends, undone = _ENDS[operation]
    ended = {ends, "TECHNICAL_CANCEL"} if operation is Operation.VOID else {ends}
    by_psp: dict[str, Change] = {}
    for item in items:
        if item.code not in ended | undone:
            continue
        failed = item.code if item.code in undone or not item.success else ""
        before = by_psp.get(item.psp)
        failed = (before.failed if before is not None else "") or failed
        by_psp[item.psp] = Change(item.psp, item.reference, item.amount, failed)
    return list(by_psp.values())


def _of_change(query: StatusQuery, told: Sequence[Change]) -> Lookup:
    """By Adyen's reference of the change, else by ours."""
    ours = next((one for one in told if _is_asked_about(query, one)), None)
    if ours is None:
        return _NOTHING_TOLD
    if query.operation is not Operation.VOID:
        stranger = _other_money(query, ours.amount)
        if stranger is not None:
            return stranger
    if ours.failed:
        return Declined("generic_decline", ours.failed, "Adyen could not carry it out", ours.psp)
    return Approved(ours.psp, captured=query.operation is not Operation.VOID)


def _is_asked_about(query: StatusQuery, change: Change) -> bool:
    if query.own_ref is not None:
        return change.psp == query.own_ref
    return change.reference == query.reference


def _of_charge(query: StatusQuery, items: Sequence[Item]) -> Lookup:
    """A confirm is told of as its charge. A success counts whatever else is told, because events come in any order."""
    ours = [item for item in items if item.code == "AUTHORISATION" and _is_of_charge(query, item)]
    approved = {
        item.payment_ref: item.amount for item in ours if item.success and item.payment_ref is not None
    }
    if not approved and query.amount is not None and (known := _known_by_what_followed(query, items)):
        # The event of the charge itself may be lost. Its answer showed the money.
        approved = {known: query.amount}
    if approved:
        return _of_approved(query, approved, items)
    if ours:
        return Declined("generic_decline", "AUTHORISATION", "Adyen refused it", ours[-1].payment_ref)
    closed = next(
        (item for item in items if item.code == "OFFER_CLOSED" and _is_of_charge(query, item)), None
    )
    if closed is not None:
        return Declined(
            "authentication_expired", closed.code, "the payer did not come back", closed.payment_ref
        )
    return _NOTHING_TOLD


def _known_by_what_followed(query: StatusQuery, items: Sequence[Item]) -> str | None:
    """Adyen's reference of the charge, if it is known to us and something was told that is done with charges only."""
    ref = query.gateway_ref
    followed = any(item.payment_ref == ref and item.code in _OF_AUTHORISED and item.success for item in items)
    return ref if followed else None


def _of_approved(query: StatusQuery, approved: Mapping[str, Money], items: Sequence[Item]) -> Lookup:
    """One charge as it stands now. If a second was made under the same reference, a person has to see it."""
    own = next((ref for ref in approved if ref == query.gateway_ref), next(iter(approved)))
    stranger = _other_money(query, approved[own])
    if stranger is not None:
        return stranger
    standing = {ref: _standing(query, ref, amount, items) for ref, amount in approved.items()}
    too_many = [
        approved[ref].minor
        for ref, found in standing.items()
        if ref != own and isinstance(found, Approved) and not found.given_back
    ]
    if too_many and query.amount is not None:
        shows = (
            f"{approved[own].minor + sum(too_many)} {query.amount.currency} in {1 + len(too_many)} charges"
        )
        return other_money(shows, query.amount)
    return standing[own]


def _is_of_charge(query: StatusQuery, item: Item) -> bool:
    known = query.gateway_ref
    if known is not None and not is_our_own(known) and item.payment_ref == known:
        return True
    if query.operation is not Operation.CONFIRM:
        return item.reference in keys_of_same_hop(query.reference)
    # Its own key does not say of which charge it is, but what is known of the charge does.
    return known is not None and is_our_own(known) and item.reference in keys_of_same_hop(known)


def _standing(query: StatusQuery, ref: str, amount: Money, items: Sequence[Item]) -> Approved | Declined:
    """An authorised charge, with what was done to it since."""
    of_it = [item for item in items if item.payment_ref == ref or _names_no_payment_but(query, item)]
    captures, refunds = changes(Operation.CAPTURE, of_it), changes(Operation.REFUND, of_it)
    captured = sum(one.minor for one in captures)
    released = next((item.code for item in of_it if item.code in _RELEASED and item.success), "")
    if query.capture:
        # Captured with the charge: only what has failed since is told, and that it was released instead.
        captured = 0 if released else amount.minor - sum(one.amount.minor for one in captures if one.failed)
    for item in of_it:
        if item.code != _REVERSED or not item.success:
            continue
        rest = captured - sum(one.minor for one in refunds)
        if captured and rest > 0:
            refunds.append(Change(item.psp, item.reference, Money(rest, amount.currency), ""))
        released = released or ("" if captured else item.code)
    if released and not captured:
        code = "authorization_expired" if released == "EXPIRE" else "generic_decline"
        return Declined(code, released, "released at Adyen", ref, released=True)
    moved = [] if query.capture else [_movement(Operation.CAPTURE, one) for one in captures]
    moved += [_movement(Operation.REFUND, one) for one in refunds]
    return Approved(
        ref,
        query.capture or captured > 0,
        captured,
        sum(one.minor for one in refunds),
        tuple(moved) if query.movements else None,
        still_held=False if released else None,
        disputed=any(item.code in DISPUTE_STATUSES for item in of_it),
    )


def _names_no_payment_but(query: StatusQuery, item: Item) -> bool:
    """Whether a hold's end names its charge by our reference alone: Adyen's own example of an EXPIRE names no other."""
    return item.code == "EXPIRE" and item.payment_ref == item.psp and _is_of_charge(query, item)


def _movement(operation: Operation, change: Change) -> Movement:
    """The reference counts where it is that of an order of ours: Adyen shows the payment's where a change has none."""
    reference = change.reference if ordered_in(change.reference or "") is not None else None
    status: Literal["succeeded", "failed"] = "failed" if change.failed else "succeeded"
    return Movement(operation, change.amount.minor, status, reference, change.psp, change.failed)


def _other_money(query: StatusQuery, amount: Money) -> Unknown | None:
    """Why what was told is about other money than what was asked about. None if it is not."""
    expected = Expected(frozenset({query.reference}), None, query.amount)
    shown = Shown({query.reference}, None, amount.minor, amount.currency)
    return mismatch(IDENTITY.look_ups[query.operation], expected, shown)
