"""`aegis routing apply`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import click

from aegis_worker.errors import NotFound
from aegis_worker.persistence import routing_versions
from aegis_worker.persistence.database import Database
from aegis_worker.routing.changes import put_routing
from aegis_worker.routing.config import RoutingConfig, load_routing, parse_routing
from aegis_worker.terminal.installation import cli_actor, configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, remark
from aegis_worker.views.routing import routing_body

from ..config_documents import read_document
from .documents import routing_file


@click.command(
    name="apply",
    epilog=examples(
        """
        aegis routing apply draft.toml --reason "the new contract begins today"
        aegis routing apply --version 6 --reason "version 7 sent too much to sandbox_b"
        aegis routing apply --back-to-file --reason "the experiment is over"
        """
    ),
)
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--version", "old", type=click.IntRange(1), help="Apply the configuration of this earlier version."
)
@click.option("--back-to-file", is_flag=True, help="Bring config/routing.toml into force again.")
@click.option("--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log.")
@click.option(
    "--if-version",
    "expected_version",
    type=click.IntRange(0),
    help="Refuse the change if another version than this is in force.",
)
@json_option
def command(
    path: Path | None,
    old: int | None,
    back_to_file: bool,
    reason: str,
    expected_version: int | None,
    as_json: bool,
) -> None:
    """Change the routing configuration; every worker uses it within two seconds.

    The configuration is checked first; if anything in it is wrong, all of it is refused. If it is already in force, nothing
    is written.
    """
    if [path is not None, old is not None, back_to_file].count(True) != 1:
        raise click.UsageError("say what shall hold: one of FILE, --version and --back-to-file")
    gateways = configured_gateways()
    from_file = load_routing(routing_file(), gateways)
    with opened_database() as database:
        config = None
        if path is not None:
            config = parse_routing(read_document(path, as_json=as_json), gateways=gateways, where=str(path))
        elif old is not None:
            config = _of_version(database, old, gateways)
        before = _newest(database)
        held = put_routing(
            database, config, actor=cli_actor(), reason=reason, expected_version=expected_version
        )
    body = routing_body(held, from_file, gateways)
    if as_json:
        print_json(body)
        return
    facts = {"version": body["version"], "source": body["source"], "because": body["reason"]}
    print_facts("Routing", facts)
    if body["version"] == before:
        remark("It held already; nothing was written.")
    else:
        back = f"--version {before}" if before else "--back-to-file"
        remark(f"Workers go by it within two seconds. Back again: aegis routing apply {back} --reason …")


def _newest(database: Database) -> int:
    with database.read() as connection:
        held = routing_versions.VERSIONS.newest_version(connection)
    return held.version if held else 0


def _of_version(database: Database, version: int, gateways: Collection[str]) -> RoutingConfig | None:
    with database.read() as connection:
        found = routing_versions.VERSIONS.history(connection, limit=1, before_version=version + 1)
    if not found or found[0].version != version:
        raise NotFound(f"there is no routing version {version}; `aegis routing history` lists them")
    document = found[0].document
    if document is None:
        return None
    return parse_routing(document, gateways=gateways, where=f"version {version}")
