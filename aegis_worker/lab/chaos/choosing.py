"""Which experiment a person means."""

from __future__ import annotations

import os
from pathlib import Path

from aegis_worker.errors import ConfigurationError
from aegis_worker.settings import default_config_dir

from .experiment import Experiment
from .reading import experiments, read_experiment


def folder() -> Path:
    """Where the configuration keeps its experiments."""
    return Path(os.environ.get("AEGIS_CONFIG_DIR") or default_config_dir()) / "chaos"


def named(name: str) -> Experiment:
    """The experiment of this name, or in the file at this path. Raises ConfigurationError."""
    if name.endswith(".toml"):
        return read_experiment(Path(name))
    there = {path.stem: path for path in experiments(folder())}
    if name not in there:
        names = ", ".join(there) or "none"
        raise ConfigurationError(f"there is no experiment {name!r} in {folder()}; there are: {names}")
    return read_experiment(there[name])
