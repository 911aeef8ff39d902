"""What a gateway does with a charge by itself: it releases what was held for too long, and settles what was taken. Pure.

Both are decided when somebody looks, as everything is that a gateway does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.holds import ASKED_FOR
from aegis_worker.domain.outcomes import Operation, charges
from aegis_worker.pipeline.operations.refund import SETTLED_WITHIN_S

from .ledger import Entry, Ledger, charge_of, with_effect

# A gateway releases a hold within so long after the end that it told.
_RELEASED_WITHIN_S = 8.0
# Or it still shows it after this, when a person is asked: in between it would be asked too often to be explored.
_SHOWN_AFTER_S = ASKED_FOR.total_seconds()
# How often a charge that was just taken is looked at until it is settled. Likewise for what is not settled after a month.
UNSETTLED_LOOKS = 2
_UNSETTLED_AFTER_S = SETTLED_WITHIN_S


def held_for(entry: Entry, hold_s: float | None) -> Entry:
    """The charge, whose funds are held for so long from now on; None: nothing is known of an end."""
    return entry if hold_s is None else replace(entry, held_until=entry.at + hold_s)


def ended(ledger: Ledger) -> Iterator[tuple[str, Ledger]]:
    """Each way in which its holds may have ended by now."""
    held = next((one for one in ledger.entries if _is_held(one)), None)
    over_s = -1.0 if held is None or held.held_until is None else -held.held_until
    if held is None or over_s < 0:
        yield "", ledger
        return
    if over_s < _RELEASED_WITHIN_S or over_s > _SHOWN_AFTER_S:
        yield "its hold shows still", ledger
    yield "its hold has ended", released(ledger, held)


def may_release_early(ledger: Ledger) -> Entry | None:
    """A hold whose end has not come, and which its gateway might release all the same."""
    held = next((one for one in ledger.entries if _is_held(one)), None)
    return held if held is not None and held.held_until is not None and held.held_until > 0 else None


def _is_held(entry: Entry) -> bool:
    return (
        charges(entry.operation)
        and entry.status == "approved"
        and entry.held_until is not None
        and not entry.released
        and entry.captured < entry.minor
    )


def released(ledger: Ledger, charge: Entry) -> Ledger:
    """The rest of what it holds is released; a capture that is still pending is decided all the same."""
    after = replace(charge, released=True, code="authorization_expired")
    return ledger.changed(charge, replace(after, voided=is_all_released(ledger, after)))


def is_all_released(ledger: Ledger, charge: Entry) -> bool:
    """Whether nothing of the charge was taken, or can be any more."""
    return charge.released and not charge.captured and _pending_capture(ledger, charge) is None


def settling(ledger: Ledger, charge: Entry) -> Iterator[tuple[str, Ledger, Entry]]:
    """Each way in which the charge may be settled by now, where its gateway refunds nothing before."""
    if not charge.unsettled or not charge.captured:
        yield "", ledger, charge
        return
    if charge.unsettled > 1 or -charge.at > _UNSETTLED_AFTER_S:
        later = replace(charge, unsettled=max(charge.unsettled - 1, 1))
        yield "it is not settled yet", ledger.changed(charge, later), later
    settled = replace(charge, unsettled=0)
    yield "it is settled", ledger.changed(charge, settled), settled


def without(ledger: Ledger, refused: Entry) -> Ledger:
    """The ledger once a pending order has come to nothing: a hold that ended meanwhile has ended whole."""
    charge = charge_of(ledger, refused.of)
    if charge is None or charge.voided or not is_all_released(ledger, charge):
        return ledger
    return ledger.changed(charge, replace(charge, voided=True))


def decided_at_last(ledger: Ledger, charge: Entry) -> Iterator[tuple[str, Ledger, Entry]]:
    """Each way in which a capture may be decided by now that was still pending when its hold ended."""
    pending = _pending_capture(ledger, charge) if charge.released else None
    if pending is None:
        yield "", ledger, charge
        return
    done = replace(pending, status="approved", shown=False)
    refused = replace(pending, status="declined", code="generic_decline", shown=False)
    for how, after in (
        ("its capture is done by now", with_effect(ledger.changed(pending, done), done)),
        ("its capture has failed by now", without(ledger.changed(pending, refused), refused)),
    ):
        yield how, after, _same(after, charge)


def _same(ledger: Ledger, charge: Entry) -> Entry:
    return next(one for one in ledger.entries if one.ref == charge.ref)


def _pending_capture(ledger: Ledger, charge: Entry) -> Entry | None:
    return next(
        (
            one
            for one in ledger.entries
            if one.of == charge.ref and one.operation is Operation.CAPTURE and one.status == "pending"
        ),
        None,
    )
