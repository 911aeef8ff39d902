"""A scenario from TOML. What is wrong in it is said with its line, its key, and what is allowed there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..choosing import Reach
from ..scripts import OPERATIONS, Script
from ..tokens import UnknownScript, named
from .lines import Lines
from .rules import Condition, Rule, Scenario
from .values import Wrong, fraction, one_or_more, table, text, whole, within

MOST_BYTES = 65_536
MOST_RULES = 200
MOST_CALLS = 1_000_000
MOST_AMOUNT = 99_999_999_999
_TOP = ("about", "name", "rule", "seed")
_RULE = ("amount", "every", "gateway", "header", "number", "on", "script", "share", "times", "token")
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


class WrongScenario(ValueError):
    """The scenario is not what it should be; each of `problems` is one line that names a line and a key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(toml: str, reaches: Mapping[str, Reach], seed: int | None = None) -> Scenario:
    """The scenario in `toml`, for gateways of these names; `seed` in place of its own. Raises WrongScenario."""
    lines, problems = Lines(toml), list[str]()
    given = _parsed(toml)
    _check_keys(given, _TOP, lines.of_top, problems)
    rules = []
    for number, raw in enumerate(_rules(given, lines, problems)):
        _check_keys(raw, _RULE, partial(lines.of_rule, number), problems)
        try:
            rules.append(_rule(raw, reaches))
        except Wrong as wrong:
            problems.append(f"{lines.of_rule(number, wrong.key)}: {wrong}")
    try:
        name, about = text(given, "name", ""), text(given, "about", "")
        own_seed = whole(given, "seed", 0, 2**63 - 1, 0)
    except Wrong as wrong:
        problems.append(f"{lines.of_top(wrong.key)}: {wrong}")
    if problems:
        raise WrongScenario(problems)
    return Scenario(name, about, own_seed if seed is None else seed, tuple(rules), toml)


def _parsed(toml: str) -> dict[str, Any]:
    if len(toml.encode()) > MOST_BYTES:
        raise WrongScenario([f"a scenario has at most {MOST_BYTES} bytes"])
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        why = str(error)
        place = _PLACE.search(why)
        where = f"line {place[1]}" if place else "the end"
        raise WrongScenario([f"{where}: {_PLACE.sub('', why)}"]) from error


def _rules(given: Mapping[str, Any], lines: Lines, problems: list[str]) -> list[Mapping[str, Any]]:
    raw = given.get("rule")
    if type(raw) is not list or not raw or not all(type(one) is dict for one in raw):
        problems.append(f"{lines.of_top('rule')}: rule: at least one table [[rule]] is needed")
        return []
    if len(raw) > MOST_RULES:
        problems.append(f"{lines.of_top('rule')}: rule: at most {MOST_RULES} are taken")
    return raw[:MOST_RULES]


def _check_keys(
    given: Mapping[str, Any], allowed: tuple[str, ...], line_of: Callable[[str], str], problems: list[str]
) -> None:
    problems += [
        f"{line_of(key)}: {key} is no key here; allowed are {', '.join(allowed)}"
        for key in given
        if key not in allowed
    ]


def _rule(raw: Mapping[str, Any], reaches: Mapping[str, Reach]) -> Rule:
    script = _script(raw)
    gateways = frozenset(one_or_more(raw, "gateway", str, tuple(reaches)))
    operations = frozenset(one_or_more(raw, "on", str, OPERATIONS)) or script.acts_on
    _check_reach(script, operations, gateways, reaches)
    least, most = within(raw, "amount", MOST_AMOUNT)
    headers = table(raw, "header")
    return Rule(
        script=str(raw["script"]),
        condition=Condition(
            operations=operations,
            gateways=gateways,
            token=text(raw, "token", ""),
            least=least,
            most=most,
            headers=tuple(sorted((name.lower(), value) for name, value in headers.items())),
        ),
        numbers=frozenset(one_or_more(raw, "number", int, (), 1, MOST_CALLS)),
        every=whole(raw, "every", 1, MOST_CALLS, 1),
        share=fraction(raw, "share", 1.0),
        times=whole(raw, "times", 1, MOST_CALLS, 0),
    )


def _script(raw: Mapping[str, Any]) -> Script:
    name = text(raw, "script")
    try:
        return named(name)
    except UnknownScript as problem:
        raise Wrong("script", f"{problem}; `aegis emulator failures` lists what there is") from problem


def _check_reach(
    script: Script, operations: frozenset[str], gateways: frozenset[str], reaches: Mapping[str, Reach]
) -> None:
    """Each operation can follow the script at one of the gateways at least, and at each that is named."""
    for operation in sorted(operations):
        able = [name for name, reach in reaches.items() if reach.takes(script, operation)]
        if not able:
            raise Wrong("on", f"{script.name!r} can't act on {operation!r}")
        unable = sorted(gateways - set(able))
        if unable:
            where = f"{script.name!r} can't act on {operation!r} at {', '.join(unable)}"
            raise Wrong("gateway", f"{where}, but at {', '.join(able)}")
