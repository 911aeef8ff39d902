"""`aegis routing`: show the configuration, change it while everything runs, and try a change on past payments first."""

from __future__ import annotations

from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.output import examples

_COMMANDS = {
    "show": (".show", "Show what routing goes by now."),
    "check": (".check", "Check a file, and name each wrong value."),
    "apply": (".apply", "Have another configuration hold."),
    "simulate": (".simulate", "Try a configuration on past payments."),
    "arms": (".arms", "Show what an A/B test has come to."),
    "history": (".history", "Show who changed it, when and why."),
}

command = LazyGroup(
    name="routing",
    package=__name__,
    modules=_COMMANDS,
    help="Show how payments are routed, and change it while everything runs.",
    epilog=examples(
        """
        aegis routing show
        aegis routing check draft.toml
        aegis routing simulate --since 7d --config draft.toml
        aegis routing apply draft.toml --reason "the new contract begins today"
        """
    ),
)
