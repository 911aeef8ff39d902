"""`aegis new-gateway`: writes the skeleton of a payment gateway's adapter, in a package of its own."""

from __future__ import annotations

from pathlib import Path

import click

from aegis_worker.terminal.output import examples, json_option, print_json, remark

from .writing import checked_name, write_skeleton


@click.command(
    name="new-gateway",
    epilog=examples(
        """
        aegis new-gateway northpay
        aegis new-gateway northpay --into ~/src
        """
    ),
)
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder in which the package's folder is made. By default this one.",
)
@json_option
def command(name: str, into: Path, as_json: bool) -> None:
    """Write the skeleton of the adapter of the payment gateway NAME: a package of its own, aegispay-NAME.

    It has an adapter, its codes, its webhooks, a table for gateways.toml, an emulator of the gateway, and AegisPay's
    conformance suite, which is green as it was written. NAME is lower-case letters, digits and _; tables of gateways.toml
    ask for the adapter by it.
    """
    try:
        folder = write_skeleton(checked_name(name), into)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="NAME") from problem
    except OSError as problem:
        raise click.BadParameter(f"{into}: {problem.strerror or problem}", param_hint="--into") from problem
    if as_json:
        print_json({"adapter": name, "folder": str(folder)})
        return
    click.echo(str(folder))
    remark(f"Next: python -m pip install -e '{folder}[test]', then python -m pytest {folder}/tests")
