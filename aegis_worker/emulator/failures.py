"""The failure modes of the emulated gateways: one table. Most are scripts, and stand in `script_table`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .failure import Failure
from .failure_rows import BESIDE_SCRIPTS, OTHER_OPERATIONS, WITH_A_PERSON
from .script_table import FAMILIES, OK
from .wire_formats import WIRE_FORMATS


def _scripts() -> Iterator[Failure]:
    for family, scripts in FAMILIES.items():
        for script in scripts:
            operation = "charge" if "charge" in script.acts_on else sorted(script.acts_on)[0]
            if script is not OK and script.name not in WITH_A_PERSON:
                yield Failure(script.name, family, script.meaning, script.name, operation)


FAILURES: Sequence[Failure] = (*_scripts(), *OTHER_OPERATIONS, *BESIDE_SCRIPTS)


def as_markdown() -> str:
    """The table for people, a section for each family."""
    families = list(dict.fromkeys(failure.family for failure in FAILURES))
    sections = []
    for family in families:
        rows = ["| failure | gateways | what happens | how |", "| --- | --- | --- | --- |"]
        rows += [_row(failure) for failure in FAILURES if failure.family == family]
        sections.append(f"### {family[0].upper()}{family[1:]}\n\n" + "\n".join(rows))
    return "\n\n".join(sections)


def _row(failure: Failure) -> str:
    how = [
        f"`{text}`" if means != "then" else text
        for means, text in failure.triggers.items()
        if means in _SHOWN
    ]
    everywhere = len(failure.where) == len(WIRE_FORMATS)
    where = "all" if everywhere else ", ".join(failure.where)
    return f"| `{failure.name}` | {where} | {failure.meaning} | {'<br>'.join(how)} |"


_SHOWN = ("token", "header", "faults", "then")
