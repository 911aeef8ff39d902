"""What the emulated gateways' own books say, held against what AegisPay says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from aegis_worker.domain.entities import UNSETTLED, EntityStatus
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.lab.local.emulated import emulated
from aegis_worker.strict_json import MalformedJson, parse

_PAGE = 1000
_TIMEOUT_S = 30.0
# The statuses of a charge at the gateway in which nothing is held any more, and in which the payer's money is still held.
_RELEASED = frozenset({"succeeded", "voided"})
_HELD = "authorized"


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute of a charge: the gateway's id of it, what it is about in minor units, and how it stands."""

    id: str
    amount: int
    status: str


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that a gateway holds or took, in minor units. `captures`, `refunds` and `disputes`: each by itself.

    `released`: something was held and not captured, and is held no longer. `held`: it still is.
    """

    payment_id: str | None
    gateway: str
    gateway_ref: str
    currency: str
    captured: int
    refunded: int = 0
    captures: tuple[int, ...] = ()
    refunds: tuple[int, ...] = ()
    released: bool = False
    held: bool = False
    disputes: tuple[Disputed, ...] = ()

    @property
    def kept(self) -> int:
        """What it took and did not give back."""
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class Comparison:
    """Payment ids by what is wrong with them; all empty when both sides agree.

    `ours` and `theirs` count by (gateway, what): charges, captures, voids and refunds as we say them and as it does.
    """

    charged_twice: list[str] = field(default_factory=list)
    charged_not_success: list[str] = field(default_factory=list)
    success_not_charged: list[str] = field(default_factory=list)
    captures_differ: list[str] = field(default_factory=list)
    voids_differ: list[str] = field(default_factory=list)
    still_held: list[str] = field(default_factory=list)
    refunds_differ: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    ours: Counter[tuple[str, str]] = field(default_factory=Counter, compare=False)
    theirs: Counter[tuple[str, str]] = field(default_factory=Counter, compare=False)


def read_ledger(gateway: str, url: str) -> list[Charge]:
    """Every charge in an emulated gateway's ledger. Raises OperatorError when it doesn't answer."""
    charges: list[Charge] = []
    cursor: int | None = 0
    with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
        while cursor is not None:
            try:
                answer = pool.request("GET", f"{url}/_sandbox/ledger?cursor={cursor}&limit={_PAGE}")
                page = parse(answer.data)
            except (urllib3.exceptions.HTTPError, MalformedJson) as error:
                raise OperatorError(f"the ledger of {gateway} can't be read: {error}") from error
            charges += [_charge(gateway, row) for row in page["charges"] if row["authorized"]]
            cursor = page["next_cursor"]
    return charges


def _charge(gateway: str, row: Mapping[str, Any]) -> Charge:
    return Charge(
        row["merchant_payment_id"],
        gateway,
        row["charge_id"],
        row["currency"],
        row["captured"],
        row["refunded"],
        tuple(row["captures"]),
        tuple(row["refunds"]),
        released=row["status"] in _RELEASED and row["authorized"] > row["captured"],
        held=row["status"] == _HELD,
        disputes=tuple(Disputed(**one) for one in row["disputes"]),
    )


def compare(payments: Iterable[Mapping[str, Any]], charges: Iterable[Charge]) -> Comparison:
    """Hold every payment, as the API shows it with its captures and refunds, against the charges of all gateways."""
    charged: dict[str, list[Charge]] = {}
    for charge in charges:
        charged.setdefault(charge.payment_id or "a charge that names no payment", []).append(charge)
    found = Comparison()
    for payment in payments:
        _judge(found, payment, charged.pop(payment["id"], []))
    # What is left are charges for payments that the API doesn't show.
    found.charged_not_success.extend(id_ for id_, left in charged.items() if any(one.kept for one in left))
    return found


def _judge(found: Comparison, payment: Mapping[str, Any], charges: list[Charge]) -> None:
    id_, state, said = payment["id"], State(payment["state"]), _said(payment)
    kept = [charge for charge in charges if charge.kept]
    # A charge that was given back as a duplicate is none of what we say.
    named = (said.gateway, said.gateway_ref)
    nothing = Charge(None, said.gateway, "", said.currency, captured=0)
    ours = [charge for charge in charges if (charge.gateway, charge.gateway_ref) == named]
    # Of several payments of one order that is paid at the gateway, the one that it was captured by.
    booked = next((charge for charge in ours if charge.captured), ours[0] if ours else nothing)
    if not payment["amounts"]["authorized"]:
        # Money may have come late under the id that we had been told before, and it was given back: it is none of what we
        # say, and no more than that nothing is kept and nothing held can be expected of it.
        booked = nothing
    if len(kept) > 1:
        found.charged_twice.append(id_)
    if kept and state is not State.SUCCESS:
        found.charged_not_success.append(id_)
    due = (said.kept, said.currency)
    if state is State.SUCCESS and due not in [(charge.kept, charge.currency) for charge in charges]:
        found.success_not_charged.append(id_)
    if sorted(booked.captures) != sorted(said.captures):
        found.captures_differ.append(id_)
    if booked.released != said.released:
        found.voids_differ.append(id_)
    if state in TERMINAL and any(charge.held for charge in charges if charge is not booked):
        found.still_held.append(id_)
    if sorted(booked.refunds) != sorted(said.refunds):
        found.refunds_differ.append(id_)
    if state not in TERMINAL or any(EntityStatus(one["status"]) in UNSETTLED for one in _orders(payment)):
        found.unresolved.append(id_)
    _count(found.ours, said)
    _count(found.theirs, booked)


def _said(payment: Mapping[str, Any]) -> Charge:
    """What we say of a payment, in the form in which its gateway says it."""
    amounts, ended = payment["amounts"], State(payment["state"]) in TERMINAL
    gateway, captures = payment["gateway"] or "", _succeeded(payment["captures"])
    if emulated(gateway).checkout and amounts["captured"] and not captures:
        # What its payer has paid it is held until it is captured, also where nobody has asked for that.
        captures = (amounts["captured"],)
    return Charge(
        payment["id"],
        gateway,
        payment["gateway_ref"] or "",
        payment["currency"],
        amounts["captured"],
        amounts["refunded"],
        captures,
        _succeeded(payment["refunds"]),
        released=ended and amounts["authorized"] > amounts["captured"],
    )


def _succeeded(page: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(one["amount"] for one in page["data"] if one["status"] == EntityStatus.SUCCEEDED)


def _orders(payment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*payment["captures"]["data"], *payment["refunds"]["data"]]


def _count(counts: Counter[tuple[str, str]], charge: Charge) -> None:
    gateway = charge.gateway
    counts[gateway, "charges"] += charge.captured > 0
    counts[gateway, "captures"] += len(charge.captures)
    counts[gateway, "voids"] += charge.released
    counts[gateway, "refunds"] += len(charge.refunds)
