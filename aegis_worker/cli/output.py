"""How every subcommand speaks: results on standard output, as tables or JSON; progress and remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from aegis_worker.queries.wording import duration as duration
from aegis_worker.queries.wording import money as money

# A pipe has no width; a table that is cut at 80 columns can't be searched.
_WIDTH_OF_A_PIPE = 200

_STYLES = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "SUCCESS": "green",
    "AUTHORIZED": "green",
    "APPROVED": "green",
    "succeeded": "green",
    "delivered": "green",
    "FAILURE": "red",
    "DECLINED": "red",
    "failed": "red",
    "refused": "red",
    "dead": "red",
    "UNKNOWN": "yellow",
    "unknown": "yellow",
    "REQUIRES_ACTION": "yellow",
    "review": "bold yellow",
    "CLOSED": "green",
    "HALF_OPEN": "yellow",
    "OPEN": "bold red",
    "paused": "yellow",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


def examples(text: str) -> str:
    """The last paragraph of a command's help: its examples, one a line, as they are written."""
    return "\b\nExamples:\n" + "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())


def print_json(value: Any, *, one_line: bool = False) -> None:
    """`value` as JSON; times in ISO 8601. ASCII only, so that no terminal obeys what a gateway wrote into a message."""
    click.echo(json.dumps(value, indent=None if one_line else 2, default=_as_json))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; a column whose every value is a number is set to the right. Says so when there are no rows."""
    _console(sys.stdout).print(_table(title, columns, rows))


@contextmanager
def redrawn_table() -> Iterator[Callable[[str, Sequence[str], Sequence[Sequence[Any]]], None]]:
    """Yields what prints a table in the place of the one before; below it, where standard output is no terminal."""
    console = _console(sys.stdout)
    if not console.is_terminal:
        yield print_table
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        yield lambda title, columns, rows: live.update(_table(title, columns, rows), refresh=True)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Group:
    heading = Text(title, style="bold")
    if not rows:
        return Group(heading, Text("  none", style="dim"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return Group(heading, table)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Names and values of one thing, below each other; what is not there (None) is left out."""
    console = _console(sys.stdout)
    console.print(Text(title, style="bold"))
    shown = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        # Not wrapped: a key or an address that the terminal breaks can't be copied.
        console.print(Text.assemble((f"  {name:<{width}}  ", "dim"), _cell(value)), soft_wrap=True)


def remark(text: str) -> None:
    """Something for the person at the terminal, beside the result."""
    click.echo(plain(text), err=True)


def plain(value: Any) -> str:
    """`value` in one line without control characters: data must not steer a terminal."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "–" if value is None else str(value)
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error, moved on by calling what this yields; shows nothing where that is no terminal.

    By one, or by the number that it is called with.
    """
    counted: tuple[ProgressColumn, ...] = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        *(counted if total is not None else (SpinnerColumn(),)),
        console=_console(sys.stderr),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda steps=1: bar.advance(task, steps)


def _console(file: IO[str]) -> Console:
    # Made for each use: the tests and `--json` redirect the streams.
    width = None if file.isatty() else _WIDTH_OF_A_PIPE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: Any) -> Text:
    text = plain(value)
    return Text(text, style=_STYLES.get(text, ""))


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
