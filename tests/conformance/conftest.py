"""Each scenario is run at each gateway; at the end of the run a table says which is green, and why one was skipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.conformance import SUBJECTS, Subject, Till
from support.merchant_server import Sink, a_sink
from support.sandbox_process import Sandbox

_SCENARIO, _GATEWAY = "scenario", "gateway"
_results: dict[tuple[str, str], str] = {}


@pytest.fixture(scope="session")
def shop() -> Iterator[Sink]:
    """Where the gateways' webhooks arrive."""
    with a_sink() as running:
        yield running


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory, shop: Sink) -> Iterator[dict[str, Sandbox]]:
    """The gateways' emulators, started when they are needed first."""
    with ExitStack() as running:
        yield _Emulators(running, tmp_path_factory, shop)


class _Emulators(dict[str, Sandbox]):
    def __init__(self, running: ExitStack, folders: pytest.TempPathFactory, shop: Sink) -> None:
        self._running, self._folders, self._shop = running, folders, shop

    def __missing__(self, name: str) -> Sandbox:
        starting = SUBJECTS[name].running(self._folders.mktemp(name), self._shop)
        self[name] = self._running.enter_context(starting)
        return self[name]


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """One of the gateways; skips a scenario that it says it doesn't have."""
    subject = SUBJECTS[request.param]
    scenario = request.function.__name__.removeprefix("test_")
    request.node.user_properties += [(_SCENARIO, scenario.replace("_", " ")), (_GATEWAY, subject.name)]
    if scenario in subject.skips:
        pytest.skip(f"{subject.name} {subject.skips[scenario]}")
    return subject


@pytest.fixture
def till(subject: Subject, emulators: dict[str, Sandbox], shop: Sink) -> Iterator[Till]:
    """Charges at the gateway, whose faults are healed afterwards."""
    till = Till(subject, emulators[subject.name], shop)
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
    scenarios = list(dict.fromkeys(scenario for scenario, _ in _results))
    width = max(map(len, scenarios))
    terminalreporter.section("conformance: scenario × gateway")
    terminalreporter.write_line(f"{'':{width}}  {'  '.join(f'{name:8}' for name in SUBJECTS)}")
    for scenario in scenarios:
        found = {name: _results.get((scenario, name), "not run") for name in SUBJECTS}
        why = "; ".join(text for text in found.values() if text not in ("green", "FAILED", "not run"))
        cells = "  ".join(
            f"{text if text in ('green', 'FAILED', 'not run') else 'skipped':8}" for text in found.values()
        )
        terminalreporter.write_line(f"{scenario:{width}}  {cells}  {why}".rstrip())
