"""What became of an operation, by what Adyen has told: beside an answer nothing else is known (design D14). Pure.

Each counts for exactly the operation, the amount and the account that it names. Why something was refused is not signed, so
a refusal that only a notification tells of is a generic decline. A success that was told later than a failure does not undo
it: notifications come in any order, and a change that has failed late was told of as a success before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import keys_of_same_hop, ordered_in, parse_gateway_key
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

from ..kit.identity import Expected, Shown, mismatch
from ..requests import StatusQuery
from .charges import is_charge_of, is_our_own
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
    """A confirm is told of as its charge, so of any charge of the payment."""
    ours = [item for item in items if item.code == "AUTHORISATION" and _is_of_charge(query, item)]
    approved = next((item for item in ours if item.success), None)
    if approved is not None and approved.payment_ref is not None:
        stranger = _other_money(query, approved.amount)
        return stranger or _standing(query, approved.payment_ref, approved.amount, items)
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


def _is_of_charge(query: StatusQuery, item: Item) -> bool:
    if query.operation is Operation.CONFIRM:
        place = parse_gateway_key(query.reference)
        return place is not None and is_charge_of(place[0], item.reference)
    if item.reference in keys_of_same_hop(query.reference):
        return True
    is_known = query.gateway_ref is not None and not is_our_own(query.gateway_ref)
    return is_known and item.payment_ref == query.gateway_ref


def _standing(query: StatusQuery, ref: str, amount: Money, items: Sequence[Item]) -> Approved | Declined:
    """An authorised charge, with what was done to it since."""
    of_it = [item for item in items if item.payment_ref == ref]
    captures, refunds = changes(Operation.CAPTURE, of_it), changes(Operation.REFUND, of_it)
    captured = sum(one.minor for one in captures)
    if query.capture:
        # Captured with the charge: only what has failed since is told.
        captured = amount.minor - sum(one.amount.minor for one in captures if one.failed)
    released = next((item.code for item in of_it if item.code in _RELEASED and item.success), "")
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
