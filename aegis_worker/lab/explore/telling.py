"""What a gateway may tell by an event: how each call stands with it, when that is so, later, or when it never was. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.outcomes import Operation, charges

from . import ordering
from .fates import arrivals, joined
from .ledger import Entry, Ledger, hop_of
from .releases import settling
from .rows_told import Told
from .setups import GatewaySetup
from .showing import now_of

_ODD_MINOR = 1
_KINDS: dict[Operation, dict[str, str]] = {
    Operation.INITIATE: {"approved": "payment.created", "action": "payment.requires_action"},
    Operation.AUTHENTICATE: {
        "approved": "payment.authenticated",
        "action": "payment.requires_action",
        "declined": "payment.failed",
    },
    Operation.PROCESS: {
        "approved": "payment.succeeded",
        "declined": "payment.failed",
        "pending": "payment.pending",
        "action": "payment.requires_action",
    },
    Operation.CAPTURE: {
        "approved": "capture.succeeded", "declined": "capture.failed", "pending": "capture.pending",
    },
    Operation.REFUND: {
        "approved": "refund.succeeded", "declined": "refund.failed", "pending": "refund.pending",
    },
}  # fmt: skip
# A charge's, with what it may be besides.
_OF_CHARGES = ("payment.authorized", "payment.captured", "payment.voided", "payment.refunded")


class Telling(Struct, frozen=True):
    """An event that a gateway may send, and its ledger after that.

    `cost`: 0 for one that tells how it is; one that is late, wrong or about other money is a fault.
    """

    how: str
    cost: int
    event: Told
    ledger: Ledger


def tellings(ledger: Ledger, setup: GatewaySetup, *, manual: bool) -> Iterator[Telling]:
    """Each event that tells how it is; what the gateway or a payer has decided since is told, too."""
    for before, arrived in arrivals(ledger):
        for entry in arrived.entries:
            if entry.operation not in _KINDS:
                continue
            for how, after, now in _ways(arrived, entry, manual=manual):
                yield _true(joined(before, how), after, now, setup)
            yield from _settled(before, arrived, entry)


def _settled(before: str, ledger: Ledger, entry: Entry) -> Iterator[Telling]:
    """A charge is settled, at a gateway that refunds nothing before."""
    if entry.unsettled is None or not entry.captured:
        return
    for how, after, now in settling(ledger, entry):
        if not now.unsettled:
            event = Told(ledger.name, entry.key, entry.ref, "payment.settled", entry.minor)
            yield Telling(joined(before, how, _words(event, after)), 0, event, after)


def odd_tellings(ledger: Ledger) -> Iterator[Telling]:
    """Each event that tells what is not so: late, before its time, or of other money."""
    for entry in ledger.entries:
        yield from _odd(ledger, entry)


def _ways(ledger: Ledger, entry: Entry, *, manual: bool) -> Iterator[tuple[str, Ledger, Entry]]:
    is_order = entry.operation in (Operation.CAPTURE, Operation.REFUND)
    return ordering.decided(ledger, entry) if is_order else now_of(ledger, entry, manual=manual)


def _true(how: str, ledger: Ledger, entry: Entry, setup: GatewaySetup) -> Telling:
    kind = kind_of(entry)
    if setup.look_ups == "none":
        # A charge is known by what followed, too.
        for one in ledger.entries:
            if not one.shown and one.ref in (entry.ref, entry.of):
                ledger = ledger.changed(one, replace(one, shown=True))
    if entry.owes:
        told = next(one for one in ledger.entries if one.ref == entry.ref)
        ledger = ledger.changed(told, replace(told, owes=False))
    event = Told(ledger.name, entry.key, entry.ref, kind, entry.minor)
    return Telling(joined(how, _words(event, ledger)), 0, event, ledger)


def kind_of(entry: Entry) -> str:
    """The kind of the event that tells how the call stands."""
    if charges(entry.operation) and entry.status == "approved":
        if entry.voided:
            return "payment.voided"
        if entry.refunded:
            return "payment.refunded"
        return "payment.succeeded" if entry.captured else "payment.authorized"
    return _KINDS[entry.operation][entry.status]


def _odd(ledger: Ledger, entry: Entry) -> Iterator[Telling]:
    if entry.operation not in _KINDS:
        return
    kinds = dict.fromkeys(_KINDS[entry.operation].values())
    if charges(entry.operation):
        kinds |= dict.fromkeys(_OF_CHARGES)
    for kind in kinds:
        for minor in (entry.minor, _ODD_MINOR):
            event = Told(ledger.name, entry.key, entry.ref, kind, minor, is_odd=True)
            other = "" if minor == entry.minor else " of another amount"
            yield Telling(f"out of turn, {_words(event, ledger)}{other}", 1, event, ledger)


def _words(event: Told, ledger: Ledger) -> str:
    """The event's kind and attempt, and which call of several under one key it is about: no two moves read alike."""
    is_one_of_several = sum(entry.key == event.reference for entry in ledger.entries) > 1
    which = f" as {event.ref}" if is_one_of_several else ""
    return f"{event.kind} of attempt {hop_of(event.reference)}{which}"
