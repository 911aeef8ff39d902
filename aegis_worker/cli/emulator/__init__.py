"""`aegis emulator`: payment gateways to test against, without AegisPay."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from aegis_worker.emulator.scenarios.reading import WrongScenario, read
from aegis_worker.emulator.scenarios.rules import Scenario
from aegis_worker.emulator.scenarios.shipping import shipped
from aegis_worker.emulator.together import Emulator, Wanted
from aegis_worker.emulator.wire_formats import REACHES, WIRE_FORMATS, NoWireFormat, wire_format
from aegis_worker.errors import EmulatorNotStarted
from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.output import examples, json_option, print_table, remark

_COLUMNS = ("gateway", "base URL", "API key", "webhook secret", "page")
MODULES = {
    "failures": (".failures", "Show what can be made to fail, and how."),
    "scenarios": (".scenarios", "Show the scenarios that come with it, or check one."),
}


@click.group(
    name="emulator",
    cls=LazyGroup,
    package=__name__,
    modules=MODULES,
    invoke_without_command=True,
    epilog=examples(
        """
        aegis emulator
        aegis emulator --gateways stripe --port 12111 --ledger ~/stripe
        aegis emulator --webhooks-to 'http://127.0.0.1:3000/hooks/{gateway}'
        aegis emulator --scenario outage --seed 7
        aegis emulator failures
        """
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address on which they listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_500),
    default=0,
    show_default=True,
    help="The port of the overview; the gateways have the ports after it. 0 means any free ports.",
)
@click.option(
    "--gateways",
    default=",".join(WIRE_FORMATS),
    show_default=True,
    help="Which gateways, in this order, separated by commas.",
)
@click.option(
    "--webhooks-to",
    metavar="URL",
    help="Where webhooks are sent, with http://; {gateway} stands for the gateway's name. Without it none are sent.",
)
@click.option(
    "--scenario", metavar="FILE|NAME", help="What is to fail: a file, or a scenario that comes with it."
)
@click.option("--seed", type=click.IntRange(0), help="In place of the scenario's own seed.")
@click.option(
    "--ledger",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder in which the ledgers are kept. Without it they are gone at the end.",
)
@click.option(
    "--keep",
    type=click.IntRange(0, 100_000),
    default=1000,
    show_default=True,
    help="How many requests and webhooks each gateway's page shows.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write URLs and keys to this JSON file once they answer; it is removed at the end.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    host: str,
    port: int,
    gateways: str,
    webhooks_to: str | None,
    scenario: str | None,
    seed: int | None,
    ledger: Path | None,
    keep: int,
    ready_file: Path | None,
    as_json: bool,
) -> None:
    """Run payment gateways to test against: Stripe's, Adyen's and other wire formats over one kind of ledger.

    Each gateway has a port of its own, because some SDKs take a host and a port and no path. Ctrl-C or TERM ends them; the
    exit code is then 0. It needs no database, no Redis, and nothing of AegisPay.
    """
    if context.invoked_subcommand is not None:
        return
    chosen = _gateways(gateways)
    if webhooks_to is not None and not webhooks_to.startswith("http://"):
        raise click.BadParameter("only http:// is spoken here", param_hint="--webhooks-to")
    if seed is not None and scenario is None:
        raise click.BadParameter("it is the seed of a --scenario", param_hint="--seed")
    played = _scenario(scenario, seed) if scenario else None
    with ExitStack() as ending:
        folder = ledger or Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="aegis-emulator-")))
        _run(Wanted(chosen, host, port, folder, webhooks_to or "", played, keep), ready_file, as_json=as_json)
    remark("aegis emulator: stopped")


def _run(wanted: Wanted, ready_file: Path | None, *, as_json: bool) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    emulator = _emulator(wanted)
    shown = {"overview": emulator.url, "gateways": emulator.facts()}
    with ExitStack() as ending:
        if ready_file is not None:
            ending.callback(ready_file.unlink, missing_ok=True)
            _write_whole(ready_file, json.dumps(shown))
        if as_json:
            click.echo(json.dumps(shown, indent=2))
        else:
            _tell(emulator)
        emulator.run(stopped)


def _write_whole(file: Path, text: str) -> None:
    written = file.with_suffix(f"{file.suffix}.tmp")
    try:
        written.write_text(text)
        written.replace(file)
    except OSError as error:
        raise EmulatorNotStarted(f"{file}: {error.strerror}") from error


def _gateways(given: str) -> list[str]:
    chosen = [name.strip() for name in given.split(",")]
    if len(set(chosen)) < len(chosen):
        raise click.BadParameter("each at most once", param_hint="--gateways")
    try:
        return [wire_format(name).name for name in chosen]
    except NoWireFormat as problem:
        raise click.BadParameter(str(problem), param_hint="--gateways") from problem


def _scenario(given: str, seed: int | None) -> Scenario:
    known = shipped(REACHES)
    try:
        toml = known[given].text if given in known else Path(given).read_text(encoding="utf-8")
        return read(toml, REACHES, seed)
    except WrongScenario as wrong:
        problems = "\n".join(f"  {given}: {problem}" for problem in wrong.problems)
        raise click.BadParameter(
            f"it is not what it should be\n{problems}", param_hint="--scenario"
        ) from wrong
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(known)
        raise click.BadParameter(
            f"{given} is no file that can be read, and none of {names}", param_hint="--scenario"
        ) from error


def _emulator(wanted: Wanted) -> Emulator:
    try:
        wanted.folder.mkdir(parents=True, exist_ok=True)
        return Emulator(wanted)
    except OSError as error:
        last = wanted.port + len(wanted.gateways)
        ports = f"ports {wanted.port} to {last}" if wanted.port else "free ports"
        where = f"{ports} of {wanted.host}, ledgers in {wanted.folder}"
        raise EmulatorNotStarted(f"{where}: {error.strerror or error}") from error


def _tell(emulator: Emulator) -> None:
    names = ("gateway", "base_url", "api_key", "webhook_secret", "page")
    rows = [tuple(one[name] for name in names) for one in emulator.facts()]
    print_table("The emulator is running", _COLUMNS, rows, spare=("page",))
    remark(f"Overview: {emulator.url}   Ctrl-C ends it.")
