"""Wire formats of other packages, by their entry points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.installed_package import forget, install

from aegis_worker.emulator.wire_formats import GROUP, NoWireFormat, wire_format
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.local.config_files import emulated_tables
from aegis_worker.settings import default_config_dir

DIALECT = (
    "from aegis_worker.emulator.dialect import Dialect, below\n"
    "thing = Dialect('toy', 'Toy', below('/payments', dict), dict, 'Toy-Signature', table={'fee_fixed_minor': 7})"
    ".wire_format()\n"
)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    monkeypatch.undo()
    forget()


def test_one_of_a_package_is_spoken_and_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "toy-pay", GROUP, "toy", DIALECT)
    assert wire_format("toy").title == "Toy"
    table = emulated_tables(["toy"], default_config_dir())["toy"]
    assert (table["adapter"], table["mode"], table["fee_fixed_minor"]) == ("toy", "test", 7)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", r"toy of toy-pay 1\.0 can't be loaded: ZeroDivisionError: .*; repair that package"),
        ("thing = 1", r"toy_pay:thing of toy-pay 1\.0 is no WireFormat whose name is 'toy'"),
        (DIALECT.replace("'toy'", "'boy'"), "is no WireFormat whose name is 'toy'"),
    ],
)
def test_what_is_wrong_with_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    install(tmp_path, monkeypatch, "toy-pay", GROUP, "toy", code)
    with pytest.raises(NoWireFormat, match=said):
        wire_format("toy")
    with pytest.raises(ConfigurationError, match=said):
        emulated_tables(["toy"], default_config_dir())
