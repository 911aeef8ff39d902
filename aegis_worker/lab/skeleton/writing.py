"""The skeleton is a package that works: that of a gateway called Toy, which is copied under another name."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from aegis_worker.gateways.registry import ADAPTERS

_TOY = Path(__file__).parent / "toy"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_NAME = 32


def checked_name(name: str) -> str:
    """The name of an adapter. Raises ValueError that says what is wrong with it."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(
            f"up to {_LONGEST_NAME} lower-case letters, digits and _ between them, and no word of Python's"
        )
    if name in ADAPTERS:
        raise ValueError(f"{name} ships with AegisPay; choose another name, or change what there is")
    return name


def write_skeleton(name: str, into: Path) -> Path:
    """Write the package of the gateway `name` into a new folder of `into`; returns that. Raises OSError."""
    folder = into / f"aegispay-{name.replace('_', '-')}"
    folder.mkdir(parents=True)
    for file in sorted(_TOY.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            target = folder / named(str(file.relative_to(_TOY)), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(named(file.read_text(), name))
    return folder


def named(text: str, name: str) -> str:
    """A text about Toy as one about this gateway."""
    title = "".join(part.capitalize() for part in name.split("_"))
    words = {
        "aegispay-toy": f"aegispay-{name.replace('_', '-')}",
        "toy": name,
        "Toy": title,
        "TOY": name.upper(),
    }
    return re.sub("|".join(words), lambda found: words[found[0]], text)
