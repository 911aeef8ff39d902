"""The subcommands that every configuration in versions has: check, apply and history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any, Generic

import click

from aegis_worker.domain.json_pointers import steps
from aegis_worker.errors import InvalidDocument, NotFound
from aegis_worker.matching.checks import place
from aegis_worker.matching.documents import usable_document
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.versions import Version
from aegis_worker.terminal.installation import cli_actor, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark
from aegis_worker.toml_lines import line_of
from aegis_worker.versioned import Config, Installed, Versioned
from aegis_worker.views.versions import held_body, version_body

from .config_documents import file_argument, read_document, toml_text


@dataclass(frozen=True, slots=True)
class Spoken:
    """How the commands speak of one kind: `it` is "It" or "They", `one_version` has a place for the number."""

    title: str
    what: str
    it: str
    them: str
    one_version: str
    versions: str


@dataclass(frozen=True, slots=True)
class VersionedCommands(Generic[Config]):
    """The subcommands of one kind.

    `file`: the path of its file, from config/ on. `installed`: the kind in this process. `reader`: how a document is read
    here, whatever the file says. `show`: prints a configuration under a title. `columns`: two more of the history's
    columns, and what stands in them for a document, which is None where the file came into force again.
    """

    kind: Versioned[Config]
    spoken: Spoken
    file: str
    installed: Callable[[], Installed[Config]]
    reader: Callable[[], Callable[[Any], Config]]
    show: Callable[[Config, str], None]
    columns: tuple[str, str]
    described: Callable[[Mapping[str, Any] | None], tuple[Any, Any]]

    def read(self, path: Path, *, as_json: bool) -> Config:
        """The configuration of a file. Raises ConfigurationError, one line for each wrong value; Unreadable."""
        document = read_document(path, as_json=as_json)
        return usable_document(self.reader(), document, where=str(path), text=toml_text(path))

    def check(self, about: str) -> click.Command:
        """The command that checks a file."""

        @click.command(
            name="check", help=cleandoc(about), epilog=examples(f"aegis {self.kind.name} check draft.toml")
        )
        @file_argument
        @json_option
        @click.pass_context
        def command(ctx: click.Context, path: Path, as_json: bool) -> None:
            checked, document = self.reader(), read_document(path, as_json=as_json)
            config: Config | None = None
            problems: list[dict[str, Any]] = []
            try:
                config = checked(document)
            except InvalidDocument as error:
                text = toml_text(path)
                for problem in error.problems:
                    line = line_of(text, steps(problem["pointer"])) if text is not None else None
                    problems.append({**problem, "line": line})
            if as_json:
                print_json({"file": str(path), "ok": config is not None, "problems": problems})
            elif config is not None:
                self.show(config, f"Nothing is wrong in {path}")
            else:
                rows = [
                    (problem["line"], place(problem["pointer"], document), problem["detail"])
                    for problem in problems
                ]
                print_table(f"Wrong in {path}", ("line", "where", "what"), rows)
            ctx.exit(0 if config is not None else 1)

        return command

    def apply(self, about: str, shown: str) -> click.Command:
        """The command that has another configuration hold; `shown`: its examples."""
        spoken = self.spoken

        @click.command(name="apply", help=cleandoc(about), epilog=examples(shown))
        @click.argument(
            "path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False, path_type=Path)
        )
        @click.option(
            "--version",
            "old",
            type=click.IntRange(1),
            help=f"Apply the {spoken.what} of this earlier version.",
        )
        @click.option("--back-to-file", is_flag=True, help=f"Bring {self.file} into force again.")
        @click.option(
            "--reason", required=True, help="The reason, in 3 to 500 characters; kept in the audit log."
        )
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
            if [path is not None, old is not None, back_to_file].count(True) != 1:
                raise click.UsageError("say what shall hold: one of FILE, --version and --back-to-file")
            installed = self.installed()
            draft = self.read(path, as_json=as_json) if path is not None else None
            with opened_database() as database:
                config = draft if old is None else self._of_version(database, installed, old)
                before = self._newest(database)
                held = self.kind.put(
                    database, config, actor=cli_actor(), reason=reason, expected_version=expected_version
                )
            self._print_applied(held_body(installed, held), before, as_json=as_json)

        return command

    def _newest(self, database: Database) -> int:
        with database.read() as connection:
            held = self.kind.versions.newest_version(connection)
        return held.version if held else 0

    def _of_version(self, database: Database, installed: Installed[Config], number: int) -> Config | None:
        with database.read() as connection:
            found = self.kind.versions.numbered(connection, number)
        if found is None:
            one = self.spoken.one_version.format(number)
            raise NotFound(f"there is no {one}; `aegis {self.kind.name} history` lists them")
        if found.document is None:
            return None
        return usable_document(installed.checked, found.document, where=f"version {number}")

    def _print_applied(self, body: dict[str, Any], before: int, *, as_json: bool) -> None:
        if as_json:
            print_json(body)
            return
        facts = {"version": body["version"], "source": body["source"], "because": body["reason"]}
        print_facts(self.spoken.title, facts)
        if body["version"] == before:
            remark(f"{self.spoken.it} held already; nothing was written.")
        else:
            back = f"--version {before}" if before else "--back-to-file"
            remark(
                f"Workers go by {self.spoken.them} within two seconds. "
                f"Back again: aegis {self.kind.name} apply {back} --reason …"
            )

    def history(self, about: str) -> click.Command:
        """The command that lists the versions."""

        @click.command(
            name="history",
            help=cleandoc(about),
            epilog=examples(f"aegis {self.kind.name} history --limit 5 --json"),
        )
        @click.option(
            "--limit",
            type=click.IntRange(1, 1000),
            default=20,
            show_default=True,
            help="Show the newest N versions.",
        )
        @json_option
        def command(limit: int, as_json: bool) -> None:
            with opened_database() as database, database.read() as connection:
                versions = self.kind.versions.history(connection, limit=limit)
            if as_json:
                print_json([version_body(self.kind, version) for version in versions])
                return
            titles = ("version", "at (UTC)", "who", *self.columns, "why")
            print_table(self.spoken.versions, titles, [self._row(version) for version in versions])

        return command

    def _row(self, version: Version) -> tuple[Any, ...]:
        described = self.described(version.document)
        return version.version, version.created_at, version.actor, *described, version.reason

    def print_held(
        self, title: str, path: Path, body: Mapping[str, Any], held: Version | None, unusable: str | None
    ) -> None:
        """Print which version is in force, who put it and why."""
        facts = {
            "version": body["version"],
            "from": str(path) if body["source"] == "file" else "the database",
            "put by": body["actor"],
            "because": body["reason"],
            "since (UTC)": held and held.created_at,
            "can't be used": unusable,
        }
        print_facts(title, facts)
