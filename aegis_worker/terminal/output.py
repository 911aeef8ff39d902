"""How every subcommand speaks: results on standard output, as tables or JSON; progress and remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any

import click
from rich import box
from rich.cells import cell_len
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

from aegis_worker.domain.moments import readable, rfc3339
from aegis_worker.queries.wording import duration as duration
from aegis_worker.queries.wording import money as money

# The width for a pipe, which has none: a table that is cut at 80 columns can't be searched with grep.
_WIDTH_OF_A_PIPE = 200
# Characters between columns, and where there is little room.
_GAP, _TIGHT_GAP = 3, 2

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
    """`value` as JSON, times as the API has them. In ASCII, so that no terminal obeys what a gateway put into a message."""
    click.echo(json.dumps(value, indent=None if one_line else 2, default=_as_json))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, spare: Collection[str] = ()
) -> None:
    """A table; a column whose every value is a number is set to the right. Says so when there are no rows.

    Of the `spare` columns, those that a narrow terminal has no room for are left out.
    """
    console = _console(sys.stdout)
    console.print(_table(title, columns, rows, console.width, spare))


@contextmanager
def redrawn_table(
    spare: Collection[str] = (),
) -> Iterator[Callable[[str, Sequence[str], Sequence[Sequence[Any]]], None]]:
    """Yields what prints a table in the place of the one before; below it, where standard output is no terminal."""
    console = _console(sys.stdout)
    if not console.is_terminal:
        yield print_table
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        yield lambda title, columns, rows: live.update(
            _table(title, columns, rows, console.width, spare), refresh=True
        )


def _table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int,
    spare: Collection[str] = (),
) -> Group:
    heading = Text(title, style="bold")
    if not rows:
        return Group(heading, Text("  none", style="dim"))
    texts = [[name, *(plain(row[index]) for row in rows)] for index, name in enumerate(columns)]
    widths: Mapping[int, int | None] = dict.fromkeys(range(len(columns)))
    gap = _GAP
    if sum(max(map(cell_len, cells)) for cells in texts) + gap * (len(columns) - 1) > width:
        widths, gap = _tight(texts, width, spare), _TIGHT_GAP
    # A border of one character stands between the paddings of two columns.
    padding = (0, 1) if gap == _GAP else (0, 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    for index, fixed in widths.items():
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(
            Text(columns[index]), justify="right" if numeric else "left", overflow="fold", width=fixed
        )
    for row in rows:
        table.add_row(*(_cell(row[index]) for index in widths))
    return Group(heading, table)


def _tight(texts: Sequence[Sequence[str]], width: int, spare: Collection[str]) -> Mapping[int, int | None]:
    """The columns that are shown where not all fit, with widths at which lines break between words; None: any width."""
    words = [max(cell_len(word) for text in cells for word in text.split() or [""]) for cells in texts]
    shown = list(range(len(texts)))

    def left() -> int:
        return width - sum(words[index] for index in shown) - _TIGHT_GAP * (len(shown) - 1)

    for index in reversed(range(len(texts))):
        if left() < 0 and texts[index][0] in spare:
            shown.remove(index)
    room = left()
    if room < 0:
        return dict.fromkeys(shown)
    wanted = {index: max(map(cell_len, texts[index])) - words[index] for index in shown}
    widths: dict[int, int | None] = dict.fromkeys(shown)
    for index in sorted(shown, key=wanted.__getitem__):
        more = min(wanted[index], room)
        widths[index], room = words[index] + more, room - more
    return widths


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
    """`value` in one line without control characters: data must not steer a terminal. A time is in UTC."""
    if isinstance(value, datetime):
        return readable(value)
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
    # A console is made for each use, because tests and `--json` replace the streams.
    width = None if file.isatty() else _WIDTH_OF_A_PIPE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: Any) -> Text:
    text = plain(value)
    return Text(text, style=_STYLES.get(text, ""))


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
