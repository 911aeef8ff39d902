"""Runs the shell blocks of documents as a reader would, and compares the output with what the documents show.

A fenced block of the language `sh` is run as it stands. A block of the language `console` holds lines that begin with
`$ `, each followed by what it prints. A block of `json` right after a block that is run shows (a part of) its output. An
HTML comment `<!-- not run: REASON -->` on the line before a block says why it is not run; readers don't see it.

In compared output, ids, times and durations may differ. An id in a document stands for the id that was printed in its
place, also in later commands. A line `…` stands for any number of lines.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_worker.lab.embedded.stack import temporary_data_dir
from support.checkout import CHECKOUT
from support.installation import Installation

_FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ID = re.compile(r"\b(?:pay|job|evt|spay|cap|ref|voi)_[0-9a-f]{16,}\b")
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    (re.compile(r"\+[\d.,]+ (ms|s|min)\b"), "<later>"),
    (re.compile(r"\s+"), " "),
)
ANY_LINES = "…"
SHELL_LANGUAGES = frozenset({"sh", "console"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a document. `reason`: why it is not run; empty if it is. `line`: where its fence is, from 1."""

    language: str
    text: str
    reason: str
    line: int


def blocks_of(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], found["reason"] or "", 1 + text[: found.start()].count("\n"))
        for found in _FENCE.finditer(text)
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to run, and what the document shows of its output: lines, a JSON object, or nothing."""

    command: str
    line: int
    lines: tuple[str, ...] = ()
    document: Any = None


def steps_of(document: Path) -> Iterator[Step]:
    """The steps that a reader of the document runs, in order."""
    blocks = blocks_of(document)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.reason or block.language not in SHELL_LANGUAGES:
            continue
        if block.language == "console":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, *shown = part.splitlines()
                yield Step(command, block.line, tuple(shown))
        else:
            shown = following.text if following is not None and following.language == "json" else None
            yield Step(block.text, block.line, document=json.loads(shown) if shown else None)


class Shell:
    """One bash that keeps its state between steps, as a terminal does. The caller has to close it."""

    _END = "\x1e"

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._errors = (folder / "stderr.txt").open("w+")
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )

    def run(self, command: str, within_s: float) -> tuple[int, str]:
        """The exit code of the last command that failed, or 0, and the standard output of all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # The commands get lines of their own, because here-documents don't work inside a group.
        lines = (
            "FAILED=0; trap 'FAILED=$?' ERR",
            command.rstrip(),
            f"printf '\\n{self._END}%d\\n' $FAILED",
            "",
        )
        self._process.stdin.write("\n".join(lines))
        self._process.stdin.flush()
        watch = threading.Timer(within_s, self._process.kill)
        watch.start()
        try:
            printed: list[str] = []
            for line in self._process.stdout:
                if line.startswith(self._END):
                    return int(line[1:]), "".join(printed).removesuffix("\n")
                printed.append(line)
        finally:
            watch.cancel()
        raise AssertionError(f"the shell ended, or it took longer than {within_s:g} s: {command}")

    def errors(self) -> str:
        """The end of the standard error."""
        return Path(self._errors.name).read_text()[-3000:]

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@dataclass(slots=True)
class Reader:
    """Reads documents one after another in one shell, and compares what they show with what is printed."""

    shell: Shell
    # The ids in the documents, with the ids that were printed in their place.
    _ids: dict[str, str] = field(default_factory=dict)

    def read(self, document: Path, within_s: float) -> None:
        """Run the blocks. Raises AssertionError at the first that fails or prints something else than shown."""
        for step in steps_of(document):
            self._take(step, within_s)

    def _take(self, step: Step, within_s: float) -> None:
        command = _ID.sub(lambda found: self._ids.get(found[0], found[0]), step.command)
        code, printed = self.shell.run(command, within_s)
        told = f"line {step.line}: {command}\nexit code {code}\n{printed}\n{self.shell.errors()}"
        assert code == 0, told
        if step.document is not None:
            differing = list(self._differences(step.document, json.loads(printed), ""))
            assert not differing, f"{differing}\n{told}"
        elif step.lines:
            assert self._shows(list(step.lines), printed.splitlines()), told

    def _differences(self, shown: Any, printed: Any, place: str) -> Iterator[str]:
        """The places where what a document shows is missing from what was printed."""
        if isinstance(shown, dict) and isinstance(printed, dict):
            for name, value in shown.items():
                yield from self._differences(value, printed.get(name, "<missing>"), f"{place}/{name}")
        elif isinstance(shown, str) and isinstance(printed, str):
            if not self._same(shown, printed):
                yield f"{place}: {shown} is {printed}"
        elif shown != printed:
            yield f"{place}: {shown} is {printed}"

    def _shows(self, shown: list[str], printed: list[str]) -> bool:
        if not shown:
            return not [line for line in printed if line.strip()]
        first, *rest = shown
        if first.strip() == ANY_LINES:
            return any(self._shows(rest, printed[skipped:]) for skipped in range(len(printed) + 1))
        return bool(printed) and self._same(first, printed[0]) and self._shows(rest, printed[1:])

    def _same(self, shown: str, printed: str) -> bool:
        """Whether a line is the shown one except for ids and times. Notes which id stands for which."""
        ours, theirs = _ID.findall(shown), _ID.findall(printed)
        if _plain(shown) != _plain(printed) or len(ours) != len(theirs):
            return False
        self._ids.update(zip(ours, theirs, strict=True))
        return True


def _plain(text: str) -> str:
    text = _ID.sub("<id>", text)
    for varying, plain in _VARYING:
        text = varying.sub(plain, text)
    return text.strip()


def environ_of_a_reader() -> dict[str, str]:
    """The environment of a reader who has set none of our variables."""
    theirs = {name: text for name, text in os.environ.items() if not name.startswith("AEGIS_")}
    for name in ("DATABASE_URL", "REDIS_URL"):
        theirs.pop(name, None)
    return theirs | {"COLUMNS": "200"}


def folder_of_a_reader(folder: Path) -> Path:
    """Make the folder look like a checkout to the documents' commands, which may write into it."""
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "Procfile").symlink_to(CHECKOUT / "Procfile")
    shutil.copytree(CHECKOUT / "config", folder / "config")
    return folder


@contextmanager
def installation_of_a_reader() -> Iterator[Installation]:
    """An installation with the shipped configuration, in the `data` folder of a folder that looks like a checkout."""
    with temporary_data_dir() as path:
        folder = folder_of_a_reader(path / "checkout")
        config = {"AEGIS_CONFIG_DIR": str(folder / "config")}
        installation = Installation(folder / "data", environ_of_a_reader() | config)
        try:
            yield installation
        finally:
            installation.stop()


@contextmanager
def reader_in(folder: Path, *first: str) -> Iterator[Reader]:
    """A reader whose shell is in the folder and has already run the commands `first`."""
    shell = Shell(folder, environ_of_a_reader())
    try:
        for command in first:
            code, printed = shell.run(command, 60)
            assert code == 0, f"{command}\n{printed}\n{shell.errors()}"
        yield Reader(shell)
    finally:
        shell.close()
