"""`aegis hooks`: the hooks that are loaded, and what they did lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from aegis_worker.errors import OperatorError
from aegis_worker.hooks.config import Configured
from aegis_worker.observability.logs import configure_logs
from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import examples, json_option, print_json, print_table
from aegis_worker.views.hooks import hook_body
from aegis_worker.views.pages import list_body
from aegis_worker.wiring.hooks import hook_reports
from aegis_worker.wiring.stores import redis_client

_COLUMNS = (
    "hook",
    "point",
    "asked by",
    "priority",
    "limit ms",
    "on failure",
    "calls",
    "failed",
    "cut off",
    "not asked",
    "p50/p95 ms",
    "breaker",
    "from",
)
_SPARE = ("from", "asked by", "p50/p95 ms")
_NOT_KNOWN = "Redis can't be asked, so what the hooks did lately is not known"


@click.command(
    name="hooks",
    epilog=examples(
        """
        aegis hooks
        aegis hooks --json
        """
    ),
)
@json_option
def command(as_json: bool) -> None:
    """Show the hooks that are loaded, in the order in which those of a point are asked, and what they did lately.

    The figures are of this hour and the one before, over all processes. Cut off: the hook took too long, or its process
    ended. Not asked: its breaker was open, or the payment's time was up before its turn. --json shows each of these by
    itself. Exits with 3 when the hooks can't be loaded, or Redis does not answer.
    """
    configure_logs("CRITICAL")
    settings = load_settings()
    redis = redis_client(settings)
    try:
        reports = hook_reports(settings, redis)()
    finally:
        redis.close()
    bodies = [hook_body(hook, lately) for hook, lately in reports]
    if as_json:
        print_json(list_body(bodies, None))
    elif not bodies:
        click.echo("No hook is loaded: no package offers one, and AEGIS_HOOKS names none.")
    else:
        rows = [_row(hook, body) for (hook, _), body in zip(reports, bodies, strict=True)]
        print_table("Hooks", _COLUMNS, rows, spare=_SPARE)
    if any(lately is None for _, lately in reports):
        raise OperatorError(_NOT_KNOWN)


def _row(hook: Configured, body: Mapping[str, Any]) -> tuple[object, ...]:
    lately = body["lately"]
    settings = (
        hook.name,
        body["point"],
        body["asked_by"],
        hook.priority,
        hook.timeout_ms,
        hook.policy if hook.enabled else "switched off",
    )
    if lately is None:
        return (*settings, *(None,) * 6, body["package"])
    open_in = lately["breaker_open_in_processes"]
    return (
        *settings,
        lately["calls"],
        lately["failed"],
        lately["timed_out"] + lately["crashed"],
        lately["refused"] + lately["unasked"],
        None if lately["p50_ms"] is None else f"{lately['p50_ms']:g}/{lately['p95_ms']:g}",
        f"open in {open_in} processes" if open_in else "closed",
        body["package"],
    )
