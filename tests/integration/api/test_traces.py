"""One trace from the request through task and gateway call to the webhook, at a collector of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from support.api_client import Api, Merchant, start_api
from support.card_canary import PAN
from support.merchant_server import a_sink
from support.otlp_collector import Collector, a_collector
from support.outbox_events import claim_and_fan_out, settings_with
from support.payments import make_due, pipeline
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.delivery.webhooks.deliver import deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Pending
from aegis_worker.observability.tracing import TRACING
from aegis_worker.observation_settings import ObservationSettings, load_observation_settings
from aegis_worker.pipeline.run import run

_numbers = count(1)
CALLERS = "0af7651916cd43dd8448eb211c80319c"
TRACED, NOT_TRACED = f"00-{CALLERS}-b7ad6b7169203331-01", f"00-{CALLERS}-b7ad6b7169203331-00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with a_collector() as running:
        trace(running)
        yield running
        TRACING.configure(ObservationSettings(), {})


def trace(collector: Collector, share: str = "1") -> None:
    environ = {"AEGIS_TRACES": "otlp", "AEGIS_TRACE_SHARE": share, "AEGIS_OTLP_ENDPOINT": collector.endpoint}
    TRACING.configure(load_observation_settings(environ), {"service.name": "aegispay"})


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("sandbox_a")


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway, collector: Collector) -> Api:
    return start_api(database_url, gateway)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def work(api: Api, gateway: ScriptedGateway, queue: str = "payments") -> None:
    """A worker's task, traced as Celery's are."""
    task = TRACING.root(f"task {queue}", "consumer")
    TRACING.work_for(task)
    try:
        run(pipeline(api.database, gateway), queue)
    finally:
        TRACING.work_for(None)
        if task is not None:
            task.end()


def post_webhooks(api: Api) -> None:
    settings = settings_with(webhook_allow_private=True, webhook_timeout_s=5.0)
    api.database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=60.0))
    sender = HttpSender(timeout_s=5.0, allow_private=True)
    deliver_due(api.database, sender, settings, limit=64, lease_s=60.0)
    sender.close()


def posted(shop: Merchant, **headers: str) -> str:
    body = {"amount": 1999, "currency": "USD", "payment_method": {"type": "card", "token": "tok_visa"}}
    given = {"Idempotency-Key": f"key-{next(_numbers)}", "Correlation-Id": "checkout-77", **headers}
    answer = shop.post("/v1/payments", json=body, headers=given)
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def spans(collector: Collector) -> list[Any]:
    TRACING.flush()
    return collector.spans


def named(collector: Collector, name: str) -> list[Any]:
    return [span for span in spans(collector) if span.name == name]


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_one_trace_has_request_job_call_and_webhook(
    api: Api, shop: Merchant, gateway: ScriptedGateway, collector: Collector
) -> None:
    with a_sink() as sink:
        settings = settings_with(webhook_allow_private=True)
        create_endpoint(api.database, settings, Owner(shop.merchant_id, "test"), sink.url("/hooks"), ())
        payment_id = posted(shop)
        work(api, gateway)
        post_webhooks(api)
        received = [one.headers["traceparent"] for one in sink.at("/hooks")]
    (request,) = named(collector, "POST /v1/payments")
    (job,), (call,) = named(collector, "job process"), named(collector, "sandbox_a process")
    webhooks = [span for span in spans(collector) if span.name.startswith("webhook ")]
    assert [span.name for span in webhooks] == [
        f"webhook payment.{name}" for name in ("initiated", "processing", "succeeded")
    ]
    assert {span.trace_id for span in (job, call, *webhooks)} == {request.trace_id}
    assert {span.parent_span_id for span in (job, *webhooks)} == {request.span_id}
    assert call.parent_span_id == job.span_id
    assert received == [f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in webhooks]
    about = attributes(call)
    assert (about["aegis.outcome"], about["aegis.gateway"], about["aegis.payment_id"]) == (
        "approved",
        "sandbox_a",
        payment_id,
    )
    assert attributes(request)["http.response.status_code"] == 202
    for span in (request, job, call, *webhooks):
        assert attributes(span)["aegis.correlation_id"] == "checkout-77"
        assert span.end_time_unix_nano >= span.start_time_unix_nano
    assert [
        span for span in spans(collector) if span.name == "accept" and span.parent_span_id == request.span_id
    ]


def test_a_claim_is_linked_with_the_jobs_that_it_took_and_they_with_it(
    api: Api, shop: Merchant, gateway: ScriptedGateway, collector: Collector
) -> None:
    for number in range(3):
        posted(shop, **{"Request-Id": f"request-{number}"})
    work(api, gateway)
    (task,) = named(collector, "task payments")
    jobs = named(collector, "job process")
    assert len({span.trace_id for span in jobs}) == 3
    assert {link.span_id for link in task.links} == {span.span_id for span in jobs}
    assert {link.span_id for span in jobs for link in span.links} == {task.span_id}
    statements = [span.name for span in spans(collector) if span.parent_span_id == task.span_id]
    assert {"claim", "record"} <= set(statements)


def test_a_job_that_is_taken_up_again_stays_in_its_trace(
    api: Api, shop: Merchant, collector: Collector
) -> None:
    gateway = ScriptedGateway("sandbox_a", answering(Pending("ch_1")))
    gateway.look_up = answering(Approved("ch_1"))
    posted(shop, traceparent=TRACED)
    work(api, gateway)
    make_due(api.database)
    work(api, gateway, "verify")
    jobs = named(collector, "job process")
    assert [span.trace_id.hex() for span in jobs] == [CALLERS] * 2
    (look_up,) = named(collector, "sandbox_a look-up")
    assert look_up.trace_id.hex() == CALLERS


def test_who_sends_a_traceparent_decides(
    api: Api, shop: Merchant, gateway: ScriptedGateway, collector: Collector
) -> None:
    trace(collector, share="0")
    posted(shop)
    assert spans(collector) == []
    posted(shop, traceparent=TRACED)
    (request,) = named(collector, "POST /v1/payments")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (CALLERS, "b7ad6b7169203331")
    trace(collector, share="1")
    posted(shop, traceparent=NOT_TRACED)
    work(api, gateway)
    assert len(named(collector, "POST /v1/payments")) == 1
    assert len(named(collector, "job process")) == 1


def test_what_a_later_version_of_traceparent_has_in_common_is_followed(
    shop: Merchant, collector: Collector
) -> None:
    posted(shop, traceparent="01" + TRACED[2:] + "-what-comes-then")
    (request,) = named(collector, "POST /v1/payments")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (CALLERS, "b7ad6b7169203331")


@pytest.mark.parametrize(
    "given",
    [
        PAN,
        TRACED + "-more",
        "01" + TRACED[2:] + "more",
        f"00-{PAN}{PAN}-b7ad6b7169203331-01x",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "ff" + TRACED[2:],
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(
    shop: Merchant, collector: Collector, given: str
) -> None:
    posted(shop, traceparent=given)
    (request,) = named(collector, "POST /v1/payments")
    assert not request.parent_span_id
    assert request.trace_id.hex() != "0" * 32


def test_no_span_holds_what_somebody_sent(shop: Merchant, collector: Collector) -> None:
    posted(shop)
    shop.get("/v1/payments/pay_0")
    assert named(collector, "GET /v1/payments/{payment_id}")
    shop.get(f"/v1/payments/{PAN}?reference={PAN}", headers={"User-Agent": PAN})
    shop.post("/v1/payments", json={"description": PAN, "cvv": "737"}, headers={"Idempotency-Key": "k"})
    assert len(named(collector, "POST /v1/payments")) == 2
    for body in collector.raw:
        for secret in (PAN, "tok_visa", shop.key, "Bearer", "INSERT"):
            assert secret.encode() not in body


def test_callers_can_not_have_everything_traced(collector: Collector) -> None:
    trace(collector, share="0")
    followed = [TRACING.root("request", "server", TRACED) for _ in range(1000)]
    # Of this second's hundred, tests before may have taken some; and some seconds may begin meanwhile.
    assert 0 < sum(span is not None for span in followed) <= 300


def test_a_method_that_is_none_names_no_span(api: Api, collector: Collector) -> None:
    api.app.test_client().open("/v1/payments", method=f"X{PAN}")
    assert {span.name.split()[0] for span in spans(collector)} == {"other"}


def test_off_nothing_is_traced(
    api: Api, shop: Merchant, gateway: ScriptedGateway, collector: Collector
) -> None:
    TRACING.configure(ObservationSettings(), {})
    posted(shop, traceparent=TRACED)
    work(api, gateway)
    assert collector.spans == []
