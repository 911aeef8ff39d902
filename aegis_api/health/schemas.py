"""Health: what the routes answer."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, one_of


class HealthSchema(Answer):
    """The process is alive."""

    status = one_of("ok")


class ReadinessSchema(Answer):
    """The state of each part that this process uses. Redis is reported but not needed: payments are accepted without it."""

    status = one_of("ready")
    checks = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, metadata={"example": {"database": "ok"}}
    )
