"""The documents: the README stays short, and what they point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)")


def test_the_readme_fits_into_8_kilobytes() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8192


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = [link for link, _ in _LINK.findall(document.read_text())]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, to_read = set(), [ROOT / "README.md"]
    while to_read:
        document = to_read.pop().resolve()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        to_read += [document.parent / link for link, _ in _LINK.findall(document.read_text())]
    assert {path.resolve() for path in DOCUMENTS} <= reached
