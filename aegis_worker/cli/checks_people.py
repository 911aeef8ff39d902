"""`aegis doctor`'s checks of people: whether somebody can let others in, and whether what needs two of them goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from aegis_worker.queries.people import PeopleNumbers, operators_keys, people_numbers
from aegis_worker.terminal.output import duration

from .checks import Check, fail, ok, warn

# Whoever asked waits, and so do the payments.
_LATE_S = 4 * 3600.0
# Carrying out what was approved takes seconds, and beat goes on with it where that was interrupted.
_STUCK_S = 600.0


def people(connection: Connection, two_person_above: Mapping[str, int] | None) -> Iterator[Check]:
    """Who can use the console, and what waits for a second person. `two_person_above`: as in the settings."""
    numbers = people_numbers(connection)
    yield from _console(numbers)
    yield from _approvals(numbers, two_person_above, operators_keys(connection))


def _console(numbers: PeopleNumbers) -> Iterator[Check]:
    active = numbers.active("viewer", "operator", "admin")
    if not sum(numbers.users.values()):
        yield ok("console", "nobody has an account; `aegis users add NAME --role admin` makes one")
        return
    seen = f"{active} can log in, {numbers.active('admin')} of them as admin"
    if not numbers.active("admin"):
        advice = "`aegis users role NAME admin` or `aegis users reset-totp NAME`: nobody at the console can let others in"
        yield warn("console", seen, advice)
    elif numbers.lapsed or numbers.without_codes:
        seen += f"; {numbers.lapsed} let their welcome code run out, {numbers.without_codes} have no recovery code left"
        advice = (
            "`aegis users reset-totp NAME` gives a new welcome code; recovery codes are made anew on the account's page, "
            "before an authenticator is lost"
        )
        yield warn("console", seen, advice)
    else:
        yield ok("console", f"{seen}, each with an authenticator")


def _approvals(numbers: PeopleNumbers, above: Mapping[str, int] | None, keys: int) -> Iterator[Check]:
    waiting, oldest_s = sum(numbers.waiting.values()), max(numbers.oldest_age_s.values())
    seen = f"{waiting} wait for a second person" + (
        f", the oldest for {duration(oldest_s)}" if waiting else ""
    )
    deciding = numbers.active("operator", "admin") + keys
    if numbers.approved_age_s > _STUCK_S:
        yield fail(
            "approvals",
            f"{seen}; one was approved {duration(numbers.approved_age_s)} ago and is not carried out",
            "start beat and a worker: `aegis approvals list --status approved` shows it",
        )
    elif above is not None and deciding < 2:
        yield warn(
            "approvals",
            f"{seen}; {deciding} may decide, at the console or with an operator's key",
            "AEGIS_TWO_PERSON_ABOVE needs two: `aegis users add NAME --role operator`. At a shell `aegis approvals` serves",
        )
    elif oldest_s > _LATE_S:
        yield warn(
            "approvals", seen, "`aegis approvals list`; the console shows them under Approvals. They expire"
        )
    else:
        yield ok("approvals", seen if above is not None else f"{seen}; the rule of two people is off")
