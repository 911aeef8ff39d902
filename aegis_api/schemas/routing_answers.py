"""The answers of the routes about routing."""

from __future__ import annotations

from marshmallow import fields

from .documented import Answer, an_object, one_of, text, time, whole


class RoutingSchema(Answer):
    """What routing goes by. Version 0: nothing was ever put, and config/routing.toml holds."""

    object = one_of("routing")
    version = whole()
    source = one_of(
        "file", "put", description="Where the configuration stands: config/routing.toml, or here."
    )
    config = an_object("The whole configuration, defaults too.")
    unusable = text(
        "Why this process can't use the configuration; the newest one that it can use holds here.", none=True
    )
    actor = text("Who put it. null: nobody, it was never changed.", none=True)
    reason = text("Why.", none=True)
    since = time(none=True)


class RoutingVersionSchema(Answer):
    """One change of the configuration, as it was put."""

    object = one_of("routing_version")
    version = whole()
    source = one_of("file", "put", description="`file`: from here on config/routing.toml held again.")
    config = an_object("As it was put.", none=True)
    actor = text()
    reason = text()
    created_at = time()


class RoutingVersionListSchema(Answer):
    """A page of the changes, newest first."""

    data = fields.List(fields.Nested(RoutingVersionSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("starting_after of the next page.", none=True)


class PausedSchema(Answer):
    """Whether a gateway is paused now."""

    object = one_of("gateway_pause")
    gateway = text()
    paused = fields.Boolean(required=True)
    changed = fields.Boolean(
        required=True, metadata={"description": "false: it was so already, and nothing was written."}
    )
