"""One gateway that answers: its ledger, its wire format behind an HTTP server, and the sender of its webhooks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from .books import Options
from .front import Front
from .kept import Kept
from .ledger import Ledger
from .recording import Recorder
from .server import SandboxServer
from .webhooks import WebhookSender
from .wire_format import WireFormat
from .wire_formats import REACHES

_LOOKS_WHETHER_TO_STOP_S = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What an instance is to be. `options.base_url` empty: where it listens. `webhook_url` empty: it sends none.

    `keeps`: how many requests, and how many webhooks, are kept for its page; 0: none, which is what a measurement wants.
    """

    format: WireFormat
    host: str
    port: int
    ledger: Path
    options: Options
    api_key: str
    webhook_url: str = ""
    webhook_secret: str = field(default="", repr=False)
    keeps: int = 0


class Instance:
    """It listens from the start and answers once it is started. Raises OSError for an address that can't be had."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._server = SandboxServer((plan.host, plan.port))
        self._ledger = Ledger(plan.ledger)
        base_url = plan.options.base_url or self._server.base_url
        options = replace(plan.options, base_url=base_url, sends_webhooks=bool(plan.webhook_url))
        self._recorder = Recorder(plan.keeps) if plan.keeps else None
        self._sender = self._webhook_sender(base_url) if plan.webhook_url else None
        wake = self._sender.wake if self._sender else None
        self.books, routes = plan.format.build(self._ledger, options, wake, plan.api_key)
        kept = Kept(routes, self.books, self._recorder, plan.format.credentials(plan.api_key))
        self._server.routes = Front(routes, self.books, kept, {**REACHES, plan.format.name: self.books.reach})

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.base_url

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer, and send what there is to tell."""
        if self._sender:
            self._sender.start()
        serve = partial(self._server.serve_forever, _LOOKS_WHETHER_TO_STOP_S)
        threading.Thread(target=serve, name="accept", daemon=True).start()

    def tick(self) -> None:
        """Carry out what is due."""
        self.books.tick()

    def stop(self) -> None:
        """Take no more calls, finish the webhook at hand, close the ledger."""
        self._server.shutdown()
        self._server.server_close()
        if self._sender:
            self._sender.stop()
        self._ledger.close()

    def _webhook_sender(self, base_url: str) -> WebhookSender:
        plan = self.plan
        sign = plan.format.signer(self._ledger, base_url)
        return WebhookSender(
            self._ledger, plan.webhook_url, plan.webhook_secret, sign, plan.format.event, self._recorder
        )
