"""Which hooks a plug-in offers, what they are called, and which plug-ins are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.hook_pools import GOOD, HANGING, MISBEHAVING

from aegis_worker.errors import ConfigurationError
from aegis_worker.hooks import Point
from aegis_worker.hooks.loading import load_hooks

_MARK = "from aegis_worker.hooks import hookimpl\n"


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A file that is imported under its name, which no other test has."""
    monkeypatch.syspath_prepend(tmp_path)
    number = abs(hash(request.node.nodeid))
    return tmp_path / f"plug_in_{number}.py"


def names(*paths: str) -> list[str]:
    return [hook.offered.name for hook in load_hooks(paths)]


def test_a_function_an_object_a_class_and_a_module_are_plug_ins(plug_in: Path) -> None:
    plug_in.write_text(
        _MARK + "@hookimpl\ndef listen(context): pass\n"
        "@hookimpl(specname='route')\ndef cheapest(context): pass\n"
        "class Checks:\n"
        "    @hookimpl\n"
        "    def fraud_check(self): pass\n"
        "checks = Checks()\n"
    )
    name = plug_in.stem
    assert names(f"{name}:cheapest") == [f"{name}:cheapest"]
    assert names(f"{name}:checks") == [f"{name}.checks:fraud_check"]
    assert names(f"{name}:Checks") == [f"{name}.Checks:fraud_check"]
    assert names(name) == [f"{name}:cheapest", f"{name}:listen"]
    assert load_hooks([f"{name}:checks"])[0].takes_context is False


def test_hooks_come_point_by_point_and_know_their_points() -> None:
    loaded = load_hooks([MISBEHAVING, GOOD, HANGING])
    assert {hook.offered.point for hook in loaded} == {Point.FRAUD_CHECK}
    assert len(loaded) == 22


@pytest.mark.parametrize(
    ("source", "suffix", "why"),
    [
        ("", "", "nothing in it is marked with @hookimpl"),
        ("", ":nobody", "has no nobody"),
        ("def plain(context): pass", ":plain", "the function is not marked with @hookimpl"),
        ("import nobody.here", "", "ModuleNotFoundError: No module named 'nobody'"),
        ("raise SystemExit(3)", "", "SystemExit: 3"),
        (_MARK + "@hookimpl\ndef charge(context): pass", "", "unknown hook 'charge'"),
        (_MARK + "@hookimpl\ndef listen(event): pass", "", "Argument.*'event'.* are declared"),
        (_MARK + "@hookimpl\ndef listen(context, *, loudly): pass", "", "other arguments than context"),
        (_MARK + "@hookimpl\nasync def listen(context): pass", "", "without async and yield"),
        (_MARK + "@hookimpl\ndef listen(context): yield", "", "without async and yield"),
        (_MARK + "@hookimpl(wrapper=True)\ndef listen(context): yield", "", "is a wrapper"),
        (_MARK + "class A:\n    def __init__(self): 1 / 0\n", ":A", "ZeroDivisionError"),
    ],
)
def test_a_poor_plug_in_is_refused_with_its_name_in_one_line(
    plug_in: Path, source: str, suffix: str, why: str
) -> None:
    plug_in.write_text(source)
    with pytest.raises(ConfigurationError, match=why) as refused:
        load_hooks([f"{plug_in.stem}{suffix}"])
    assert str(refused.value).startswith(f"AEGIS_HOOKS: {plug_in.stem}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("path", ["", "our shop", "our_shop:", ":check", "our-shop:check", "a:b:c"])
def test_what_names_no_module_and_object_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"AEGIS_HOOKS: .* is not of the form module:object"):
        load_hooks([path])


def test_a_plug_in_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"is called support.misbehaving_hooks:good already"):
        load_hooks([GOOD, GOOD])
