"""The documents: the README stays short, what they point at is there, and what they take from the code is the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import CheckConstraint, Table

from aegis_worker.domain.changes import JobStatus
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.persistence.tables.payments import attempts

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def test_the_readme_fits_into_8_kilobytes() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8192


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = _LINK.findall(document.read_text())
    assert [link for link, _ in links if not (document.parent / link).exists()] == []
    targets = [(document.parent / link if link else document, anchor) for link, anchor in links if anchor]
    assert [anchor for target, anchor in targets if anchor not in _anchors(target)] == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, to_read = set(), [ROOT / "README.md"]
    while to_read:
        document = to_read.pop().resolve()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        to_read += [document.parent / link for link, _ in _LINK.findall(document.read_text()) if link]
    assert {path.resolve() for path in DOCUMENTS} <= reached


def test_what_is_drawn_from_the_code_is_what_the_code_says() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "write_documents.py"), "--check"]
    told = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_every_state_event_and_status_is_explained() -> None:
    documents = [ROOT / "docs" / name for name in ("state-machine.md", "reference/events.md")]
    text = "\n".join(document.read_text().partition("## Fields of `data`")[0] for document in documents)
    explained = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    attempt_statuses = re.findall(r"'(\w+)'", _condition(attempts, "status_known"))
    events = (event.wire for event in EventType)
    named = {*State, *DisputeStatus, *events, "queued", *get_args(JobStatus), *attempt_statuses}
    assert explained == named


def test_every_decision_that_the_code_cites_has_its_record() -> None:
    cited = {
        int(number)
        for package in ("aegis_api", "aegis_worker")
        for module in (ROOT / package).rglob("*.py")
        for number in re.findall(r"\bD(\d{1,2})\b", module.read_text())
    }
    recorded = {int(path.name[1:3]) for path in (ROOT / "docs" / "decisions").glob("d[0-9][0-9]-*.md")}
    assert cited
    assert cited <= recorded


@pytest.mark.parametrize("contract", ["layers", "api_layers"])
def test_the_layout_names_every_layer(contract: str) -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    layers = set(re.findall(r"\w+", settings[f"importlinter:contract:{contract}"]["layers"]))
    assert layers
    layout = (ROOT / "docs" / "architecture.md").read_text()
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", layout, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert layers - named == set()


def _anchors(document: Path) -> set[str]:
    """The fragments under which a document's headings can be linked to."""
    headings = _HEADING.findall(document.read_text())
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _condition(table: Table, name: str) -> str:
    """What one of a table's CHECKs demands."""
    checks = [
        check for check in table.constraints if isinstance(check, CheckConstraint) and check.name == name
    ]
    return str(checks[0].sqltext)
