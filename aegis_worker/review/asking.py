"""What the gateways say before a person's decision is taken down, and whether they contradict it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Operation,
    Pending,
    Unknown,
)
from aegis_worker.gateways.base import PaymentGateway, StatusQuery
from aegis_worker.pipeline.calls import call as call_gateway
from aegis_worker.pipeline.work import Ask

from .case import Call, Case, Kind

Checked = Literal["confirmed", "not_found", "unanswered", "nothing_sent"]

_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Said:
    """What a gateway answered about one charge."""

    call: Call
    outcome: Lookup

    @property
    def in_words(self) -> str:
        """`Approved, its reference ch_1`."""
        match self.outcome:
            case Approved(gateway_ref=reference) if self.outcome.given_back:
                return f"Approved, its reference {reference}, and given back since"
            case Approved(gateway_ref=reference, captured=captured):
                return f"Approved{'' if captured else ', not captured'}, its reference {reference}"
            case Declined(code=code, gateway_code=gateway_code):
                return f"Declined: {code} ({gateway_code})"
            case Pending(reason=reason) | Unknown(reason=reason):
                return f"{type(self.outcome).__name__}: {reason}"
            case _:
                return type(self.outcome).__name__


def ask(gateways: Mapping[str, PaymentGateway], case: Case, charges: Sequence[Call]) -> list[Said]:
    """Ask about each charge, side by side; a gateway that can't be asked any more is Unknown. No transaction is open."""
    with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="resolve") as pool:
        return list(pool.map(lambda charge: Said(charge, _ask(gateways, case, charge)), charges))


def _ask(gateways: Mapping[str, PaymentGateway], case: Case, charge: Call) -> Lookup:
    gateway = gateways.get(charge.gateway)
    if gateway is None:
        return Unknown("it is no longer configured")
    references = [
        call.gateway_ref for call in case.calls if call.number == charge.number and call.gateway_ref
    ]
    gateway_ref = references[-1] if references else None
    query = StatusQuery(Operation.PROCESS, charge.gateway_key, gateway_ref, case.payment.amount)
    answer = call_gateway(gateway, Ask(query), math.inf)
    if answer is None:
        raise AssertionError("unreachable: only what would be sent can be too late")
    return answer.outcome  # type: ignore[return-value]


def contradiction(kind: Kind, says: Sequence[Said], gateway_ref: str | None) -> Said | None:
    """The first answer that a decision can't stand beside.

    What is still pending, or waits for the payer, contradicts both: it may yet be charged, and may yet not be.
    """
    for said in says:
        outcome = said.outcome
        if isinstance(outcome, Pending | ActionRequired):
            return said
        if kind == "not_charged" and isinstance(outcome, Approved) and not _was_given_back(outcome):
            return said
        if kind == "charged" and (isinstance(outcome, Declined) or _was_given_back(outcome)):
            return said
        if isinstance(outcome, Approved) and gateway_ref not in (None, outcome.gateway_ref):
            return said
    return None


def _was_given_back(outcome: Lookup) -> bool:
    return isinstance(outcome, Approved) and outcome.given_back


def checked(says: Sequence[Said]) -> Checked:
    """How far the gateways confirm a decision that they don't contradict: as far as the least certain of them."""
    if not says:
        return "nothing_sent"
    outcomes = [said.outcome for said in says]
    if any(isinstance(outcome, Unknown) for outcome in outcomes):
        return "unanswered"
    if any(isinstance(outcome, NotFound) for outcome in outcomes):
        return "not_found"
    return "confirmed"
