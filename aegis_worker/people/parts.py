"""What the rule of two people needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis_worker.domain.ordering import Able
from aegis_worker.persistence.approval_rows import Approval
from aegis_worker.persistence.database import Database
from aegis_worker.review.parts import ReviewParts

__all__ = ["Approval", "TwoPersonParts"]


@dataclass(frozen=True, slots=True)
class TwoPersonParts:
    """`review`: what decisions need, its database and gateways among it. `above`: minor units by currency, above which a
    second person is needed; None: never. `wait_s`: how long something waits for one. `secret`: AEGIS_SECRET.
    """

    review: ReviewParts
    above: Mapping[str, int] | None
    wait_s: float
    secret: str = field(repr=False)

    @property
    def database(self) -> Database:
        """The product's database."""
        return self.review.database

    def able(self, gateway: str) -> Able | None:
        """What the gateway of a name can do."""
        configured = self.review.gateways().get(gateway)
        return None if configured is None else configured.capabilities
