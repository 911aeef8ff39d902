"""Schemas that all kinds of entities share."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, text
from aegis_api.http.fields import StrictSchema, Text
from aegis_api.http.query_fields import Moment, page_limit


class EntityLinksSchema(Answer):
    """The URLs of the entity, and of its payment."""

    self = text()
    payment = text()


class PageSchema(Answer):
    """A page, newest first."""

    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class PageQuerySchema(StrictSchema):
    """The query of a payment's entities. Each kind adds `starting_after`."""

    limit = page_limit()


class ListQuerySchema(PageQuerySchema):
    """The query of all of an owner's entities. Each kind adds `starting_after` and `status`."""

    gateway = Text(64)
    created_gte = Moment(data_key="created[gte]")
    created_lt = Moment(data_key="created[lt]")
