"""What must hold once nothing more happens by itself, by what the gateways' ledgers say: I1, I2, I3, D18. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.outcomes import charges
from aegis_worker.domain.transitions import State

from .fates import settled_at_last
from .ledger import Entry, Ledger
from .rows import Rows

_CHARGED = (State.SUCCESS, State.AUTHORIZED)


def judged(rows: Rows, ledgers: Sequence[Ledger], marks: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the end, in words. `marks`: of an end that no client can rule out, which has to be detected."""
    standing = standing_charges(ledgers)
    in_review = rows.job is not None and rows.job.status == "review"
    wrong = []
    if len(standing) > 1 and not (marks and in_review):
        wrong.append(f"I1: charged {len(standing)} times: {_named(standing)}")
    if rows.outbox != rows.payment.version:
        wrong.append(f"I4: {rows.payment.version} events, of which {rows.outbox} were handed on")
    if not in_review:
        wrong += _compared(rows, ledgers, standing)
    return tuple(wrong)


def standing_charges(ledgers: Sequence[Ledger]) -> list[tuple[str, Entry]]:
    """What the payer bears at each gateway, once everything that is on its way has arrived."""
    return [(ledger.name, entry) for ledger in ledgers for entry in settled_at_last(ledger).standing]


def is_own(rows: Rows, gateway: str, entry: Entry) -> bool:
    """Whether the payment stands on the charge."""
    payment = rows.payment
    return payment.state in _CHARGED and (payment.gateway, payment.gateway_ref) == (gateway, entry.ref)


def needs_detection(rows: Rows, ledgers: Sequence[Ledger]) -> bool:
    """Whether a charge stands that nothing of ours stands on: looks at what was given up have to find it."""
    return any(not is_own(rows, gateway, entry) for gateway, entry in standing_charges(ledgers))


def _compared(rows: Rows, ledgers: Sequence[Ledger], standing: Sequence[tuple[str, Entry]]) -> list[str]:
    payment = rows.payment
    pending = [(ledger.name, one) for ledger in ledgers for one in ledger.entries if _is_pending(one)]
    if pending:
        return [f"I3: {payment.state}, and a charge is still pending: {_named(pending)}"]
    if payment.state in _CHARGED:
        own = [entry for gateway, entry in standing if is_own(rows, gateway, entry)]
        if not own:
            return [f"I3: {payment.state} by {payment.gateway_ref}, which is no charge of its own (D18)"]
        if payment.captured_minor != own[0].captured:
            return [f"I3: {payment.captured_minor} captured, the ledger has {own[0].captured}"]
        return []
    if not payment.is_terminal:
        return [f"I2: it has no open job and stays {payment.state}"]
    return [f"I3: {payment.state}, and charged: {_named(standing)}"] if standing else []


def _is_pending(entry: Entry) -> bool:
    return charges(entry.operation) and entry.status == "pending"


def _named(standing: Sequence[tuple[str, Entry]]) -> str:
    return ", ".join(f"{gateway} {entry.ref}" for gateway, entry in standing)
