"""`aegis routing check`."""

from __future__ import annotations

from pathlib import Path

import click

from aegis_worker.errors import InvalidRouting
from aegis_worker.matching.checks import place
from aegis_worker.routing.config import checked_routing, routing_document
from aegis_worker.terminal.installation import configured_gateways
from aegis_worker.terminal.output import examples, json_option, print_json, print_table

from ..config_documents import file_argument, read_document
from .documents import print_document


@click.command(name="check", epilog=examples("aegis routing check draft.toml"))
@file_argument
@json_option
@click.pass_context
def command(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Check a configuration against the gateways of config/gateways.toml, and name each wrong value.

    Shows the resulting configuration, including defaults. Needs no database. Exits with 1 when a value is wrong, and with 2
    when the file is not valid TOML or JSON.
    """
    gateways, document = configured_gateways(), read_document(path, as_json=as_json)
    try:
        config, problems = checked_routing(document, gateways), []
    except InvalidRouting as error:
        config, problems = None, error.problems
    if as_json:
        print_json({"file": str(path), "ok": config is not None, "problems": problems})
    elif config is not None:
        print_document(routing_document(config), f"Nothing is wrong in {path}")
    else:
        rows = [(place(problem["pointer"], document), problem["detail"]) for problem in problems]
        print_table(f"Wrong in {path}", ("where", "what"), rows)
    ctx.exit(0 if config is not None else 1)
