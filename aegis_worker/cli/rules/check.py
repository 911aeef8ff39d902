"""`aegis rules check`."""

from __future__ import annotations

from pathlib import Path

import click

from aegis_worker.domain.json_pointers import steps
from aegis_worker.errors import InvalidRules
from aegis_worker.matching.checks import place
from aegis_worker.rules.config import checked_rules_document
from aegis_worker.terminal.output import examples, json_option, print_json, print_table
from aegis_worker.toml_lines import line_of

from ..config_documents import file_argument, read_document
from .documents import print_rules, toml_text


@click.command(name="check", epilog=examples("aegis rules check draft.toml"))
@file_argument
@json_option
@click.pass_context
def command(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Check rules, and name each wrong value with its line.

    Shows the resulting rules. Needs no database. Exits with 1 when a value is wrong, and with 2 when the file is not valid
    TOML or JSON.
    """
    document = read_document(path, as_json=as_json)
    try:
        config, problems = checked_rules_document(document), []
    except InvalidRules as error:
        config, text = None, toml_text(path)
        problems = [
            {**problem, "line": line_of(text, steps(problem["pointer"])) if text is not None else None}
            for problem in error.problems
        ]
    if as_json:
        print_json({"file": str(path), "ok": config is not None, "problems": problems})
    elif config is not None:
        print_rules(config, f"Nothing is wrong in {path}")
    else:
        rows = [
            (problem["line"], place(str(problem["pointer"]), document), problem["detail"])
            for problem in problems
        ]
        print_table(f"Wrong in {path}", ("line", "where", "what"), rows)
    ctx.exit(0 if config is not None else 1)
