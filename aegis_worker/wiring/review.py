"""Wires people's decisions, and the rule of two people over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.people.parts import TwoPersonParts
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.exchange_rows import PostgresExchanges
from aegis_worker.pipeline.exchanges import Exchanges
from aegis_worker.review.parts import ReviewParts
from aegis_worker.settings import Settings


def review_parts(
    settings: Settings,
    database: Database,
    gateways: Callable[[], Mapping[str, PaymentGateway]],
    hint: Callable[[str], None],
) -> ReviewParts:
    """The parts that make people's decisions and carry them out."""
    return ReviewParts(
        database,
        gateways,
        hint,
        settings.recheck_ladder_s[0],
        settings.decision_wait_s,
        Exchanges(PostgresExchanges(database) if settings.exchange_keep_d else None),
    )


def two_person_parts(settings: Settings, review: ReviewParts) -> TwoPersonParts:
    """The parts of the rule of two people."""
    above = settings.console.two_person_above
    return TwoPersonParts(review, above, settings.approval_wait_s, settings.secret)
