"""`aegis rules`: show the rules, change them while everything runs, and try a change on past payments first."""

from __future__ import annotations

from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.output import examples

_COMMANDS = {
    "show": (".show", "Show the rules that hold now."),
    "check": (".check", "Check a file, and name each wrong value with its line."),
    "apply": (".apply", "Have other rules hold."),
    "simulate": (".simulate", "Try rules on past payments."),
    "history": (".history", "Show who changed them, when and why."),
}

command = LazyGroup(
    name="rules",
    package=__name__,
    modules=_COMMANDS,
    help="Show the rules that screen payments, and change them while everything runs.",
    epilog=examples(
        """
        aegis rules show
        aegis rules check draft.toml
        aegis rules simulate draft.toml --since 7d
        aegis rules apply draft.toml --reason "a wave of stolen cards"
        """
    ),
)
