"""`aegis pay`: post payments over HTTP and follow them to their end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from aegis_client import Answer
from aegis_worker.domain.text import KEY_RULE, same_key
from aegis_worker.errors import NotFound
from aegis_worker.ids import new_id
from aegis_worker.observability.redaction import redact_text
from aegis_worker.queries.sentences import of_error
from aegis_worker.terminal.amounts import amount_facts
from aegis_worker.terminal.api import ENDED_JOB, Api, NotAnswered
from aegis_worker.terminal.output import (
    examples,
    json_option,
    money,
    print_facts,
    print_json,
    progress,
    remark,
)

from .pay_body import body_of, body_options
from .pay_file import pay_file

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0


def _key(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    key = same_key(value)
    if key is None:
        raise click.BadParameter(KEY_RULE)
    return key


@click.command(
    name="pay",
    epilog=examples(
        """
        aegis pay --amount 1999 --currency USD --token tok_ok --network visa
        aegis pay --amount 50000 --currency INR --method upi --vpa asha@okbank --reference order-1042
        aegis pay --amount 1999 --currency USD --token tok_ok --capture-method manual
        aegis pay --file payments.jsonl --concurrency 8
        """
    ),
)
@click.option(
    "--url", envvar="AEGIS_API_URL", default="http://127.0.0.1:8000", show_default=True, show_envvar=True
)
@click.option("--key", envvar="AEGIS_API_KEY", default="", show_envvar=True, help="The merchant's API key.")
@body_options
@click.option(
    "--idempotency-key",
    callback=_key,
    help="Payments with the same key within 72 h are made only once. If left out, a new key is made and printed.",
)
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Payments to post in batches: one JSON body a line, each with an optional idempotency_key. Keys that are left"
    " out follow from file name, line number and content: running the same file again within 72 h goes on where it"
    " stopped.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="With --file: how many batches to post at the same time.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 86_400),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How many seconds to wait for the result; with --file, for the next result.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    url: str,
    key: str,
    path: Path | None,
    concurrency: int,
    wait_s: float,
    idempotency_key: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Post one payment from options, or a file of them, and wait for the results.

    Exits with 1 when a payment was refused, is in review or has not ended in time. A declined payment has ended, so it
    does not change the exit code.
    """
    if path is not None:
        given = [
            name
            for name, value in {**flags, "idempotency_key": idempotency_key}.items()
            if value not in (None, ())
        ]
        if given:
            raise click.UsageError(
                f"--file doesn't go with --{given[0].replace('_', '-')}: it belongs into the file"
            )
        api = Api(url, key, connections=concurrency)
        try:
            ctx.exit(pay_file(api, path, concurrency=concurrency, wait_s=wait_s, as_json=as_json))
        finally:
            api.close()
    body = body_of(flags)
    api = Api(url, key)
    try:
        ctx.exit(_pay_one(api, body, idempotency_key, wait_s, as_json))
    finally:
        api.close()


def _pay_one(api: Api, body: Mapping[str, Any], key: str | None, wait_s: float, as_json: bool) -> int:
    if key is None:
        key = new_id("cli")
        remark(f"idempotency key {key}; give it with --idempotency-key to try again without paying twice")
    reply = api.post_payment(body, key)
    if not reply.ok:
        _print_refusal(reply, key, as_json)
        return 1
    job = {**reply.body["job"], "payment_id": reply.body["id"]}
    scheduled_at = reply.body["scheduled_at"]
    if scheduled_at is not None:
        wait_s = 0.0
        remark(f"it is charged at {scheduled_at}; until then `aegis cancel` takes it back")
    if wait_s > 0:
        with progress("waiting for the result", total=None):
            job = await_job(api, job, wait_s)
    payment = read(api, f"/v1/payments/{job['payment_id']}")
    replayed = reply.headers.get("Idempotent-Replayed") == "true"
    if as_json:
        print_json({"idempotency_key": key, "replayed": replayed, "payment": payment, "job": job})
    else:
        print_facts("Payment", payment_facts(payment))
        print_facts("Job", {"id": job["id"], "status": job["status"], "because": job.get("reason")})
        if replayed:
            remark("this key has been used before: what you see is that payment, nothing new was posted")
        if wait_s > 0 and job["status"] not in ENDED_JOB:
            remark(f"not ended after {wait_s:g} s; look again with `aegis status {job['id']}`")
    return 0 if wait_s == 0 or job["status"] in ("succeeded", "failed") else 1


def await_job(api: Api, job: Mapping[str, Any], wait_s: float) -> dict[str, Any]:
    """The job at its end, or as it stands after `wait_s` seconds. While the API does not answer, it is asked again."""
    give_up_at = time.monotonic() + wait_s
    pause_s = _FIRST_PAUSE_S
    latest = dict(job)
    while latest["status"] not in ENDED_JOB and time.monotonic() < give_up_at:
        api.stop.wait(min(pause_s, max(0.0, give_up_at - time.monotonic())))
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        try:
            latest = read(api, f"/v1/jobs/{job['id']}")
        except NotAnswered as error:
            remark(str(error))
    return latest


def read(api: Api, path: str) -> dict[str, Any]:
    """A resource that must exist. Raises NotFound, and whatever `Api.get` raises."""
    reply = api.get(path)
    if not reply.ok:
        raise NotFound(f"{path}: {reply.reason}")
    return dict(reply.body)


def payment_facts(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about a payment that a person wants to know, from the API's answer."""
    error, action = payment["last_error"], payment["next_action"]
    return {
        "id": payment["id"],
        "state": payment["state"],
        "certainty": payment["certainty"] if payment["certainty"] != "known" else None,
        "amount": money(payment["amount"], payment["currency"]),
        **amount_facts(payment["amounts"], payment["currency"], payment["amount"]),
        "method": payment["payment_method"]["type"],
        "reference": payment["reference"],
        "scheduled for (UTC)": payment["scheduled_at"],
        "gateway": payment["gateway"],
        "error": of_error(error),
        "advice": error and error["advised_action"],
        "next action": action and _what_to_do(action),
    }


def _what_to_do(action: Mapping[str, Any]) -> str:
    """For a person: the page to open, or what has to be done elsewhere."""
    if action["type"] == "redirect":
        return f"open {action['url']}" if "url" in action else "the payer has to open a page"
    if action["type"] == "sdk":
        return f"the shop's page goes on with the library of {action['gateway']}; --return-url gets the payer a page"
    return str(action["type"])


def _print_refusal(reply: Answer, key: str, as_json: bool) -> None:
    if as_json:
        print_json({"idempotency_key": redact_text(key), "problem": reply.body})
    else:
        print_facts(
            "Payment",
            {"result": "refused", "status": reply.status, "code": reply.code, "because": reply.reason},
        )
