"""Disputes as the sandbox shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import REASONS, DisputeLookup, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown, UnknownKind

from ..kit.amounts import ISO_AMOUNTS
from ..kit.flows import HttpAnswer, HttpCall
from ..kit.identity import about_another
from ..kit.reading import Unreadable, currency, identifier, minor_units, moment_s, parsed
from ..requests import DisputeQuery

_STATUSES = {status.value: status for status in DisputeStatus}


def look_up_dispute(query: DisputeQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that shows one dispute."""
    return HttpCall("GET", f"/v1/disputes/{quote(query.dispute_ref, safe='')}", headers, only_reads=True)


def found_dispute(query: DisputeQuery, answer: HttpAnswer) -> DisputeLookup:
    """The dispute that was asked about. A 404 is no proof: the gateway itself told us its id."""
    if answer.status != 200:
        return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))
    try:
        shown = _read(parsed(answer.body))
    except Unreadable as problem:
        return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
    if (shown.gateway_ref, shown.charge_ref) != (query.dispute_ref, query.charge_ref):
        return about_another(f"it shows {shown.gateway_ref} of {shown.charge_ref}")
    return shown


def _read(body: Mapping[str, Any]) -> DisputeReport:
    """Raises Unreadable."""
    code, word, reason = currency(body), identifier(body, "status"), identifier(body, "reason")
    until = body.get("respond_by")
    return DisputeReport(
        gateway_ref=identifier(body, "id"),
        charge_ref=identifier(body, "payment_id"),
        amount=Money(ISO_AMOUNTS.read(minor_units(body, "amount"), code), code),
        status=_STATUSES.get(word),
        gateway_status=word,
        reason=reason if reason in REASONS else "general",
        gateway_reason=reason,
        respond_by=None if until is None else datetime.fromtimestamp(moment_s(body, "respond_by"), UTC),
    )
