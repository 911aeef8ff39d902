"""`python -m aegis_worker.emulator`: one sandbox gateway, until TERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from .books import Options
from .instance import Instance, Plan
from .wire_format import WireFormat
from .wire_formats import WIRE_FORMATS, NoWireFormat, wire_format

TICK_S = 0.1


def main() -> int:
    """Serve until stopped. Exit status 0 after a clean stop, 2 for wrong arguments."""
    arguments = _arguments()
    if arguments.scripts:
        print(arguments.wire.scripts())
        return 0
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    _serve(arguments, stopped)
    return 0


def _serve(arguments: argparse.Namespace, stopped: threading.Event) -> None:
    instance = Instance(_plan(arguments))
    instance.start()
    if arguments.ready_file:
        _announce(arguments.ready_file, arguments.name, instance)
    while not stopped.wait(TICK_S):
        instance.tick()
    instance.stop()


def _plan(arguments: argparse.Namespace) -> Plan:
    spoken: WireFormat = arguments.wire
    return Plan(
        format=spoken,
        host=arguments.host,
        port=arguments.port,
        ledger=arguments.ledger,
        options=Options(
            name=arguments.name,
            base_url=arguments.public_url or "",
            key_window_s=0 if arguments.no_idempotency else arguments.key_window_s,
            replays_errors=arguments.replays_errors,
        ),
        api_key=os.environ.get(arguments.api_key_env, spoken.api_key),
        webhook_url=arguments.webhook_url or "",
        webhook_secret=os.environ[arguments.webhook_secret_env] if arguments.webhook_url else "",
        keeps=arguments.keep,
    )


def _announce(ready_file: Path, name: str, instance: Instance) -> None:
    facts = {"name": name, "url": instance.url, "port": instance.port, "pid": os.getpid()}
    written = ready_file.with_suffix(ready_file.suffix + ".tmp")
    written.write_text(json.dumps(facts))
    written.replace(ready_file)


def _wire_format(name: str) -> WireFormat:
    try:
        return wire_format(name)
    except NoWireFormat as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m aegis_worker.emulator", description=__doc__)
    parser.add_argument(
        "--wire",
        type=_wire_format,
        default="sandbox",
        help=f"whose wire format it speaks: {', '.join(sorted(WIRE_FORMATS))}, or an installed one (default sandbox)",
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
        help="variable with the API key; unset: the wire format's own for tests",
    )
    parser.add_argument(
        "--key-window-s", type=float, default=86_400.0, help="how long an idempotency key is remembered"
    )
    parser.add_argument("--replays-errors", action="store_true", help="keep and replay 500s too, like Stripe")
    parser.add_argument(
        "--no-idempotency", action="store_true", help="ignore idempotency keys, like Razorpay"
    )
    parser.add_argument(
        "--keep", type=int, default=0, help="how many requests and webhooks its page shows; 0: none (default)"
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
