"""What one gateway knows of the payment, as plain values. Pure.

Whatever a gateway does by itself is decided when somebody looks: whether a call that is still on its way has arrived by
now, whether it shows yet, how a pending charge was decided, what the payer did. Nobody can tell it from what happened
before.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import CHARGING_STEPS, Operation, charges

from .contests import Contest

Status = Literal["approved", "declined", "pending", "action"]


class Entry(Struct, frozen=True):
    """One call that arrived. Moments in seconds, relative to the ledger's; amounts in minor units.

    `key`: our reference. `of`: the gateway's id of the charge that it is about, of what is done with a charge. `shown`:
    whether look-ups have shown it, as they go on to do. `code`: why it was declined. Of a charge: what was `captured` and
    `refunded` of it, whether what it held was `voided`, or the rest of it `released`. `final`, of a capture: it releases.
    `owes`: an event that tells of it is to come, because nothing else does. Of a charge also: when what it holds is
    released by itself (`held_until`), None where that is not modelled; and, at a gateway that refunds what is settled, for
    how many more look-ups it may not be (`unsettled`), 0 once it is.
    """

    operation: Operation
    key: str
    ref: str
    minor: int
    status: Status
    at: float
    shown: bool = False
    of: str | None = None
    code: str = ""
    captured: int = 0
    refunded: int = 0
    voided: bool = False
    released: bool = False
    final: bool = False
    owes: bool = False
    held_until: float | None = None
    unsettled: int | None = None

    @property
    def stands(self) -> bool:
        """Whether it is a charge that the payer bears now: taken or held, and not given back."""
        if not charges(self.operation) or self.status != "approved" or self.voided:
            return False
        return not self.captured or self.refunded < self.captured


class Kept(Struct, frozen=True):
    """An idempotency key, since when it is kept, and whether under an error of the gateway's own."""

    key: str
    at: float
    is_error: bool = False


class OnItsWay(Struct, frozen=True):
    """A call that has left and will arrive by `until`, at a gateway that keeps its key for `keeps_key_s`, and, where
    it is `charged_once`, charges what an earlier step made.

    `shown_within_s`: so long after the call left it shows; 0: so long after `until` as any other; None:
    so long after somebody first could see it. `arrives_at`: the last moment at which it can have arrived, once it has.
    `hold_s`: how long what it holds is held. `settles`: its charge is refunded only once it is settled.
    """

    operation: Operation
    key: str
    capture: bool
    minor: int
    until: float
    keeps_key_s: float
    of: str | None = None
    final: bool = False
    charged_once: bool = False
    shown_within_s: float | None = None
    arrives_at: float = 0.0
    hold_s: float | None = None
    settles: bool = False


class Ledger(Struct, frozen=True):
    """Everything that a gateway knows. `closed`: the hops that nothing can be charged for any more. `mute_until`: its
    look-ups are down until then.
    """

    name: str
    entries: tuple[Entry, ...] = ()
    kept: tuple[Kept, ...] = ()
    on_its_way: tuple[OnItsWay, ...] = ()
    closed: frozenset[int] = frozenset()
    mute_until: float = 0.0
    contest: Contest | None = None

    def find(self, key: str, operation: Operation) -> Entry | None:
        """The latest call under the key."""
        return next(
            (one for one in reversed(self.entries) if one.key == key and one.operation is operation), None
        )

    def under(self, key: str, operation: Operation, ref: str | None = None) -> tuple[Entry, ...]:
        """All calls under the key: the one of this reference of the gateway's first, or else the one that got furthest."""
        found = [one for one in self.entries if one.key == key and one.operation is operation]
        order = {"approved": 0, "pending": 1, "action": 2, "declined": 3}
        return tuple(sorted(found, key=lambda one: (one.ref != ref, not one.stands, order[one.status])))

    @property
    def standing(self) -> tuple[Entry, ...]:
        """The charges that the payer bears."""
        return tuple(entry for entry in self.entries if entry.stands)

    def changed(self, before: Entry, after: Entry) -> Ledger:
        """With one entry as it is now."""
        return replace(self, entries=tuple(after if one is before else one for one in self.entries))


def hop_of(key: str) -> int:
    """The number of the hop that the key's call belongs to."""
    found = parse_gateway_key(key)
    if found is None:
        raise AssertionError(f"unreachable: {key} is a key of ours")
    return found[1]


def open_of_hop(ledger: Ledger, hop: int) -> tuple[Entry, ...]:
    """The charging steps of a hop that arrived."""
    return tuple(
        entry for entry in ledger.entries if entry.operation in CHARGING_STEPS and hop_of(entry.key) == hop
    )


def charge_of(ledger: Ledger, ref: str | None) -> Entry | None:
    """The charge of this id."""
    return next((one for one in ledger.entries if one.ref == ref and charges(one.operation)), None)


def with_effect(ledger: Ledger, entry: Entry | None = None) -> Ledger:
    """What an approved order, by default the latest, does to its charge."""
    entry = ledger.entries[-1] if entry is None else entry
    charge = charge_of(ledger, entry.of)
    if charge is None:
        raise AssertionError("unreachable: there is a charge that it is of")
    return ledger.changed(charge, _charge_after(charge, entry))


def _charge_after(charge: Entry, entry: Entry) -> Entry:
    if entry.operation is Operation.REFUND:
        return replace(charge, refunded=charge.refunded + entry.minor)
    if entry.operation is Operation.VOID:
        return replace(charge, released=True, voided=not charge.captured)
    captured = charge.captured + entry.minor
    return replace(
        charge, captured=captured, released=charge.released or entry.final or captured == charge.minor
    )


def passed(ledger: Ledger, by_s: float) -> Ledger:
    """The ledger as it is `by_s` seconds later, seen from then."""
    if not by_s:
        return ledger
    return replace(
        ledger,
        entries=tuple(_later(entry, by_s) for entry in ledger.entries),
        kept=tuple(replace(kept, at=kept.at - by_s) for kept in ledger.kept),
        on_its_way=tuple(replace(one, until=one.until - by_s) for one in ledger.on_its_way),
        mute_until=max(ledger.mute_until - by_s, 0.0),
    )


def _later(entry: Entry, by_s: float) -> Entry:
    ends_at = entry.held_until
    return replace(entry, at=entry.at - by_s, held_until=None if ends_at is None else ends_at - by_s)
