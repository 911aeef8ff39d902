"""`aegis users`: who may use the console."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import click

from aegis_worker.domain.people import ROLES, Role
from aegis_worker.people import sessions, users
from aegis_worker.people.users import Welcomed
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark

_reason = click.option(
    "--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log."
)


@click.group(
    name="users",
    epilog=examples(
        """
        aegis users add ada --role admin
        aegis users list
        aegis users role ada operator --reason "moved to the night shift"
        aegis users reset-totp ada --reason "lost the phone, seen in person"
        aegis users disable ada --reason "left the company"
        aegis users sessions --end-all ada --reason "laptop stolen"
        """
    ),
)
def command() -> None:
    """Say who may use the console, with which role, and end sessions."""


@command.command(epilog=examples("aegis users add ada --role admin"))
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer sees everything; operator decides, too; admin says who the others are, too.",
)
@click.option("--reason", default="added at a terminal", help="The reason; kept in the audit log.")
@json_option
def add(name: str, role: Role, reason: str, as_json: bool) -> None:
    """Add somebody and print a welcome code, with which they choose a password and set up an authenticator.

    The code is good for a day, and is not shown again. A name is never given twice.
    """
    settings = load_settings()
    with opened_database() as database:
        ring = KeyRing(settings.sealing_keys)
        welcomed = users.add_user(database, ring, name, role, actor=cli_actor(), reason=reason)
    _tell(welcomed, settings.console.url, as_json)


@command.command(name="list", epilog=examples("aegis users list"))
@json_option
def list_(as_json: bool) -> None:
    """Show everybody who has or had an account."""
    with opened_database() as database:
        found = users.list_users(database)
    shown = [
        {"name": user.name, "role": user.role, "status": user.status, "created_at": user.created_at}
        for user in found
    ]
    if as_json:
        print_json(shown)
        return
    print_table("Users", ("name", "role", "status", "added (UTC)"), [tuple(one.values()) for one in shown])


@command.command(epilog=examples('aegis users role ada operator --reason "moved to the night shift"'))
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@_reason
@json_option
def role(name: str, role: Role, reason: str, as_json: bool) -> None:
    """Give somebody another role, at once."""
    with opened_database() as database:
        changed = users.set_role(database, name, role, actor=cli_actor(), reason=reason)
    _tell_changed({"name": name, "role": role}, changed, as_json)


@command.command(epilog=examples('aegis users disable ada --reason "left the company"'))
@click.argument("name")
@_reason
@json_option
def disable(name: str, reason: str, as_json: bool) -> None:
    """Keep somebody out from now on, and end their sessions. `reset-totp` lets them in again."""
    with opened_database() as database:
        changed = users.disable_user(database, name, actor=cli_actor(), reason=reason)
    _tell_changed({"name": name, "status": "disabled"}, changed, as_json)


@command.command(
    name="reset-totp", epilog=examples('aegis users reset-totp ada --reason "lost the phone, seen in person"')
)
@click.argument("name")
@_reason
@json_option
def reset_totp(name: str, reason: str, as_json: bool) -> None:
    """Print a new welcome code for somebody whose authenticator or password is lost.

    Both are chosen anew with it. Until then they can't log in, and their sessions end. See that it is they who ask.
    """
    settings = load_settings()
    with opened_database() as database:
        ring = KeyRing(settings.sealing_keys)
        welcomed = users.reset_user(database, ring, name, actor=cli_actor(), reason=reason)
    _tell(welcomed, settings.console.url, as_json)


@command.command(
    name="sessions",
    epilog=examples(
        """
        aegis users sessions
        aegis users sessions --end ses_0199f5… --reason "left open at a customer's"
        aegis users sessions --end-all ada --reason "laptop stolen"
        """
    ),
)
@click.option("--of", "name", metavar="NAME", help="Show only those of this user.")
@click.option("--end", "session_id", metavar="ID", help="End this session, at once.")
@click.option("--end-all", metavar="NAME", help="End all sessions of this user, at once.")
@click.option("--reason", default="", help="With --end and --end-all: the reason; kept in the audit log.")
@json_option
def sessions_(
    name: str | None, session_id: str | None, end_all: str | None, reason: str, as_json: bool
) -> None:
    """Show who is logged in, from where and since when; or end sessions."""
    settings = load_settings()
    with opened_database() as database:
        if session_id is not None:
            ended = sessions.end_session(database, session_id, actor=cli_actor(), reason=reason)
            _tell_changed({"session": session_id, "status": "ended"}, ended, as_json)
            return
        if end_all is not None:
            number = sessions.end_sessions_of(database, end_all, actor=cli_actor(), reason=reason)
            _tell_changed({"name": end_all, "sessions ended": number}, number > 0, as_json)
            return
        found = sessions.list_sessions(database, settings.console_idle_s, name)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        "Open sessions",
        ("id", "name", "role", "from", "browser", "begun (UTC)", "last click (UTC)"),
        [(one.id, one.name, one.role, one.address, one.agent, one.created_at, one.seen_at) for one in found],
    )


def _tell(welcomed: Welcomed, url: str, as_json: bool) -> None:
    # Without an address of its own the console is where `aegis up` and the command line find the API.
    page = f"{url or os.environ.get('AEGIS_API_URL') or 'http://127.0.0.1:8000'}/console/welcome"
    facts: dict[str, Any] = {
        "name": welcomed.name,
        "role": welcomed.role,
        "page": page,
        "code": welcomed.code,
    }
    if as_json:
        print_json(facts)
        return
    print_facts("Welcome code", facts)
    remark(
        "Good for a day, once. Give page and code to them and to nobody else; the code is not shown again."
    )


def _tell_changed(facts: dict[str, Any], changed: bool, as_json: bool) -> None:
    if as_json:
        print_json({**facts, "changed": changed})
        return
    print_facts("User", facts)
    if not changed:
        remark("It was so already; nothing was written.")
