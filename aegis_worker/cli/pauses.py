"""`aegis gateways pause` and `aegis gateways resume`."""

from __future__ import annotations

import click

from aegis_worker.routing.changes import pause_gateway, resume_gateway
from aegis_worker.terminal.installation import cli_actor, configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, remark
from aegis_worker.views.gateways import paused_body


@click.command(epilog=examples('aegis gateways pause sandbox_a --reason "their maintenance window"'))
@click.argument("name")
@click.option("--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log.")
@json_option
def pause(name: str, reason: str, as_json: bool) -> None:
    """Stop sending new payments to a gateway, within two seconds.

    Payments that the gateway already has are still worked on. A new payment that no other gateway takes waits. Pausing a
    paused gateway changes nothing.
    """
    with opened_database() as database:
        changed = pause_gateway(database, name, known=configured_gateways(), actor=cli_actor(), reason=reason)
    _tell(name, paused=True, changed=changed, as_json=as_json)


@click.command(epilog=examples("aegis gateways resume sandbox_a"))
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Send new payments to a gateway again. Resuming a gateway that is not paused changes nothing."""
    with opened_database() as database:
        changed = resume_gateway(database, name, known=configured_gateways(), actor=cli_actor())
    _tell(name, paused=False, changed=changed, as_json=as_json)


def _tell(name: str, *, paused: bool, changed: bool, as_json: bool) -> None:
    if as_json:
        print_json(paused_body(name, paused=paused, changed=changed))
        return
    print_facts("Gateway", {"name": name, "paused": paused})
    if not changed:
        remark("It was so already; nothing was written.")
