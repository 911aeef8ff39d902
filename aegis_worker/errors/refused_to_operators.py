"""What operators ask, and is wrong as it stands: decisions, configurations, and who may do what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .tree import Refused


class ResolutionContradicted(Refused):
    """A gateway says something else than the person who decided; `gateways_say` what."""

    code = "resolution_contradicted"

    def __init__(self, message: str, gateways_say: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.more = {"gateways_say": list(gateways_say)}


class ResolutionRefused(Refused):
    """The decision lacks something, or can't be carried out on what is on record; the message says what."""

    code = "resolution_refused"


class InvalidDocument(Refused):
    """A document that can't be used. `problems`: the pointer (RFC 6901) to each wrong value, and what is wrong."""

    code = "validation_failed"

    def __init__(self, problems: Sequence[Mapping[str, str]]) -> None:
        first = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{first['pointer'] or 'the document'}: {first['detail']}{more}")
        self.problems = list(problems)


class InvalidRouting(InvalidDocument):
    """A routing document that can't be used."""


class InvalidRules(InvalidDocument):
    """A document of rules that can't be used."""


class RulesMoved(Refused):
    """The rules are not at the version that the caller saw: look at them again, and decide again."""

    code = "version_conflict"


class RoutingMoved(Refused):
    """The routing configuration is not at the version that the caller saw: look at it again, and decide again."""

    code = "version_conflict"


class OwnApproval(Refused):
    """Who asked for something can't approve it: it takes a second person."""

    code = "own_approval"


class ApprovalMoved(Refused):
    """What is asked for is not what the caller has seen, or its payment has moved on since it was asked."""

    code = "version_conflict"


class CredentialRefused(Refused):
    """A new password, or the code that proves an authenticator, can't be taken; the message says why."""

    code = "validation_failed"


class UserRefused(Refused):
    """A user can't be added or changed like that; the message says why."""

    code = "validation_failed"


class InvalidReason(Refused):
    """The reason for a decision is missing, or can't be kept as it is."""

    code = "validation_failed"
