"""config/hooks.toml: the order, switch, time limit and failure policy of each hook, and the processes that hooks run in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import parsed_toml, text_if_any
from aegis_worker.toml_lines import line_of

from .loading import Offered
from .points import ABOUT, Policy

_KeyPath = tuple[str | int, ...]

# The lowest and the highest value of each number.
BOUNDS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "pool": {
        "processes": (1, 64),
        "memory_mb": (64, 65_536),
        "load_within_ms": (100, 120_000),
        "most_within_ms": (10, 30_000),
    },
    "breaker": {"timeouts": (1, 100), "open_ms": (100, 3_600_000)},
    "hooks": {"priority": (0, 10_000), "timeout_ms": (1, 30_000)},
}


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """The processes of one worker or API process. `processes`: how many at most, and so how many hooks run at once.

    `memory_mb`: how much each may hold, in MiB. `load_within_ms`: how long plug-ins may take to be loaded.
    `most_within_ms`: how long all hooks of a point may take for one payment, with the time that it waits for a process.
    """

    processes: int = 16
    memory_mb: int = 1024
    load_within_ms: int = 15_000
    most_within_ms: int = 5000


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """A hook's breaker opens after `timeouts` time-outs or ended processes in a row, for `open_ms` milliseconds."""

    timeouts: int = 3
    open_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class HooksConfig:
    """All of config/hooks.toml.

    `where`: the file, for messages. `hooks`: its settings of each hook, with the keys of `BOUNDS["hooks"]` and of
    `_OTHER_KEYS`. `lines`: the line of each hook's table, from 1; None where it is not known.
    """

    where: str = "config/hooks.toml"
    pool: PoolConfig = PoolConfig()
    breaker: BreakerConfig = BreakerConfig()
    hooks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configured:
    """A hook that is loaded, with what holds for it. Those of a point are asked by `priority`, the lowest first."""

    offered: Offered
    enabled: bool
    priority: int
    timeout_ms: int
    policy: Policy

    @property
    def name(self) -> str:
        """The hook's name."""
        return self.offered.name


_PRIORITY = 100
_OTHER_KEYS = ("enabled", "on_failure")
_POLICIES: tuple[Policy, ...] = ("closed", "open")


def load_config(path: Path) -> HooksConfig:
    """The file's settings; the defaults where there is no file. Raises ConfigurationError with file, line and reason."""
    text = text_if_any(path)
    return HooksConfig(where=str(path)) if text is None else _Reader(path, text).config()


def configured(offered: Iterable[Offered], config: HooksConfig) -> tuple[Configured, ...]:
    """What holds for each hook, in the order in which those of a point are asked.

    Raises ConfigurationError where the file names a hook that is not loaded, or has one of a point that only looks on fail
    payments.
    """
    hooks = [_configured(one, config) for one in offered]
    if unknown := sorted(set(config.hooks) - {hook.name for hook in hooks}):
        raise ConfigurationError(_of_unknown(unknown[0], config, [hook.name for hook in hooks]))
    return tuple(sorted(hooks, key=lambda hook: hook.priority))


def _configured(one: Offered, config: HooksConfig) -> Configured:
    about, said = ABOUT[one.point], config.hooks.get(one.name, MappingProxyType({}))
    policy = said.get("on_failure", about.policy)
    if policy == "closed" and not about.may_close:
        raise ConfigurationError(
            f'{_at(config, one.name)}: on_failure of a {one.point} hook can\'t be "closed": it never fails a payment'
        )
    return Configured(
        one,
        said.get("enabled", True),
        said.get("priority", _PRIORITY),
        said.get("timeout_ms", about.timeout_ms),
        policy,
    )


def _of_unknown(name: str, config: HooksConfig, loaded: Sequence[str]) -> str:
    alike = get_close_matches(name, loaded, n=1, cutoff=0.6)
    if alike:
        advice = f"did you mean {alike[0]}?"
    else:
        advice = f"loaded are {', '.join(sorted(loaded))}" if loaded else "none is loaded"
    return f'{_at(config, name)}: no hook is called "{name[:120]}": {advice}'


def _at(config: HooksConfig, name: str) -> str:
    line = config.lines.get(name)
    return config.where if line is None else f"{config.where}: line {line}"


class _Reader:
    """Reads one file; the first thing that is wrong ends it."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text, self._document = path, text, parsed_toml(path, text)

    def config(self) -> HooksConfig:
        self._known((), self._document, BOUNDS)
        hooks = self._table(("hooks",), self._document.get("hooks", {}))
        return HooksConfig(
            where=str(self._path),
            pool=PoolConfig(**self._numbers("pool")),
            breaker=BreakerConfig(**self._numbers("breaker")),
            hooks={name: self._hook(name, table) for name, table in hooks.items()},
            lines={name: line_of(self._text, ("hooks", name)) for name in hooks},
        )

    def _numbers(self, table: str) -> dict[str, int]:
        found = self._table((table,), self._document.get(table, {}))
        self._known((table,), found, BOUNDS[table])
        return {key: self._number((table, key), value, BOUNDS[table][key]) for key, value in found.items()}

    def _hook(self, name: str, value: Any) -> dict[str, Any]:
        table, numbers = self._table(("hooks", name), value), BOUNDS["hooks"]
        self._known(("hooks", name), table, (*numbers, *_OTHER_KEYS))
        for key, one in table.items():
            if key in numbers:
                self._number(("hooks", name, key), one, numbers[key])
        if not isinstance(table.get("enabled", True), bool):
            self._wrong(("hooks", name, "enabled"), "enabled must be true or false")
        if table.get("on_failure", "open") not in _POLICIES:
            self._wrong(("hooks", name, "on_failure"), 'on_failure must be "closed" or "open"')
        return dict(table)

    def _table(self, path: _KeyPath, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._wrong(path, f"{path[-1]} must be a table")
        return dict(value)

    def _known(self, path: _KeyPath, table: Mapping[str, Any], known: Collection[str]) -> None:
        for key in table:
            if key not in known:
                self._wrong((*path, key), f"{key[:60]} is unknown; known are {', '.join(known)}")

    def _number(self, path: _KeyPath, value: Any, bounds: tuple[int, int]) -> int:
        lowest, highest = bounds
        if type(value) is not int or not lowest <= value <= highest:
            self._wrong(path, f"{path[-1]} must be a whole number from {lowest} to {highest}")
        return int(value)

    def _wrong(self, path: _KeyPath, why: str) -> None:
        line = line_of(self._text, path)
        raise ConfigurationError(f"{self._path}: {'' if line is None else f'line {line}: '}{why}")
