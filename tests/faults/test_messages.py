"""Messages that get lost, come often or come from a stranger: a hint carries no facts, so nothing depends on one."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import redis
from support.installation import SOON_S, Installation, wait_until

_QUEUE = "payments"
_NO_MESSAGES: tuple[str | bytes, ...] = (
    "no JSON",
    b"\xff\xfe",
    "[]",
    "{}",
    "7",
    '{"properties": 7}',
    '{"properties": {"delivery_tag": "x"}, "body": 7}',
)


@pytest.mark.slow
@pytest.mark.row(9)
def test_a_message_that_comes_twenty_times_charges_once(running: Installation) -> None:
    with running.without_worker(), running.redis() as broker:
        payment_id = hinted_payment(running, broker, "tok_latency_500")
        message = broker.lindex(_QUEUE, 0)
        assert message is not None
        broker.lpush(_QUEUE, *[message] * 19)
    assert running.ended(payment_id)["state"] == "SUCCESS"
    with running.redis() as broker:
        wait_until(lambda: not broker.llen(_QUEUE), SOON_S)
    assert len(running.attempts(payment_id)) == 1


@pytest.mark.row(10)
@pytest.mark.slow
def test_a_payment_whose_message_was_lost_is_found_by_the_sweeper(running: Installation) -> None:
    with running.without_worker(), running.redis() as broker:
        payment_id = hinted_payment(running, broker, "tok_visa")
        broker.delete(_QUEUE)
    assert running.ended(payment_id)["state"] == "SUCCESS"


@pytest.mark.row(16)
@pytest.mark.slow
def test_messages_of_strangers_are_thrown_away_and_run_nothing(running: Installation, tmp_path: Path) -> None:
    with running.without_worker(), running.redis() as broker:
        hinted_payment(running, broker, "tok_visa")
        message = broker.lindex(_QUEUE, 0)
        assert message is not None
        hint = json.loads(message)
        strangers: list[str | bytes] = [*forged(hint, canary=tmp_path / "run"), *_NO_MESSAGES]
        broker.lpush(_QUEUE, *strangers)
    wait_until(lambda: running.worker_pid(), SOON_S)
    worker_pid = running.worker_pid()
    with running.redis() as broker:
        wait_until(lambda: not broker.llen(_QUEUE), SOON_S)
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
    assert running.worker_pid() == worker_pid
    assert not (tmp_path / "run").exists()


def hinted_payment(running: Installation, broker: redis.Redis, token: str) -> str:
    """A payment whose message is in the queue, while no worker runs."""
    payment_ids: list[str] = []

    def is_hinted() -> bool:
        # A hint that the killed worker took along holds back the next one, and on a busy machine one may get lost.
        if not broker.exists(f"aegis:hint:{_QUEUE}"):
            payment_ids.append(running.accepted(token))
        return bool(payment_ids and broker.llen(_QUEUE))

    wait_until(is_hinted, SOON_S)
    return payment_ids[-1]


def forged(hint: dict[str, Any], canary: Path) -> list[str]:
    """Messages made from a good one: a task that isn't there, arguments that it doesn't take, and pickles."""

    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(canary), "w")

    def encoded(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    headers, options = hint["headers"], [{"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    arguments = json.dumps([["x"], {"amount": 1}, *options]).encode()
    pickled = {
        "body": encoded(pickle.dumps(Exploit())),
        "content-type": "application/x-python-serialize",
        "content-encoding": "binary",
    }
    changes: list[dict[str, Any]] = [
        {"headers": headers | {"task": "os.system"}},
        {"headers": headers | {"task": "celery.backend_cleanup"}},
        {"body": encoded(arguments)},
        pickled,
        pickled | {"content-type": "application/json"},
        {"headers": {}},
    ]
    return [json.dumps(hint | change) for change in changes]
