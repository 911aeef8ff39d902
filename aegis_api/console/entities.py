"""Refunds and disputes of all merchants, newest first."""

from __future__ import annotations

from typing import Any

from flask import render_template, request

from aegis_api.http.parts import parts
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.entities import EntityKind, EntityStatus
from aegis_worker.queries.entities import DISPUTES, ORDERED, EntityFilters, list_some, list_to_answer
from aegis_worker.views.entities import dispute_body, entity_body
from aegis_worker.views.pages import list_body

from .addresses import cursor
from .blueprint import blueprint

_SHOWN = 50


@blueprint.route("/refunds")
def list_refunds() -> str:
    """Refunds."""
    filters, status, after = _asked(frozenset(EntityStatus))
    with parts().web.database.read() as connection:
        page = list_some(
            connection, ORDERED[EntityKind.REFUND], None, filters, limit=_SHOWN, starting_after=after
        )
    body = list_body([entity_body(row) for row in page.rows], page.next_cursor)
    return _page("refunds", body, status, after, statuses=[each.value for each in EntityStatus])


@blueprint.route("/disputes")
def list_disputes() -> str:
    """Disputes; above all those that want an answer, by their deadline."""
    filters, status, after = _asked(frozenset(DisputeStatus))
    with parts().web.database.read() as connection:
        page = list_some(connection, DISPUTES, None, filters, limit=_SHOWN, starting_after=after)
        waiting = list_to_answer(connection, limit=_SHOWN)
    body = list_body([dispute_body(row) for row in page.rows], page.next_cursor)
    return _page(
        "disputes",
        body,
        status,
        after,
        statuses=[each.value for each in DisputeStatus],
        waiting=[dispute_body(row) for row in waiting],
    )


def _asked(known: frozenset[str]) -> tuple[EntityFilters, str | None, str | None]:
    status = request.args.get("status")
    status = status if status in known else None
    return EntityFilters(status=status), status, cursor("after")


def _page(what: str, body: dict[str, Any], status: str | None, after: str | None, **more: Any) -> str:
    return render_template("console/entities.html", what=what, page=body, status=status, after=after, **more)
