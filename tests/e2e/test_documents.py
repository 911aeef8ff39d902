"""The shell blocks of README, tutorial and howtos do what the documents say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.document_shell import (
    SHELL_LANGUAGES,
    blocks_of,
    folder_of_a_reader,
    installation_of_a_reader,
    reader_in,
)
from support.installation import Installation

ROOT = Path(__file__).parents[2]
README, TUTORIAL = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
HOWTOS = sorted((ROOT / "docs" / "howto").glob("*.md"))
DEPLOY = ROOT / "docs" / "howto" / "deploy.md"

# Bounds a step, not an expectation: a busy machine may take several times as long as usual.
STEP_S = 180.0

# Every shell block that no test runs, and why, in the words of its document.
NOT_RUN = {
    "README.md": [
        "scripts/test is what runs this check, and tests/e2e/test_demo.py runs the demo",
        "aegis up runs until it is stopped; the check has started it before",
    ],
    "docs/howto/console.md": [
        "it needs two people and what waits for one of them; tests/integration/people/test_users_cli.py has them",
    ],
    "docs/howto/deploy.md": [
        "runs until it is stopped; tests/unit/test_deployment_files.py checks each process of the Procfile",
        "it needs your gateways; the page about operating runs it where gateways answer",
    ],
    "docs/howto/operate.md": [
        "it needs a payment that waits; tests/integration/cli/test_resolve.py has one",
        "needs Docker; tests/unit/test_monitoring_files.py reads the files",
        "needs a collector; tests/e2e/test_observed.py has one",
    ],
    "docs/howto/write-a-hook.md": [
        "it needs your service and your mail server; tests/e2e/test_example_plugin.py installs and runs it",
    ],
}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """An installation as the README has its reader start it."""
    with installation_of_a_reader() as running:
        yield running


def test_what_no_test_runs_is_listed_here() -> None:
    found = {
        str(document.relative_to(ROOT)): [block.reason for block in blocks_of(document) if block.reason]
        for document in (README, TUTORIAL, *HOWTOS)
    }
    assert {name: reasons for name, reasons in found.items() if reasons} == NOT_RUN


@pytest.mark.parametrize("document", [README, TUTORIAL, *HOWTOS], ids=lambda path: path.name)
def test_every_block_names_its_language(document: Path) -> None:
    fences = len(re.findall(r"^```", document.read_text(), re.MULTILINE))
    languages = [block.language for block in blocks_of(document)]
    assert 2 * len(languages) == fences
    assert "" not in languages


def test_the_readme(installation: Installation) -> None:
    with reader_in(installation.data_dir.parent) as reader:
        reader.read(README, STEP_S)


@pytest.mark.slow  # dozens of commands, each of which starts a Python
def test_the_tutorial(installation: Installation) -> None:
    with reader_in(installation.data_dir.parent, ". .venv/bin/activate", ". data/aegis.env") as reader:
        reader.read(TUTORIAL, STEP_S)


@pytest.mark.slow
@pytest.mark.parametrize("document", [path for path in HOWTOS if path != DEPLOY], ids=lambda path: path.name)
def test_a_howto(installation: Installation, document: Path) -> None:
    if not any(block.language in SHELL_LANGUAGES for block in blocks_of(document)):
        return
    first = (". .venv/bin/activate", ". data/aegis.env")
    with reader_in(installation.data_dir.parent, *first) as reader:
        reader.read(document, STEP_S)


@pytest.mark.slow
def test_deploying(database_url: str, redis_url: str, tmp_path: Path) -> None:
    folder = folder_of_a_reader(tmp_path / "checkout")
    example = folder / "config" / "aegis.env.example"
    # What the document has its reader fill in.
    ours = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "AEGIS_SECRET": "s" * 40}
    for name, value in ours.items():
        example.write_text(re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", example.read_text()))
    with reader_in(folder, ". .venv/bin/activate") as reader:
        reader.read(DEPLOY, STEP_S)


def test_no_event_tells_a_field_that_its_reference_does_not_have(installation: Installation) -> None:
    rows = installation.rows(
        "SELECT DISTINCT type, jsonb_object_keys(data::jsonb) AS field FROM payment_events"
    )
    reference = (ROOT / "docs" / "reference" / "events.md").read_text()
    documented = {
        event.upper().replace(".", "_"): set(re.findall(r"`(\w+)`", own_fields))
        for event, own_fields in re.findall(r"^\| `(\w+\.\w+)` \|.*\| (.*) \|$", reference, re.MULTILINE)
    }
    in_every_event = {"mode", "amount", "currency", "reference"}
    told = [(row["type"], row["field"]) for row in rows]
    assert told
    assert [one for one in told if one[1] not in documented[one[0]] | in_every_event] == []
