"""Rules: which gateway goes first for payments that meet all of a rule's conditions."""

from __future__ import annotations

import dataclasses
from operator import attrgetter

from aegis_worker.domain.screening import facts_of, metadata_of
from aegis_worker.matching.conditions import Condition, Field, Vocabulary, all_of
from aegis_worker.matching.kinds import AMOUNT, COUNTRY, CURRENCY, METHOD, TEXT
from aegis_worker.matching.operators import Test

FIELDS = Vocabulary(
    {
        "amount": Field(attrgetter("amount.minor"), AMOUNT),
        "currency": Field(attrgetter("amount.currency"), CURRENCY),
        "payment_method": Field(lambda payment: payment.payment_method["type"], METHOD),
        "customer_country": Field(lambda payment: payment.customer.get("country"), COUNTRY),
        "merchant_id": Field(attrgetter("merchant_id"), TEXT),
    },
    metadata_of,
    facts_of,
)
"""What a condition may look at: the payment, and what enrichment has added to it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """`gateway` goes first for a payment that meets every condition. Of several rules the lowest `priority` wins, then
    the one that stands first in the document.
    """

    id: str
    gateway: str
    conditions: tuple[Condition, ...]
    priority: int = 100
    enabled: bool = True
    description: str = ""
    met_by: Test = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "met_by", all_of([condition.met_by for condition in self.conditions]))
