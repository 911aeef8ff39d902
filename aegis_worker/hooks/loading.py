"""Finds and loads hooks. Runs in the processes that hooks run in, never in a worker or the API: it runs plug-ins' code.

A plug-in is offered by an installed package, in the group `aegispay.hooks`, or named by AEGIS_HOOKS as `module:object`,
several with commas between them; `module` alone is the module itself. It is a module, an object or a class with functions
that are marked as hooks, or one such function. A hook's name is the plug-in's (of its entry point, or its module) and the
function's: `our_shop:fraud_check`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from types import SimpleNamespace
from typing import Any

from msgspec import Struct
from pluggy import HookImpl, PluginManager, PluginValidationError

from aegis_worker.errors import ConfigurationError

from . import specs
from .points import Point

GROUP, VARIABLE = "aegispay.hooks", "AEGIS_HOOKS"

# More hooks than an installation needs; it also bounds the statistics that are kept.
MOST_HOOKS, _LONGEST_NAME = 100, 120

_MARK = f"{specs.PROJECT}_impl"


class Offered(Struct, frozen=True):
    """A hook as other processes know it. `package`: what it comes from, in words."""

    name: str
    point: Point
    package: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A hook that can be called: with the context, or with nothing where its function takes nothing."""

    offered: Offered
    call: Callable[..., Any]
    takes_context: bool


def anything_offered(paths: Sequence[str]) -> bool:
    """Whether there is any plug-in. Reads a file of every installed package (some 10 ms), once, and runs no code of any."""
    return bool(paths) or bool(_offered_by_packages())


@cache
def _offered_by_packages() -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)))


def load_hooks(paths: Sequence[str]) -> tuple[Loaded, ...]:
    """All hooks of installed packages and of `paths`, point by point, in pluggy's order of calls.

    Raises ConfigurationError that names the plug-in that is wrong.
    """
    manager = PluginManager(specs.PROJECT)
    manager.add_hookspecs(specs)
    packages = {}
    for name, package, plugin in _plugins(paths):
        if manager.has_plugin(name):
            raise ConfigurationError(f"{package}: another plug-in is called {name} already")
        packages[name] = package
        try:
            manager.register(plugin, name)
            manager.check_pending()
        except PluginValidationError as error:
            raise ConfigurationError(f"{package}: {in_one_line(error)}") from error
        except ValueError as error:
            raise ConfigurationError(f"{package}: it is loaded already, under another name") from error
        if not manager.get_hookcallers(plugin):
            raise ConfigurationError(f"{package}: nothing in it is marked with @hookimpl")
    loaded = [
        _checked(point, hook, packages)
        for point in Point
        for hook in reversed(getattr(manager.hook, point.value).get_hookimpls())
    ]
    _check_names([hook.offered.name for hook in loaded])
    return tuple(loaded)


def _plugins(paths: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Name, where it comes from in words, and the plug-in."""
    for entry_point in _offered_by_packages():
        package = _package(entry_point)
        yield entry_point.name, package, _plugin(package, entry_point.load)
    for path in paths:
        module, separator, name = path.strip().partition(":")
        where = f"{VARIABLE}: {path.strip()}"
        if not all(part.isidentifier() for part in module.split(".")) or (
            separator and not name.isidentifier()
        ):
            raise ConfigurationError(f"{VARIABLE}: {path.strip()!r} is not of the form module:object")
        yield path.strip(), where, _plugin(where, partial(_found, module, name))


def _found(module: str, name: str) -> Any:
    loaded = importlib.import_module(module)
    if not name:
        return loaded
    if not hasattr(loaded, name):
        raise ConfigurationError(f"{module} has no {name}")
    return getattr(loaded, name)


def _plugin(where: str, load: Callable[[], Any]) -> Any:
    """What pluggy can register. Raises ConfigurationError for what can't be loaded."""
    try:
        found = load()
        if inspect.isclass(found):
            found = found()
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    except (
        BaseException
    ) as error:  # whatever its code raises, SystemExit too: it is the plug-in that is wrong
        raise ConfigurationError(f"{where}: {type(error).__name__}: {in_one_line(error)}") from error
    if inspect.isroutine(found):
        if not hasattr(found, _MARK):
            raise ConfigurationError(f"{where}: the function is not marked with @hookimpl")
        return SimpleNamespace(**{found.__name__: found})
    return found


def _checked(point: Point, hook: HookImpl, packages: dict[str, str]) -> Loaded:
    where = f"{packages[hook.plugin_name]}: {hook.function.__name__}"
    if hook.wrapper or hook.hookwrapper:
        raise ConfigurationError(f"{where} is a wrapper, and hooks are asked one by one")
    if inspect.iscoroutinefunction(hook.function) or inspect.isgeneratorfunction(hook.function):
        raise ConfigurationError(f"{where} is no plain function: write def without async and yield")
    takes_context = "context" in (*hook.argnames, *hook.kwargnames)
    try:
        inspect.signature(hook.function).bind(*([None] if takes_context else ()))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{where} takes other arguments than context: {in_one_line(error)}"
        ) from error
    name = f"{_bare(hook)}:{hook.function.__name__}"
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(f"{where}: {name!r} is longer than {_LONGEST_NAME} characters")
    return Loaded(Offered(name, point, packages[hook.plugin_name]), hook.function, takes_context)


def _bare(hook: HookImpl) -> str:
    """The plug-in's part of a hook's name: `our_shop` of a function or module, `our_shop.Checks` of an object in it."""
    module, _, name = hook.plugin_name.partition(":")
    return module if not name or name == hook.function.__name__ else f"{module}.{name}"


def _check_names(names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(
                f"two hooks are called {name}: rename a function, or give it another entry point"
            )
        seen.add(name)
    if len(seen) > MOST_HOOKS:
        raise ConfigurationError(f"{len(seen)} hooks are loaded, and at most {MOST_HOOKS} can be")


def _package(entry_point: EntryPoint) -> str:
    package = entry_point.dist
    named = "an unnamed package" if package is None else f"{package.name} {package.version}"
    return f"{named} ({entry_point.value})"


def in_one_line(error: BaseException) -> str:
    """What an exception says, in one line that is not long."""
    return " ".join(str(error).split())[:300]
