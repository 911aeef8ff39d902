"""Adapters of other packages, by their entry points: found when a table asks for one, and refused with what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from support.checkout import CHECKOUT
from support.installed_package import forget, install

from aegis_worker.cli.checks_gateways import installed as checked
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.gateways_file import load_adapters
from aegis_worker.gateways.installed import GROUP
from aegis_worker.gateways.registry import offer_problems, package_of

TABLE = '[gateways.toy]\nadapter = "toy"\nmode = "test"\nbase_url = "http://127.0.0.1:1"\n'
RIGHT = "from aegis_worker.gateways.null.adapter import NullAdapter\nclass thing(NullAdapter):\n    interface = 1\n"


Load = Callable[[], object]


class Offer(Protocol):
    def __call__(self, package: str, code: str, name: str = "toy") -> None: ...


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Installs a package whose module has an adapter called `thing`."""

    def offers(package: str, code: str, name: str = "toy") -> None:
        install(tmp_path, monkeypatch, package, GROUP, name, code)

    yield offers
    monkeypatch.undo()
    forget()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a configuration that asks for the adapter `toy`."""
    path = tmp_path / "gateways.toml"
    path.write_text(TABLE)
    return lambda: load_adapters(path, {})


def test_a_package_offers_an_adapter_that_a_table_asks_for(offer: Offer, load: Load) -> None:
    offer("toy-pay", RIGHT)
    assert load() is not None
    assert package_of("toy") == "toy-pay 1.0"
    assert package_of("stripe") is None
    assert list(offer_problems()) == []


def test_an_adapter_that_nobody_offers_is_refused_with_those_that_there_are(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"toy\.adapter: must be one of adyen, .* installed here"):
        load()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", r"toy-pay 1\.0 .* can't be loaded: ModuleNotFoundError: .*; repair"),
        ("other = 1", "can't be loaded: AttributeError"),
        ("1 / 0", "can't be loaded: ZeroDivisionError"),
        (RIGHT.replace("= 1", "= 2"), r"is for the interface 2, and this AegisPay has 1: install a version"),
        (RIGHT.replace("interface = 1", "pass"), "says no version of the interface"),
        ("class thing:\n    interface = 1\n", "lacks initiate, authenticate, process"),
        (
            "from aegis_worker.gateways.base import Adapter\nclass thing(Adapter):\n    interface = 1\n",
            "lacks process, capture, void, refund, get_status, find_by_reference, probe, parse_webhook, decline_codes",
        ),
        (RIGHT + "    decline_codes = {'51': 'poor'}\n", "decline codes that there are not: poor"),
        (RIGHT + "    def __init__(self, config): 1 / 0\n", r"its adapter can't be made: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_one_is_said_with_its_package(
    offer: Offer, load: Load, code: str, said: str
) -> None:
    offer("toy-pay", code)
    with pytest.raises(ConfigurationError, match=said) as raised:
        load()
    assert "toy-pay 1.0" in str(raised.value)


def test_two_packages_with_one_name_are_refused(offer: Offer, load: Load) -> None:
    offer("toy-one", RIGHT)
    offer("toy-two", RIGHT)
    with pytest.raises(
        ConfigurationError, match=r"toy-one 1\.0 .* and by toy-two 1\.0 .*: uninstall all but"
    ):
        load()


def test_what_ships_is_not_replaced_and_doctor_says_so(offer: Offer) -> None:
    offer("better-stripe", RIGHT, name="stripe")
    (check,) = checked([])
    assert check.name == "adapter stripe of better-stripe 1.0"
    assert "ships with AegisPay and is not replaced" in check.seen


def test_packages_are_not_looked_through_where_only_what_ships_is_asked_for() -> None:
    script = (
        "import importlib.metadata as m, sys; m.entry_points = None\n"
        "from aegis_worker.gateways.gateways_file import load_configs; from pathlib import Path\n"
        "load_configs(Path(sys.argv[1]), {})"
    )
    config = CHECKOUT / "config" / "gateways.toml"
    assert subprocess.run([sys.executable, "-c", script, config], check=False).returncode == 0
