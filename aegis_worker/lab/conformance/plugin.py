"""The suite as a pytest plugin: each scenario at each gateway, and a table at the end that says which is green.

A test module that has `SUBJECTS`, gateways by their names, is given its scenarios by an import (see the package's).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

pytest.register_assert_rewrite(f"{__package__}.scenarios")

from .emulator import RunningEmulator  # noqa: E402
from .shop import Shop, open_shop  # noqa: E402
from .subject import Subject  # noqa: E402
from .till import Till  # noqa: E402

_SCENARIO, _GATEWAY = "scenario", "gateway"
_results: dict[tuple[str, str], str] = {}


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """Where the gateways' webhooks arrive."""
    with open_shop() as running:
        yield running


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Emulators]:
    """The gateways' emulators, started when they are needed first."""
    with ExitStack() as running:
        yield Emulators(running, tmp_path_factory, shop)


class Emulators:
    """One for each gateway, which all scenarios share."""

    def __init__(self, running: ExitStack, folders: pytest.TempPathFactory, shop: Shop) -> None:
        self._running, self._folders, self._shop = running, folders, shop
        self._started: dict[str, RunningEmulator] = {}

    def of(self, subject: Subject) -> RunningEmulator:
        """That of this gateway."""
        if subject.name not in self._started:
            starting = subject.running(self._folders.mktemp(subject.name), self._shop.url(f"/{subject.name}"))
            self._started[subject.name] = self._running.enter_context(starting)
        return self._started[subject.name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a gateway at each of the module's."""
    if "subject" in metafunc.fixturenames and hasattr(metafunc.module, "SUBJECTS"):
        metafunc.parametrize("subject", metafunc.module.SUBJECTS, indirect=True)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    """One of the gateways; skips a scenario that it says it doesn't have."""
    subject: Subject = request.module.SUBJECTS[request.param]
    scenario = request.function.__name__.removeprefix("test_")
    request.node.user_properties += [(_SCENARIO, scenario.replace("_", " ")), (_GATEWAY, subject.name)]
    why_not = subject.why_not(scenario, request.function.__module__.rpartition(".")[2])
    if why_not is not None:
        pytest.skip(f"{subject.name} {why_not}")
    return subject


@pytest.fixture
def till(subject: Subject, emulators: Emulators, shop: Shop) -> Iterator[Till]:
    """Charges at the gateway, whose faults are healed afterwards."""
    till = Till(subject, emulators.of(subject), shop)
    assert till.gateway.probe().answered  # whoever needs an access token has one before there are faults
    yield till
    till.emulator.set_faults()
    till.gateway.close_connections()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called for each phase of each test, also for tests that ran in another process."""
    said = dict(report.user_properties)
    if _SCENARIO not in said:
        return
    cell = (str(said[_SCENARIO]), str(said[_GATEWAY]))
    if report.failed:
        _results[cell] = "FAILED"
    elif report.skipped:
        _results[cell] = report.longrepr[2].removeprefix("Skipped: ")  # type: ignore[index]
    elif report.when == "call":
        _results[cell] = "green"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print scenario × gateway."""
    if not _results:
        return
    scenarios, gateways = (list(dict.fromkeys(cell[place] for cell in _results)) for place in (0, 1))
    width = max(map(len, scenarios))
    terminalreporter.section("conformance: scenario × gateway")
    terminalreporter.write_line(f"{'':{width}}  {'  '.join(f'{name:9}' for name in gateways)}")
    for scenario in scenarios:
        found = {name: _results.get((scenario, name), "not run") for name in gateways}
        why = "; ".join(text for text in found.values() if text not in ("green", "FAILED", "not run"))
        cells = "  ".join(
            f"{text if text in ('green', 'FAILED', 'not run') else 'skipped':9}" for text in found.values()
        )
        terminalreporter.write_line(f"{scenario:{width}}  {cells}  {why}".rstrip())
