"""The client against the real API, over a real socket: for threads and for asyncio."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.api_client import SUCCEEDED, Api, start_api
from support.checkout import CHECKOUT
from support.command_line import served
from support.otlp_collector import an_answer_without_end

from aegis_api.app import openapi_document
from aegis_client import AsyncClient, Client, InvalidWebhook, NotAnswered, Retries, problems, webhooks
from aegis_client.models import BatchLine, CardMethod, PaymentRequest
from aegis_client.resources import AsyncResource, Resource
from aegis_worker.delivery.webhooks.signing import endpoint_secret, sign
from aegis_worker.persistence.api_keys import create_key, create_operator_key

CARD: CardMethod = {"type": "card", "token": "tok_visa"}
ORDER: PaymentRequest = {"amount": 1999, "currency": "USD", "payment_method": CARD}
OTHER: PaymentRequest = {**ORDER, "amount": 5}
WRONG: PaymentRequest = {**ORDER, "amount": -1}


@dataclass
class Served:
    api: Api
    url: str
    key: str


@pytest.fixture
def at(database_url: str) -> Iterator[Served]:
    api = start_api(database_url)
    _, key = create_key(api.database, "shop", "test")
    with served(api.app) as url:
        yield Served(api, url, key)
    api.database.dispose()


@pytest.fixture
def shop(at: Served) -> Iterator[Client]:
    with Client(at.url, at.key) as client:
        yield client


def test_a_payment_is_made_once_and_seen_through(at: Served, shop: Client) -> None:
    payment = shop.payments.create(idempotency_key="one", **ORDER)
    again = shop.payments.create(idempotency_key="one", **ORDER)
    assert again["id"] == payment["id"]
    at.api.settle(*SUCCEEDED)
    assert shop.ended(payment["job"], timeout_s=10)["status"] == "succeeded"
    assert shop.payments.get(payment["id"])["state"] == "SUCCESS"
    assert [event["type"] for event in shop.payments.events(payment["id"])][-1] == "payment.succeeded"


def test_a_list_goes_over_all_its_pages(shop: Client) -> None:
    made = [shop.payments.create(idempotency_key=f"k{place}", **ORDER)["id"] for place in range(5)]
    assert [payment["id"] for payment in shop.payments.list(page_size=2)] == made[::-1]
    after = shop.payments.list(page_size=2, starting_after=made[3])
    assert [payment["id"] for payment in after] == made[2::-1]


def test_a_batch_tells_of_each_line(shop: Client) -> None:
    good: BatchLine = {"idempotency_key": "a", **ORDER}
    told = shop.post_batch([good, {**good, "idempotency_key": "b", "amount": 0}, good])
    assert [line["outcome"] for line in told] == ["accepted", "refused", "replayed"]
    assert told[1]["problem"]["code"] == "validation_failed"


def test_a_refusal_is_an_exception_of_its_code(at: Served, shop: Client) -> None:
    with pytest.raises(problems.ValidationFailed) as refused:
        shop.payments.create(idempotency_key="one", **WRONG)
    assert [error["pointer"] for error in refused.value.errors] == ["/amount"]
    with pytest.raises(problems.NotFound):
        shop.payments.get("pay_0199a7c5a0f47d5a8f0e6b1c2d3e4f50")
    with Client(at.url, "sk_of_nobody") as stranger, pytest.raises(problems.InvalidApiKey):
        stranger.jobs.get("job_0199a7c5a0f47d5a8f0e6b1c2d3e4f50")


def test_a_version_that_was_seen_goes_along(at: Served) -> None:
    key = create_operator_key(at.api.database, "ada")[1]
    with Client(at.url, key) as operator:
        routing = operator.routing.get()
        with pytest.raises(problems.VersionConflict):
            operator.routing.put(if_match=routing["version"] + 7, config=routing["config"], reason="a try")


def test_everything_for_asyncio_as_well(at: Served) -> None:
    async def shopping() -> None:
        async with AsyncClient(at.url, at.key) as shop:
            made = await asyncio.gather(
                *(shop.payments.create(idempotency_key=f"k{place}", **ORDER) for place in range(5))
            )
            listed = [payment["id"] async for payment in shop.payments.list(page_size=2)]
            assert sorted(listed) == sorted(payment["id"] for payment in made)
            told = await shop.post_batch([{"idempotency_key": "k0", **ORDER}])
            assert [line["outcome"] for line in told] == ["replayed"]
            waited = await shop.ended(made[0]["job"], timeout_s=0.2)
            assert waited["status"] == "queued"
            with pytest.raises(problems.IdempotencyKeyReused):
                await shop.payments.create(idempotency_key="k0", **OTHER)

    asyncio.run(shopping())


def test_an_address_where_nobody_listens_was_sent_nothing() -> None:
    retries = Retries(tries=2, first_pause_s=0.01)
    with Client("http://127.0.0.1:9", "k", retries=retries) as client, pytest.raises(NotAnswered) as told:
        client.payments.create(idempotency_key="one", **ORDER)
    assert not told.value.may_have_arrived


def test_an_answer_that_comes_a_byte_at_a_time_takes_no_longer_than_its_time() -> None:
    once = Retries(tries=1)

    async def make(url: str) -> None:
        async with AsyncClient(url, "k", answer_within_s=0.3, retries=once) as client:
            await client.payments.get("pay_1")

    with an_answer_without_end() as url, Client(url, "k", answer_within_s=0.3, retries=once) as client:
        with pytest.raises(NotAnswered, match="timed out") as told:
            client.payments.get("pay_1")
        assert told.value.may_have_arrived
    with an_answer_without_end() as url, pytest.raises(NotAnswered, match="timed out"):
        asyncio.run(make(url))


@pytest.mark.parametrize(
    ("url", "key"), [("ftp://127.0.0.1", "k"), ("http://", "k"), ("http://127.0.0.1", ""), ("http://[::1", "k"),
     ("http://u:p@127.0.0.1", "k"), ("http://127.0.0.1?a=b", "k"), ("http://127.0.0.1#a", "k"), ("http://h .example", "k")]
)  # fmt: skip
def test_an_address_or_key_of_no_use_is_refused_at_once(url: str, key: str) -> None:
    with pytest.raises(ValueError, match=r"address|key"):
        Client(url, key)


def test_the_client_has_a_method_for_every_operation_and_no_other() -> None:
    """Held by scripts/documents too; here it is seen that both clients have the same ones."""
    paths = json.loads(openapi_document())["paths"].values()
    operations = sum(method in ("get", "post", "put", "delete") for path in paths for method in path)
    not_for_clients = (
        4  # two that gateways call, one that a scraper does, and batches, which have a way of their own
    )
    threads, asyncios = (
        sorted(
            f"{name}.{method}"
            for name, resource in vars(client).items()
            for method in vars(type(resource))
            if isinstance(resource, Resource | AsyncResource) and not method.startswith("_")
        )
        for client in (Client("http://127.0.0.1:9", "k"), AsyncClient("http://127.0.0.1:9", "k"))
    )
    assert threads == asyncios
    assert len(threads) == operations - not_for_clients


def test_a_webhook_is_believed_by_its_signature_and_time() -> None:
    secret, body, now_s = endpoint_secret("s" * 40, "whe_1", 1), b'{"id": "evt_1"}', int(time.time())
    headers = {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(now_s),
        "Webhook-Signature": sign(secret, "evt_1", now_s, body),
    }
    assert webhooks.event_of(secret, headers, body) == {"id": "evt_1"}
    with pytest.raises(InvalidWebhook, match="no signature matches"):
        webhooks.event_of(secret, headers, body + b" ")
    with pytest.raises(InvalidWebhook, match="away"):
        webhooks.event_of(secret, headers, body, now_s=now_s + 301)
    with pytest.raises(InvalidWebhook, match="no signature matches"):
        webhooks.event_of(secret, {**headers, "Webhook-Id": "evt_\ud800"}, body)
    with pytest.raises(InvalidWebhook, match="away"):
        webhooks.event_of(secret, headers, body, now_s=now_s + 301, tolerance_s=math.nan)
    deep = b"[" * 100_000
    signed = {**headers, "Webhook-Signature": sign(secret, "evt_1", now_s, deep)}
    with pytest.raises(InvalidWebhook, match="no JSON"):
        webhooks.event_of(secret, signed, deep)
    for useless in ("whsec_", "whsec_YWJj", "whsec_@", "s" * 40):
        with pytest.raises(ValueError, match=r"secret|base64"):
            webhooks.event_of(useless, headers, body)
    with pytest.raises(InvalidWebhook, match="missing"):
        webhooks.event_of(secret, {}, body)


@pytest.mark.slow  # makes an environment of its own
def test_it_can_be_installed_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, source = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("source") / "aegis_client"
    shutil.copytree(CHECKOUT / "aegis_client", source)  # because building leaves files behind
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*install, str(source)], check=True)
    asked = "import sys, aegis_client; print(aegis_client.__file__, any('aegis_worker' in m for m in sys.modules))"
    path = f"import sys; sys.path[:0] = [{str(folder)!r}]; {asked}"
    told = subprocess.run(
        [sys.executable, "-c", path], cwd=folder, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [str(folder / "aegis_client" / "__init__.py"), "False"]
