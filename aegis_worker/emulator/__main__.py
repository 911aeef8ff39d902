"""`python -m aegis_worker.emulator`: one sandbox gateway, until TERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from . import tokens
from .adyen import cards as adyen_cards
from .adyen import webhooks as adyen_webhooks
from .adyen.books import AdyenBooks
from .adyen.gateway import AdyenGateway
from .adyen.routes import AdyenRoutes
from .books import Books, Options
from .gateway import Gateway
from .ledger import Ledger
from .routes import SandboxRoutes
from .server import Routes, SandboxServer
from .stripe import cards as stripe_cards
from .stripe.books import StripeBooks
from .stripe.gateway import StripeGateway
from .stripe.routes import StripeRoutes
from .webhooks import WebhookSender, signed_in

TICK_S = 0.1
DEFAULT_API_KEY = "sk_sandbox"


def main() -> int:
    """Serve until stopped. Exit status 0 after a clean stop, 2 for wrong arguments."""
    arguments = _arguments()
    if arguments.scripts:
        print(_SCRIPTS[arguments.wire]())
        return 0
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _serve(arguments, stopped)
    return 0


def _serve(arguments: argparse.Namespace, stopped: threading.Event) -> None:
    ledger = Ledger(arguments.ledger)
    server = SandboxServer((arguments.host, arguments.port))
    options = Options(
        name=arguments.name,
        base_url=arguments.public_url or server.base_url,
        key_window_s=0 if arguments.no_idempotency else arguments.key_window_s,
        replays_errors=arguments.replays_errors,
        sends_webhooks=bool(arguments.webhook_url),
    )
    sender = None
    if arguments.webhook_url:
        secret, sign = os.environ[arguments.webhook_secret_env], _SIGNERS[arguments.wire]
        sender = WebhookSender(ledger, arguments.webhook_url, secret, sign)
        sender.start()
    api_key = os.environ.get(arguments.api_key_env, DEFAULT_API_KEY)
    books, server.routes = _WIRES[arguments.wire](ledger, options, sender.wake if sender else None, api_key)
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    if arguments.ready_file:
        _announce(arguments.ready_file, arguments.name, server)
    while not stopped.wait(TICK_S):
        books.tick()
    server.shutdown()
    server.server_close()
    if sender:
        sender.stop()
    ledger.close()


_Wake = Callable[[], None] | None


def _sandbox(ledger: Ledger, options: Options, wake: _Wake, api_key: str) -> tuple[Books, Routes]:
    books = Books(ledger, options, wake)
    return books, SandboxRoutes(Gateway(books), books, api_key)


def _stripe(ledger: Ledger, options: Options, wake: _Wake, api_key: str) -> tuple[Books, Routes]:
    books = StripeBooks(ledger, options, wake, livemode=api_key.startswith(("sk_live_", "rk_live_")))
    return books, StripeRoutes(StripeGateway(books), books, api_key)


def _adyen(ledger: Ledger, options: Options, wake: _Wake, api_key: str) -> tuple[Books, Routes]:
    books = AdyenBooks(ledger, options, wake)
    return books, AdyenRoutes(AdyenGateway(books), books, api_key)


_SCRIPTS = {
    "sandbox": tokens.as_markdown,
    "stripe": stripe_cards.as_markdown,
    "adyen": adyen_cards.as_markdown,
}
_WIRES = {"sandbox": _sandbox, "stripe": _stripe, "adyen": _adyen}
_SIGNERS = {
    "sandbox": signed_in("Sandbox-Signature"),
    "stripe": signed_in("Stripe-Signature"),
    "adyen": adyen_webhooks.signed,
}


def _announce(ready_file: Path, name: str, server: SandboxServer) -> None:
    facts = {"name": name, "url": server.base_url, "port": server.server_address[1], "pid": os.getpid()}
    written = ready_file.with_suffix(ready_file.suffix + ".tmp")
    written.write_text(json.dumps(facts))
    written.replace(ready_file)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m aegis_worker.emulator", description=__doc__)
    parser.add_argument(
        "--wire",
        choices=sorted(_WIRES),
        default="sandbox",
        help="whose wire format it speaks (default sandbox)",
    )
    parser.add_argument("--name", help="the instance, which `tok_…_at_<instance>` names")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port (default)")
    parser.add_argument(
        "--public-url", help="what payers are redirected to, where it is not http://HOST:PORT"
    )
    parser.add_argument("--ledger", type=Path, help="SQLite file, kept between runs")
    parser.add_argument("--ready-file", type=Path, help="gets {name, url, port, pid} as JSON once it answers")
    parser.add_argument(
        "--api-key-env",
        default="SANDBOX_API_KEY",
        metavar="NAME",
        help=f"variable with the API key; unset: {DEFAULT_API_KEY}",
    )
    parser.add_argument(
        "--key-window-s", type=float, default=86_400.0, help="how long an idempotency key is remembered"
    )
    parser.add_argument("--replays-errors", action="store_true", help="keep and replay 500s too, like Stripe")
    parser.add_argument(
        "--no-idempotency", action="store_true", help="ignore idempotency keys, like Razorpay"
    )
    parser.add_argument("--webhook-url", help="where status changes are sent")
    parser.add_argument(
        "--webhook-secret-env", metavar="NAME", help="variable with the secret that signs webhooks"
    )
    parser.add_argument(
        "--scripts", action="store_true", help="print what each token and amount does, and exit"
    )
    arguments = parser.parse_args()
    if not arguments.scripts and not (arguments.name and arguments.ledger):
        parser.error("--name and --ledger are needed")
    if arguments.webhook_url and not arguments.webhook_url.startswith("http://"):
        parser.error("--webhook-url: only http:// is spoken here")
    if arguments.webhook_url and not os.environ.get(arguments.webhook_secret_env or ""):
        parser.error("--webhook-url needs --webhook-secret-env, naming a variable that is set")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
