"""What an answer shows: reads the payment in it. What follows from that is AegisPay's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aegis_worker.gateways import interface as aegis

from .codes import DECLINE_CODES, DOUBTS


def read_payment(body: Mapping[str, Any]) -> aegis.WholePayment:
    """Raises Unreadable."""
    is_held, waits = body.get("held_until") is not None, body.get("redirect") is not None
    return aegis.WholePayment(
        id=aegis.identifier(body, "id"),
        reference=aegis.identifier(body, "reference"),
        status=aegis.one_of(body, "state", aegis.STATUSES),
        minor=aegis.minor_units(body, "amount"),
        currency=aegis.currency(body),
        captured_minor=aegis.minor_units(body, "taken"),
        refunded_minor=aegis.minor_units(body, "returned"),
        changes=[_change(one) for one in aegis.children(body, "changes")],
        code=aegis.words(body, "code"),
        action=aegis.Redirect(aegis.address(body, "redirect")) if waits else None,
        capture_before=datetime.fromtimestamp(aegis.moment_s(body, "held_until"), UTC) if is_held else None,
    )


def _change(body: Mapping[str, Any]) -> aegis.Change:
    return aegis.Change(
        operation=aegis.one_of(body, "kind", frozenset(aegis.Operation)),
        reference=aegis.identifier(body, "reference"),
        minor=aegis.minor_units(body, "amount"),
        status=aegis.one_of(body, "state", aegis.CHANGE_STATUSES),
        id=aegis.identifier(body, "id"),
        code=aegis.words(body, "code"),
    )


ANSWERS = aegis.Translation(read_payment, DECLINE_CODES, DOUBTS)
