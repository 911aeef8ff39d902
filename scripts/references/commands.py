"""docs/reference/commands.md: every command with its arguments, options and examples, as `--help` shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from aegis_worker.cli import cli

from .markdown import code, table

# Options of all commands, described once above them.
_EVERYWHERE = {"--help", "--json"}


def overview() -> str:
    """The commands, each with its purpose."""
    rows = [
        (f"[{code(context.command_path)}](#{context.command_path.replace(' ', '-')})", _first_line(command))
        for context, command in _commands()
    ]
    return table(("command", "does"), rows)


def details() -> str:
    """A section for each command."""
    return "\n\n".join(_section(context, command) for context, command in _commands())


def _commands() -> Iterator[tuple[click.Context, click.Command]]:
    """The commands that can be run, without groups."""
    yield from _below(click.Context(cli, info_name="aegis", **cli.context_settings))


def _below(context: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    command = context.command
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield context, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _below(click.Context(child, info_name=name, parent=context))


def _section(context: click.Context, command: click.Command) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"### {context.command_path}", f"{code(usage)}", _prose(command.help or "")]
    options = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and record[0].split(", ")[-1] not in _EVERYWHERE
    ]
    if options:
        parts.append(table(("option", "means"), [(code(names), means or "–") for names, means in options]))
    if command.epilog:
        parts.append(f"```text\n{_examples(command.epilog)}\n```")
    return "\n\n".join(parts)


def _first_line(command: click.Command) -> str:
    return _prose(command.help or "").split("\n\n")[0]


def _prose(text: str) -> str:
    paragraphs = textwrap.dedent(text).replace("\b\n", "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _examples(epilog: str) -> str:
    return textwrap.dedent(epilog.replace("\b", "")).strip()
