"""`aegis up`: a whole installation on this machine, until Ctrl-C or TERM."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import click

from aegis_worker.errors import StackFailed
from aegis_worker.lab.local.config_files import emulated_tables
from aegis_worker.lab.local.folder import write_whole
from aegis_worker.lab.local.options import gateways_option, vault_option, workers_option
from aegis_worker.lab.local.stack import LocalStack, Running
from aegis_worker.lab.local.stopping import Stopped, stop_on_signals
from aegis_worker.terminal.output import examples, print_facts, remark

MERCHANT = "local"
# How many requests, and how many webhooks, the page of each gateway's emulator shows.
_KEPT = 200
_CURL = """\
curl -s {url}/v1/payments -H 'Authorization: Bearer {key}' \\
  -H 'Content-Type: application/json' -H 'Idempotency-Key: first' -H 'Prefer: wait=5' \\
  -d '{{"amount":1999,"currency":"USD","payment_method":{{"type":"card","token":"tok_visa"}}}}'"""


@click.command(
    name="up",
    epilog=examples(
        """
        aegis up
        aegis up --data ~/pay --port 0 --workers 4 --ready-file /tmp/ready.json
        aegis up --gateways sandbox_a,stripe
        DATABASE_URL=postgresql://… REDIS_URL=redis://… aegis up
        """
    ),
)
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default="data",
    show_default=True,
    help="Where databases, ledgers, logs and secrets are kept.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port of the API; 0 means any free port.",
)
@workers_option
@gateways_option
@vault_option
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write URLs and keys to this JSON file once everything answers. Only you can read it; it is removed at the end.",
)
def command(
    data_dir: Path,
    port: int,
    workers: int,
    gateways: tuple[str, ...],
    vault: bool,
    ready_file: Path | None,
) -> None:
    """Start everything here and keep it running: stores, sandbox gateways, API, worker and beat.

    If DATABASE_URL and REDIS_URL are set, these stores are used instead of the embedded ones. Ctrl-C or TERM stops
    everything that was started.
    """
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    stack = LocalStack(
        data_dir,
        port=port,
        workers=workers,
        merchant_id=MERCHANT,
        environ=os.environ,
        say=_say,
        choose=partial(emulated_tables, gateways) if gateways else None,
        keeps=_KEPT,
        vault=vault,
    )
    with stop_on_signals() as stopping, stack:
        try:
            running = stack.start(stopping)
            _tell(running, stack, ready_file)
            stopping.wait()
        except Stopped:
            pass
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
    _say("stopped")


def _say(text: str) -> None:
    remark(f"aegis up: {text}")


def _tell(running: Running, stack: LocalStack, ready_file: Path | None) -> None:
    print_facts(
        "AegisPay is running",
        {
            "API": running.api_url,
            "documentation": f"{running.api_url}/docs",
            **{name: f"{sandbox['url']}/_sandbox/" for name, sandbox in running.sandboxes.items()},
            "logs": stack.folder.logs,
            "operator's key": running.operator_key,
            "settings": f"{stack.folder.settings_file} (in another shell: . FILE, and aegis doctor works there)",
        },
    )
    click.echo("\nA first payment:\n" + _CURL.format(url=running.api_url, key=running.api_key) + "\n")
    remark(f"The console is at {running.api_url}/console/. In another shell, with these settings:")
    remark("aegis users add NAME --role admin prints the code with which its first user chooses a password.")
    remark("Ctrl-C stops everything.")
    if ready_file is None:
        return
    try:
        write_whole(ready_file, json.dumps(running.as_dict()))
    except OSError as error:
        raise StackFailed(f"{ready_file}: {error.strerror}") from error
