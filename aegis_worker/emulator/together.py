"""Several gateways in one process, each on a port of its own, and one port that says where they are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .books import Options
from .instance import Instance, Plan
from .overview import OverviewRoutes, facts
from .scenarios.rules import Scenario
from .server import SandboxServer
from .wire_formats import wire_format

TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to run. `port`: of the overview, and the gateways' follow it; 0: any free ones. `{gateway}` in `webhooks_to`
    stands for a gateway's name. `folder`: where the ledgers are. `keeps`: how much each gateway's page shows.
    """

    gateways: Sequence[str]
    host: str
    port: int
    folder: Path
    webhooks_to: str = ""
    scenario: Scenario | None = None
    keeps: int = 1000


class Emulator:
    """Gateways that answer from `start` to `stop`. Raises OSError where a port or the folder can't be had."""

    def __init__(self, wanted: Wanted) -> None:
        self._server = SandboxServer((wanted.host, wanted.port))
        self.instances = [
            Instance(_plan(name, wanted, wanted.port + 1 + place if wanted.port else 0))
            for place, name in enumerate(wanted.gateways)
        ]
        self._server.routes = OverviewRoutes(self.instances)
        for instance in self.instances:
            instance.books.conduct.choice.play(wanted.scenario)

    @property
    def url(self) -> str:
        """Where the overview is."""
        return self._server.base_url

    def facts(self) -> list[dict[str, str]]:
        """Where each gateway answers, and with which keys."""
        return [facts(instance) for instance in self.instances]

    def run(self, stopped: threading.Event) -> None:
        """Answer until `stopped`, then end what is at hand."""
        for instance in self.instances:
            instance.start()
        serve = partial(self._server.serve_forever, TICK_S)
        threading.Thread(target=serve, name="overview", daemon=True).start()
        while not stopped.wait(TICK_S):
            for instance in self.instances:
                instance.tick()
        self._server.shutdown()
        self._server.server_close()
        for instance in self.instances:
            instance.stop()


def _plan(name: str, wanted: Wanted, port: int) -> Plan:
    spoken = wire_format(name)
    return Plan(
        format=spoken,
        host=wanted.host,
        port=port,
        ledger=wanted.folder / f"{name}.sqlite",
        options=Options(name=name, base_url=""),
        api_key=spoken.api_key,
        webhook_url=wanted.webhooks_to.replace("{gateway}", name),
        webhook_secret=spoken.webhook_secret,
        keeps=wanted.keeps,
    )
