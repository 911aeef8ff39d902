"""`aegis emulator scenarios`: the scenarios that come with the emulator, and whether a file is one."""

from __future__ import annotations

from pathlib import Path

import click

from aegis_worker.emulator.scenarios.reading import WrongScenario, read
from aegis_worker.emulator.scenarios.shipping import shipped
from aegis_worker.emulator.wire_formats import REACHES
from aegis_worker.terminal.output import examples, json_option, print_json, print_table, remark


@click.command(
    name="scenarios",
    epilog=examples(
        """
        aegis emulator scenarios
        aegis emulator scenarios my-outage.toml
        """
    ),
)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def command(file: Path | None, as_json: bool) -> None:
    """Show the scenarios that come with the emulator, or check FILE: what is wrong in it is said line by line."""
    if file is not None:
        _check(file)
        return
    known = shipped(REACHES)
    if as_json:
        print_json([{"name": one.name, "about": one.about, "toml": one.text} for one in known.values()])
        return
    print_table("Scenarios", ("scenario", "what happens"), [(one.name, one.about) for one in known.values()])


def _check(file: Path) -> None:
    try:
        scenario = read(file.read_text(encoding="utf-8"), REACHES)
    except (WrongScenario, OSError, UnicodeDecodeError) as error:
        problems = error.problems if isinstance(error, WrongScenario) else [str(error)]
        raise click.BadParameter("\n".join(f"{file}: {problem}" for problem in problems)) from error
    remark(f"{file}: {scenario.name or 'a scenario without a name'}, {len(scenario.rules)} rules")
