"""What the commands that order something of a payment have in common: their options, and waiting for the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from aegis_client import Answer
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.text import KEY_RULE, same_key
from aegis_worker.ids import new_id
from aegis_worker.queries.sentences import of_error
from aegis_worker.queries.wording import money
from aegis_worker.terminal.api import Api, NotAnswered
from aegis_worker.terminal.output import json_option, print_facts, print_json, progress, remark

_PAUSE_S = 0.25
_SETTLED = ("succeeded", "failed")
C = TypeVar("C", bound=Callable[..., Any])

amount_option = click.option(
    "--amount",
    type=click.IntRange(1, MAX_MINOR),
    metavar="MINOR",
    help="Minor units, a whole number. The default is all that is left.",
)


def ordering_options(command: C) -> C:
    """The options that all of these commands take."""
    for option in (
        json_option,
        click.option(
            "--wait",
            "wait_s",
            type=click.FloatRange(0, 86_400),
            default=30.0,
            show_default=True,
            metavar="SECONDS",
            help="How many seconds to wait for the end.",
        ),
        click.option(
            "--idempotency-key",
            "order_key",
            callback=_key,
            help="The same order under the same key is carried out once, however late it is repeated. If left out, a new"
            " key is made and printed.",
        ),
        click.option(
            "--key", envvar="AEGIS_API_KEY", default="", show_envvar=True, help="The merchant's API key."
        ),
        click.option(
            "--url",
            envvar="AEGIS_API_URL",
            default="http://127.0.0.1:8000",
            show_default=True,
            show_envvar=True,
        ),
        click.argument("payment_id", metavar="ID"),
    ):
        command = option(command)
    return command


def order(
    path: str,
    body: Mapping[str, Any],
    *,
    url: str,
    key: str,
    order_key: str | None,
    wait_s: float,
    as_json: bool,
) -> int:
    """Post the order and wait for its end; the exit code. 1: refused, failed, or not ended in time."""
    if order_key is None:
        order_key = new_id("cli")
        remark(
            f"idempotency key {order_key}; give it with --idempotency-key to try again without doing it twice"
        )
    api = Api(url, key)
    try:
        reply = api.post(path, body, order_key)
        if not reply.ok:
            _print_refusal(reply, as_json)
            return 1
        with progress("waiting for the end", total=None):
            entity = _awaited(api, reply.body, wait_s)
    finally:
        api.close()
    if as_json:
        print_json({"idempotency_key": order_key, entity["object"]: entity})
    else:
        print_facts(entity["object"].capitalize(), _facts(entity))
    return 0 if entity["status"] == "succeeded" or wait_s == 0 else 1


def _key(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    key = same_key(value)
    if key is None:
        raise click.BadParameter(KEY_RULE)
    return key


def _awaited(api: Api, entity: Mapping[str, Any], wait_s: float) -> dict[str, Any]:
    give_up_at = time.monotonic() + wait_s
    latest = {name: value for name, value in entity.items() if name != "job"}
    while latest["status"] not in _SETTLED and time.monotonic() < give_up_at:
        api.stop.wait(min(_PAUSE_S, max(0.0, give_up_at - time.monotonic())))
        try:
            latest = dict(api.get(entity["links"]["self"]).body)
        except NotAnswered as error:
            remark(str(error))
    return latest


def _facts(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": entity["id"],
        "status": entity["status"],
        "amount": money(entity["amount"], entity["currency"]),
        "payment": entity["payment_id"],
        "gateway": entity["gateway"],
        "error": of_error(entity["error"]),
    }


def _print_refusal(reply: Answer, as_json: bool) -> None:
    if as_json:
        print_json({"problem": reply.body})
    else:
        facts = {"result": "refused", "status": reply.status, "code": reply.code, "because": reply.reason}
        print_facts("Order", facts)
