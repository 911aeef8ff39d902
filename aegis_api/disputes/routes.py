"""Disputes over HTTP."""

from __future__ import annotations

from aegis_api.entities.reading import Readable, add_routes
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import Blueprint
from aegis_worker.queries.entities import DISPUTES
from aegis_worker.views.entities import dispute_body

from . import schemas
from .examples import DISPUTE

blueprint = Blueprint(
    "disputes",
    __name__,
    url_prefix="/v1",
    description="What payers' banks question. Evidence is given at the gateway.",
)
blueprint.before_request(require_merchant)

add_routes(
    blueprint,
    Readable(
        noun="dispute",
        called="dispute",
        shelf=DISPUTES,
        body=dispute_body,
        shown=schemas.DisputeSchema(),
        page=schemas.DisputeListSchema(),
        page_query=schemas.DisputePageQuerySchema(),
        list_query=schemas.DisputesQuerySchema(),
        example=DISPUTE,
        about_one=(
            "It stands as its gateway last showed it. Answer it at the gateway, by its `gateway_ref`, until `respond_by`."
        ),
        about_list="Those that are over are among them.",
    ),
)
