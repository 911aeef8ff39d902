"""`aegis rules apply`."""

from __future__ import annotations

from pathlib import Path

import click

from aegis_worker.errors import NotFound
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.rules.changes import put_rules
from aegis_worker.rules.config import load_rules, parse_rules
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, remark
from aegis_worker.views.rules import rules_body

from .documents import read_rules, rules_file


@click.command(
    name="apply",
    epilog=examples(
        """
        aegis rules apply draft.toml --reason "a wave of stolen cards"
        aegis rules apply --version 2 --reason "version 3 sent too much to review"
        aegis rules apply --back-to-file --reason "the wave is over"
        """
    ),
)
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--version", "old", type=click.IntRange(1), help="Apply the rules of this earlier version.")
@click.option("--back-to-file", is_flag=True, help="Bring config/rules.toml into force again.")
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
    """Change the rules; every worker uses them within two seconds.

    They are checked first; if anything in them is wrong, all of them are refused. If they are already in force, nothing is
    written.
    """
    if [path is not None, old is not None, back_to_file].count(True) != 1:
        raise click.UsageError("say what shall hold: one of FILE, --version and --back-to-file")
    from_file = load_rules(rules_file())
    draft = read_rules(path, as_json=as_json) if path is not None else None
    with opened_database() as database:
        config = draft if old is None else _of_version(database, old)
        with database.read() as connection:
            held = VERSIONS.newest_version(connection)
        before = held.version if held else 0
        held = put_rules(
            database, config, actor=cli_actor(), reason=reason, expected_version=expected_version
        )
    body = rules_body(held, from_file)
    if as_json:
        print_json(body)
        return
    print_facts("Rules", {"version": body["version"], "source": body["source"], "because": body["reason"]})
    if body["version"] == before:
        remark("They held already; nothing was written.")
    else:
        back = f"--version {before}" if before else "--back-to-file"
        remark(f"Workers go by them within two seconds. Back again: aegis rules apply {back} --reason …")


def _of_version(database: Database, version: int) -> RulesConfig | None:
    with database.read() as connection:
        found = VERSIONS.history(connection, limit=1, before_version=version + 1)
    if not found or found[0].version != version:
        raise NotFound(f"there is no version {version} of the rules; `aegis rules history` lists them")
    document = found[0].document
    return None if document is None else parse_rules(document, where=f"version {version}")
