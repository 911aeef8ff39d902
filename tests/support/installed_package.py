"""A package that offers something by an entry point, installed as pip leaves it: a module and its metadata."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from aegis_worker.emulator import wire_formats
from aegis_worker.gateways import installed


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, package: str, group: str, name: str, code: str
) -> None:
    """Install `package` 1.0 into `folder`, whose module's `thing` is offered as `name` in `group`."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:thing\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, module, raising=False)
    forget()


def forget() -> None:
    """What is looked up once a process is looked up again."""
    importlib.invalidate_caches()
    installed.offers.cache_clear()
    installed.installed_adapter.cache_clear()
    wire_formats.wire_format.cache_clear()
