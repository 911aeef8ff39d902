"""Reports a given file that is not in the required form: wrong usage, with the place of the error."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click

from aegis_worker.terminal.output import plain, print_json


class Unreadable(click.ClickException):
    """Ends the command with 2. With --json, standard output gets the same form as for a file with wrong values."""

    exit_code = 2

    def __init__(self, path: Path, why: str, *, line: int, column: int, as_json: bool) -> None:
        super().__init__(f"{path}: line {line}, column {column}: {why}")
        self._document = {
            "file": str(path),
            "ok": False,
            "problems": [
                {"pointer": "", "code": "syntax_error", "line": line, "column": column, "detail": why}
            ],
        }
        self._as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error."""
        if self._as_json:
            print_json(self._document)
        click.echo(f"aegis: {plain(self.message)}", err=True)
