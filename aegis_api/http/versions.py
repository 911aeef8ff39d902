"""What the routes share that put a configuration in place of the installation's file, in versions."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields

from .composed import Reason
from .documented import Answer, an_object, one_of, text, time, whole
from .fields import BodySchema, Fault, OneOf, StrictSchema
from .query_fields import Number, page_limit


class VersionPutSchema(BodySchema):
    """A configuration in `config`, which a subclass declares, or `source: file` to go back to the file."""

    source = OneOf(
        frozenset({"file", "put"}),
        "file or put",
        metadata={
            "description": (
                "`file`: the installation's file comes into force again. `put` is the same as leaving it out, so that the "
                "answer of a GET can be put back."
            )
        },
    )
    reason = Reason("Why it is changed; kept in the audit log.", required=True)

    def load(self, data: Any, **options: Any) -> dict[str, Any]:
        """Load it. Raises ValidationError, also unless it is one of the two."""
        loaded = super().load(data, **options)
        config, source = loaded.get("config"), loaded.get("source")
        if (config is None) is not (source == "file"):
            wrong = "source" if source == "put" else "config"
            raise ValidationError({wrong: [Fault("required", "Give either config, or source: file.")]})
        return loaded


class VersionsQuerySchema(StrictSchema):
    """A page of versions."""

    limit = page_limit()
    starting_after = Number(1, 2**31 - 1, metadata={"description": "The `next_cursor` of the previous page."})


class HeldSchema(Answer):
    """What is in force."""

    version = whole("Grows by one with each change. 0 if it was never changed.")
    source = one_of(
        "file",
        "put",
        description="`file`: the installation's file is in force; `put`: what an operator put.",
    )
    config = an_object("The whole configuration, including defaults.")
    unusable = text(
        "Why this process can't use the configuration; it uses the newest version that it can use instead.",
        none=True,
    )
    actor = text("Who made the change. null if it was never changed.", none=True)
    reason = text("Why it was changed.", none=True)
    since = time(none=True)


class VersionSchema(Answer):
    """One change."""

    version = whole()
    source = one_of(
        "file", "put", description="`file`: with this change the installation's file came into force again."
    )
    config = an_object("The configuration as it was put; null if `source` is `file`.", none=True)
    actor = text()
    reason = text()
    created_at = time()


class VersionListSchema(Answer):
    """A page of the changes, newest first."""

    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)
