"""The `aegis` command. Each subcommand is a module that is imported only when it is called, so that each starts fast.

Exit codes: 0 done; 1 done, but something is wrong with payments or the installation; 2 wrong usage; 3 could not be done.
"""

from __future__ import annotations

import sys

import click

from aegis_worker import __version__
from aegis_worker.errors import AegisError
from aegis_worker.observability.logs import configure_logs, log_the_uncaught
from aegis_worker.observability.refusals import one_line
from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.streams import readers_may_leave

# Subcommand: (module, relative to this package, and its line in `aegis --help`).
COMMANDS = {
    "up": (".up", "Start everything here and keep it running."),
    "demo": ("..lab.demo", "Run payments end to end, compare with the gateways' ledgers, and exit."),
    "bench": ("..lab.bench", "Measure what this machine can do, on a throw-away installation."),
    "chaos": ("..lab.chaos", "Break things on purpose under load, and see whether a hypothesis holds."),
    "crashtest": ("..lab.crash", "Kill processes at every crash point under load, and check what comes out."),
    "explore": (".explore", "Explore every interleaving of a payment's life with a few faults."),
    "migrate": (".migrate", "Bring the database schema up to date."),
    "keys": (".keys", "Create, list and revoke API keys."),
    "pay": (".pay", "Post one payment, or a file of them, and wait for the results."),
    "capture": (".capture", "Capture what a payment holds, or a part of it."),
    "cancel": (".cancel", "Cancel a payment, or release what it holds."),
    "refund": (".refund", "Give back what was captured, or a part of it."),
    "captures": (".captures", "Show the captures of all merchants."),
    "refunds": (".refunds", "Show the refunds of all merchants."),
    "disputes": (".disputes", "Show what payers' banks question."),
    "top": (".top", "Show everything at a glance, live."),
    "tail": (".tail", "Follow events as they are told."),
    "status": (".status", "Show a payment and its job."),
    "timeline": (".timeline", "Show what happened to a payment, event by event."),
    "reconcile": (".reconcile", "Compare with the gateways and repair what is stuck."),
    "explain": (".explain", "Say why a payment is in its state, and what happens next."),
    "reviews": (".reviews", "Show what waits for a person, with the evidence."),
    "resolve": (".resolve", "Decide about a payment that waits for a person."),
    "approvals": (".approvals", "Show, approve and refuse what needs a second person."),
    "users": (".users", "Say who may use the console, with which role, and end sessions."),
    "audit-log": (".audit_log", "Show who decided what, and verify that nothing was changed."),
    "audit": (".audit", "Check the invariants on every payment, and freeze what can't be trusted."),
    "replay": (".replay", "Fold a payment's events and compare with its row."),
    "erase": (".erase", "Erase the personal data of a customer's payments."),
    "vault": (".vault", "Look after the card vault: its schema, its keys, its stores."),
    "gateways": (".gateways", "Show how the payment gateways do: breakers, success, latencies."),
    "hooks": (".hooks", "Show the hooks that are loaded, their limits, times and failures."),
    "gateway-events": (".gateway_events", "Show and retry what payment gateways told us."),
    "projections": (".projections", "Show and rebuild the read models of analytics and search."),
    "outbox": (".outbox", "Show, drain and redeliver events."),
    "relay": (".relay", "Work without Redis: process, verify and deliver from the database."),
    "emulator": (".emulator", "Run payment gateways to test against, without AegisPay."),
    "new-gateway": (
        "..lab.skeleton",
        "Write the skeleton of a payment gateway's adapter, in a package of its own.",
    ),
    "routing": (".routing", "Show, check and change how payments are routed."),
    "rules": (".rules", "Show, check, change and try the rules that screen payments."),
    "doctor": (".doctor", "Check the installation and say what to do."),
}


@click.group(
    cls=LazyGroup,
    package=__name__,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="aegis")
def cli() -> None:
    """AegisPay accepts payments in milliseconds and charges each once, even if processes crash."""


def main() -> None:
    """The console script. It turns our own errors into one line that says what to do."""
    configure_logs("WARNING")
    log_the_uncaught()
    with readers_may_leave():
        try:
            cli()
        except AegisError as error:
            click.echo(one_line(error), err=True)
            sys.exit(3)
        except UnicodeEncodeError:
            # No store, file or server takes it; where nobody gave it, it is a fault of ours.
            if all(map(_is_text, sys.argv)):
                raise
            click.echo("aegis: an argument is not UTF-8", err=True)
            sys.exit(2)


def _is_text(argument: str) -> bool:
    """Whether the shell gave UTF-8; Python stands in half a surrogate pair for each byte that isn't."""
    return not any("\ud800" <= character <= "\udfff" for character in argument)
