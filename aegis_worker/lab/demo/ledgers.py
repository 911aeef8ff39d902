"""What the sandbox gateways' own books say, held against what AegisPay says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.strict_json import MalformedJson, parse

_PAGE = 1000
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that a gateway took and kept; `kept` in minor units."""

    payment_id: str | None
    gateway: str
    kept: int
    currency: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Payment ids by what is wrong with them; all empty when both sides agree."""

    charged_twice: list[str] = field(default_factory=list)
    charged_not_success: list[str] = field(default_factory=list)
    success_not_charged: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)


def read_ledger(gateway: str, url: str) -> list[Charge]:
    """Every charge in a sandbox gateway's ledger. Raises OperatorError when it doesn't answer."""
    charges: list[Charge] = []
    cursor: int | None = 0
    with urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False) as pool:
        while cursor is not None:
            try:
                answer = pool.request("GET", f"{url}/_sandbox/ledger?cursor={cursor}&limit={_PAGE}")
                page = parse(answer.data)
            except (urllib3.exceptions.HTTPError, MalformedJson) as error:
                raise OperatorError(f"the ledger of {gateway} can't be read: {error}") from error
            charges += [_charge(gateway, row) for row in page["charges"] if row["captured"] > row["refunded"]]
            cursor = page["next_cursor"]
    return charges


def compare(payments: Iterable[Mapping[str, Any]], charges: Iterable[Charge]) -> Comparison:
    """Hold every payment, as the API shows it, against the charges of all gateways."""
    charged: dict[str, list[Charge]] = {}
    for charge in charges:
        charged.setdefault(charge.payment_id or "a charge that names no payment", []).append(charge)
    found = Comparison()
    for payment in payments:
        _judge(found, payment, charged.pop(payment["id"], []))
    # What is left are charges for payments that the API doesn't show.
    found.charged_not_success.extend(charged)
    return found


def _judge(found: Comparison, payment: Mapping[str, Any], charges: list[Charge]) -> None:
    kept = payment["amounts"]["captured"] - payment["amounts"]["refunded"]
    state, due = State(payment["state"]), (kept, payment["currency"])
    if len(charges) > 1:
        found.charged_twice.append(payment["id"])
    if charges and state is not State.SUCCESS:
        found.charged_not_success.append(payment["id"])
    if state is State.SUCCESS and due not in [(charge.kept, charge.currency) for charge in charges]:
        found.success_not_charged.append(payment["id"])
    if state not in TERMINAL:
        found.unresolved.append(payment["id"])


def _charge(gateway: str, row: Mapping[str, Any]) -> Charge:
    return Charge(row["merchant_payment_id"], gateway, row["captured"] - row["refunded"], row["currency"])
