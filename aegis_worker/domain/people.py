"""People at the console, what each may do, and who counts as one person. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "operator", "admin"]
"""viewer: sees everything. operator: decides, too. admin: says who the others are, too."""

ROLES: tuple[Role, ...] = get_args(Role)
ROLE_RULES: Mapping[Role, str] = {
    "viewer": "sees everything, and changes nothing",
    "operator": "decides about payments, refunds, pauses gateways, changes routing and rules",
    "admin": "adds people, gives roles, ends sessions",
}

UserStatus = Literal["invited", "active", "disabled"]
USER_STATUSES: tuple[UserStatus, ...] = get_args(UserStatus)

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?", re.ASCII)
NAME_RULE = "1 to 32 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends"


def is_user_name(name: str) -> bool:
    """Whether a person may have this name: in one spelling only, so that no two look alike in the audit log."""
    return _NAME.fullmatch(name) is not None


def may(role: Role, needed: Role) -> bool:
    """Whether a role may do what needs another one: each may do what those before it may."""
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in to the console."""

    name: str
    role: Role
    user_id: str
    session_id: str

    @property
    def actor(self) -> str:
        """The name that the audit log gives to this person."""
        return f"console:{self.name}"


def principal(actor: str) -> str:
    """Who an actor of the audit log is, for the question whether two are one person: `console:NAME`, `cli:NAME`, or an
    operator's key by its id, whatever its label says.
    """
    return actor.partition(" ")[0]
