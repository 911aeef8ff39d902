"""What we say of a payment that has ended, against what the gateways say of each of its charges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Operation, Unknown
from aegis_worker.domain.transitions import State

from .base import PaymentGateway, StatusQuery


@dataclass(frozen=True, slots=True)
class Comparison:
    """`gateways`: for each charge `gateway, key, says`, the last one the name of the answer."""

    payment_id: str
    state: State
    gateways: Sequence[Mapping[str, str]]

    @property
    def is_answered(self) -> bool:
        """Whether every gateway gave an answer; without one there is nothing to compare."""
        return all(answer["says"] != Unknown.__name__ for answer in self.gateways)

    @property
    def differs(self) -> bool:
        """Whether the answers are something else than one charge for SUCCESS and none for any other end.

        Never where no charge is left to ask about: all were reversed.
        """
        return bool(self.gateways) and self.is_answered and self._charged != self._expected

    @property
    def is_charged_too_often(self) -> bool:
        """Whether there is a charge that we don't stand for."""
        return self.is_answered and self._charged > self._expected

    @property
    def _charged(self) -> int:
        return sum(answer["says"] == Approved.__name__ for answer in self.gateways)

    @property
    def _expected(self) -> int:
        return int(self.state is State.SUCCESS)


def compare(
    gateways: Mapping[str, PaymentGateway],
    payment_id: str,
    state: State,
    amount: Money,
    charges: Sequence[Mapping[str, Any]],
) -> Comparison:
    """Ask about every charge, each given as `gateway, key, gateway_ref`. Changes nothing; takes as long as they do."""
    answers = []
    for charge in charges:
        gateway = gateways.get(charge["gateway"])
        query = StatusQuery(Operation.PROCESS, charge["key"], charge["gateway_ref"], amount)
        if gateway is None:
            outcome: object = Unknown("no longer configured")
        elif query.gateway_ref is not None:
            outcome = gateway.get_status(query)
        else:
            outcome = gateway.find_by_reference(query)
        answers.append({"gateway": charge["gateway"], "key": charge["key"], "says": type(outcome).__name__})
    return Comparison(payment_id, state, answers)
