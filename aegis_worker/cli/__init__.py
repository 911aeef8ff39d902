"""The `aegis` command. Each subcommand is a module of its own, imported only when it is called, so that each starts fast.

Exit codes: 0 done; 1 done, and something is wrong with payments or the installation; 2 wrong usage; 3 could not be done.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from aegis_worker import __version__
from aegis_worker.errors import AegisError
from aegis_worker.observability.logs import configure_logs, log_the_uncaught
from aegis_worker.observability.refusals import one_line

from .streams import readers_may_leave

# Subcommand: (module, what `aegis --help` says).
COMMANDS = {
    "up": ("up", "Start everything here and keep it running."),
    "demo": ("demo", "Run payments end to end, compare with the gateways' ledgers, and exit."),
    "bench": ("bench", "Measure what this machine can do, on a throw-away installation."),
    "crashtest": ("crash", "Kill processes at every crash point under load, and check what comes out."),
    "migrate": ("migrate", "Bring the database schema up to date."),
    "keys": ("keys", "Create, list and revoke API keys."),
    "pay": ("pay", "Post one payment, or a file of them, and wait for the results."),
    "status": ("status", "Show a payment and its job."),
    "timeline": ("timeline", "Show what happened to a payment, event by event."),
    "reconcile": ("reconcile", "Compare with the gateways and repair what is stuck."),
    "explain": ("explain", "Say why a payment is in its state, and what happens next."),
    "reviews": ("reviews", "Show what waits for a person, with the evidence."),
    "resolve": ("resolve", "Decide about a payment that waits for a person."),
    "audit-log": ("audit_log", "Show who decided what, and verify that nothing was changed."),
    "audit": ("audit", "Check the invariants on every payment, and freeze what can't be trusted."),
    "replay": ("replay", "Fold a payment's events and compare with its row."),
    "gateways": ("gateways", "Show how the payment gateways do: breakers, success, latencies."),
    "outbox": ("outbox", "Show, drain and redeliver events."),
    "relay": ("relay", "Work without Redis: process, verify and deliver from the database."),
    "routing": ("routing", "Show, check and change how payments are routed."),
    "doctor": ("doctor", "Check the installation and say what to do."),
}


class LazyGroup(click.Group):
    """A group whose subcommands are modules under `package`: (module, summary) by name, each with a `command`."""

    def __init__(
        self, *args: Any, package: str, modules: Mapping[str, tuple[str, str]], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self._package, self._modules = package, modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(f"{self._package}.{self._modules[cmd_name][0]}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._modules.items()])


@click.group(
    cls=LazyGroup,
    package=__name__,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="aegis")
def cli() -> None:
    """AegisPay: payments accepted in milliseconds, charged once, whatever crashes."""


def main() -> None:
    """The console script: errors of ours become one line that says what to do."""
    configure_logs("WARNING")
    log_the_uncaught()
    with readers_may_leave():
        try:
            cli()
        except AegisError as error:
            click.echo(one_line(error), err=True)
            sys.exit(3)
