"""Check a decision before it is written: what the gateways say, and whose charge it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.domain.charges import not_to_be_adopted
from aegis_worker.domain.outcomes import ActionRequired, Approved, Pending
from aegis_worker.errors import ResolutionContradicted, ResolutionRefused

from . import decide, orders
from .answers import Checked, Said, checked, contradiction, is_confirmed
from .asking import ask
from .case import Case
from .loading import standing_on
from .parts import Resolution, ReviewParts, as_json

# Answers older than this are asked for again, because the process may have slept since. The slowest look-ups take less.
_ANSWERS_HOLD_S = 120.0


@dataclass(frozen=True, slots=True)
class Looked:
    """Answers of the gateways that don't contradict a decision. `asked_at_s` is a time of `clock_s`."""

    says: Sequence[Said]
    checked: Checked
    is_confirmed: bool
    asked_at_s: float

    @property
    def is_old(self) -> bool:
        """Whether the answers are so old that the gateways may say something else by now."""
        return clock_s() - self.asked_at_s > _ANSWERS_HOLD_S


def look_into(parts: ReviewParts, case: Case, resolution: Resolution) -> Looked:
    """Ask the gateways about the charges that a decision concerns; no transaction is open meanwhile.

    Raises ResolutionContradicted if a gateway says otherwise, ResolutionRefused if there is no such charge.
    """
    charges = case.charges if case.order is None else [call for call in [case.order_call] if call is not None]
    if resolution.kind == "charged":
        charges = [decide.chosen_charge(case, gateway=resolution.gateway, number=resolution.attempt)]
    asked_at_s = clock_s()
    named = resolution.gateway_ref if resolution.kind in ("charged", "succeeded") else None
    says = ask(parts.gateways(), case, charges, named, parts.exchanges) if charges else []
    if case.order is None:
        against = contradiction(case, resolution.kind, says, resolution.gateway_ref)
    else:
        against = orders.contradiction(resolution.kind, says, resolution.gateway_ref)
    if against is not None:
        raise contradicted(against, says, _what_to_do(case, resolution, against))
    how = checked(resolution.kind, says)
    looked = Looked(says, how, is_confirmed(resolution.kind, how), asked_at_s)
    with parts.database.read() as connection:
        refuse_anothers(connection, case, looked, resolution)
    return looked


def contradicted(said: Said, says: Sequence[Said], what_to_do: str) -> ResolutionContradicted:
    """The error that refuses a decision because a gateway says otherwise."""
    return ResolutionContradicted(
        f"{said.call.gateway} says {said.in_words}; {what_to_do}", [as_json(one) for one in says]
    )


def refuse_anothers(connection: Connection, case: Case, looked: Looked, resolution: Resolution) -> None:
    """Raise ResolutionRefused if another payment stands on the charge, because one charge pays for one payment."""
    if resolution.kind != "charged":
        return
    gateway = looked.says[0].call.gateway
    found = [said.outcome.gateway_ref for said in looked.says if isinstance(said.outcome, Approved)]
    for gateway_ref in {*found, resolution.gateway_ref} - {None}:
        other = standing_on(connection, gateway, str(gateway_ref), besides=case.payment.id)
        if other is not None:
            raise ResolutionRefused(
                f"the charge {gateway_ref} at {gateway} is that of another payment, {other}; give the `gateway_ref` of"
                " this payment's own charge, or decide `not_charged`"
            )


def _what_to_do(case: Case, resolution: Resolution, against: Said) -> str:
    if case.order is not None:
        return orders.what_to_do(against)
    if against.is_of_another:
        return (
            "it is not this payment's charge: give the `gateway_ref` of its own, or the `attempt` and `gateway`"
            " that made it, or decide `not_charged`"
        )
    outcome = against.outcome
    is_other_sum = isinstance(outcome, Approved) and not_to_be_adopted(case.payment.amount, outcome)
    if against.is_other_money or (
        resolution.kind == "charged" and is_other_sum and not _is_given_back(against)
    ):
        return (
            "it took other money than was asked for: give it back at the gateway, then decide `not_charged`"
        )
    if isinstance(outcome, Approved) and not outcome.given_back:
        if resolution.kind == "charged":
            return f"give `gateway_ref` {outcome.gateway_ref}, or none"
        return "decide `charged`, or give it back at the gateway first"
    if resolution.kind == "charged" and not _is_open(against):
        return "decide `not_charged`"
    return "it is not over: have it asked about later with `ask_again`"


def _is_given_back(said: Said) -> bool:
    return isinstance(said.outcome, Approved) and said.outcome.given_back


def _is_open(said: Said) -> bool:
    return isinstance(said.outcome, Pending | ActionRequired)
