"""Answers of another payment (D18), from gateways that mix them up: noticed, or only by whose reference they carry. Pure.

Whatever a call did, its answer may tell of something else: each such answer is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from aegis_worker.domain.outcomes import Approved, Declined, Lookup, Outcome, Unknown, UnknownKind, charges
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from . import ordering as _ordering  # noqa: F401  # its rows of the tables come first
from .fates import CALLS, LOOK_UPS, Called, Fate, LookedUp, joined
from .ledger import Ledger
from .setups import GatewaySetup
from .writes import FOREIGN

FOREIGN_REF = f"{FOREIGN}1"
_ELSE = Unknown("an answer about something else: reference", kind=UnknownKind.MISMATCH)
_OTHER_MONEY = Unknown("an answer about something else: amount", kind=UnknownKind.MISMATCH, shows="1 USD")


def _mixed(call: Called) -> Called:
    def mixed(ledger: Ledger, setup: GatewaySetup, request: GatewayRequest) -> Iterator[Fate]:
        for fate in call(ledger, setup, request):
            yield fate
            if setup.mixes_up and _is_answer(fate):
                yield _instead(fate, "and tells of another payment", _ELSE)
                captured = charges(request.operation) and request.capture
                other = _another(request.amount.minor, captured=captured)
                yield _instead(fate, "and gives another payment's reference", other)

    return mixed


def _mixed_look_up(look_up: LookedUp) -> LookedUp:
    def mixed(ledger: Ledger, setup: GatewaySetup, query: StatusQuery) -> Iterator[Fate]:
        for fate in look_up(ledger, setup, query):
            yield fate
            if setup.mixes_up and _is_answer(fate):
                yield _instead(fate, "but told of another payment", _ELSE)
                yield _instead(fate, "but told with another amount", _OTHER_MONEY)
                minor = 0 if query.amount is None else query.amount.minor
                other = _another(minor, captured=charges(query.operation) and query.capture)
                yield _instead(fate, "but told by another payment's reference", other)

    return mixed


def _is_answer(fate: Fate) -> bool:
    return not fate.cost and isinstance(fate.outcome, Approved | Declined)


def _instead(fate: Fate, words: str, outcome: Outcome | Lookup) -> Fate:
    return replace(fate, how=joined(fate.how, words), cost=1, outcome=outcome)


def _another(minor: int, *, captured: bool) -> Approved:
    return Approved(FOREIGN_REF, captured=captured, captured_minor=minor if captured else 0)


for _operation in CALLS:
    CALLS[_operation] = _mixed(CALLS[_operation])
for _operation in LOOK_UPS:
    LOOK_UPS[_operation] = _mixed_look_up(LOOK_UPS[_operation])
