"""What waits for a second person, and who may use the console, in numbers for a monitor and for `aegis doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from aegis_worker.domain.approvals import APPROVAL_KINDS, ApprovalKind
from aegis_worker.domain.people import ROLES, USER_STATUSES, Role, UserStatus

MOST_COUNTED = 10_000

_APPROVALS = """
SELECT kind, count(*) FILTER (WHERE status = 'asked') AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - min(asked_at) FILTER (WHERE status = 'asked')), 0)::float8
        AS oldest_age_s,
    coalesce(extract(epoch FROM clock_timestamp() - min(decided_at) FILTER (WHERE status = 'approved')), 0)::float8
        AS approved_age_s
FROM (
    SELECT kind, status, asked_at, decided_at FROM approvals WHERE status IN ('asked', 'approved')
    ORDER BY expires_at LIMIT %(most)s
) a GROUP BY kind
"""
_USERS = """
SELECT role, status, count(*) AS users, count(*) FILTER (WHERE code_until <= clock_timestamp()) AS lapsed,
    count(*) FILTER (WHERE status = 'active' AND NOT EXISTS (
        SELECT FROM console_recovery_codes c WHERE c.user_id = u.id)) AS without_codes
FROM (SELECT id, role, status, code_until FROM console_users ORDER BY name LIMIT %(most)s) u GROUP BY role, status
"""
_KEYS = "SELECT count(*) FROM (SELECT FROM api_keys WHERE role = 'operator' AND revoked_at IS NULL LIMIT %(most)s) k"


@dataclass(frozen=True, slots=True)
class PeopleNumbers:
    """Counts, each up to MOST_COUNTED, and ages in seconds; 0 where nothing waits.

    `approved_age_s`: for how long the oldest that was approved has not been carried out. `users` by role and status.
    `lapsed` were invited and let their code run out; `without_codes` have used up their recovery codes.
    """

    waiting: Mapping[ApprovalKind, int]
    oldest_age_s: Mapping[ApprovalKind, float]
    approved_age_s: float
    users: Mapping[tuple[Role, UserStatus], int]
    lapsed: int
    without_codes: int

    def active(self, *roles: Role) -> int:
        """How many with one of these roles can log in."""
        return sum(self.users[role, "active"] for role in roles)


def people_numbers(connection: Connection) -> PeopleNumbers:
    """What waits for people now, and who they are."""
    names = {"most": MOST_COUNTED}
    asked = {row.kind: row for row in connection.exec_driver_sql(_APPROVALS, names)}
    users = connection.exec_driver_sql(_USERS, names).all()
    by_role = {(row.role, row.status): row.users for row in users}
    return PeopleNumbers(
        waiting={kind: asked[kind].waiting if kind in asked else 0 for kind in APPROVAL_KINDS},
        oldest_age_s={kind: asked[kind].oldest_age_s if kind in asked else 0.0 for kind in APPROVAL_KINDS},
        approved_age_s=max((row.approved_age_s for row in asked.values()), default=0.0),
        users={(role, status): by_role.get((role, status), 0) for role in ROLES for status in USER_STATUSES},
        lapsed=sum(row.lapsed for row in users),
        without_codes=sum(row.without_codes for row in users),
    )


def operators_keys(connection: Connection) -> int:
    """How many operators' keys are good, up to MOST_COUNTED."""
    return int(connection.exec_driver_sql(_KEYS, {"most": MOST_COUNTED}).scalar_one())
