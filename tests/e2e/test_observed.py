"""A whole installation under observation: its processes tell of one payment in one trace, and of all at /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from support.checkout import CHECKOUT
from support.installation import SOON_S, Installation, card, wait_until
from support.merchant_server import Sink, a_sink
from support.otlp_collector import Collector, a_collector
from support.process_logs import ProcessLogs
from support.promtool import promtool

from aegis_worker.observability.metrics.table import ALL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with a_collector() as running:
        yield running


def a_plan(folder: Path) -> Path:
    plan = folder / "plan.toml"
    plan.write_text('[[injections]]\nid = "a-little-late"\nkind = "latency"\ndelay_ms = 5\n')
    return plan


@pytest.fixture(scope="module")
def observed(
    tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str], collector: Collector
) -> Iterator[Installation]:
    settings = {
        "AEGIS_TRACES": "otlp",
        "AEGIS_TRACE_SHARE": "1",
        "AEGIS_METRICS_SINKS": "prometheus,otlp",
        "AEGIS_METRICS_EVERY_S": "0.5",
        "AEGIS_OTLP_ENDPOINT": collector.endpoint,
        # With hooks and a plan, so that every metric has values.
        "AEGIS_HOOKS": "support.hook_plugins.at_the_doors",
        "PYTHONPATH": str(CHECKOUT / "tests"),
        "AEGIS_CHAOS": str(a_plan(tmp_path_factory.mktemp("plan"))),
    }
    running = Installation(tmp_path_factory.mktemp("observed") / "data", {**environ, **settings}, workers=1)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def sink(observed: Installation) -> Iterator[Sink]:
    with a_sink() as running:
        made = observed.send("POST", "/v1/webhook-endpoints", {"url": running.url("/hooks")})
        assert made.status == 201, made.body
        yield running


@pytest.fixture(scope="module")
def paid(observed: Installation, sink: Sink) -> str:
    headers = {"Idempotency-Key": "observed-1", "Correlation-Id": "checkout-77"}
    answer = observed.send("POST", "/v1/payments", card("tok_visa"), SOON_S, **headers)
    observed.ended(answer.body["id"])
    wait_until(lambda: any(one.json["type"] == "payment.succeeded" for one in sink.at("/hooks")), SOON_S)
    return str(answer.body["id"])


def about(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_one_trace_shows_request_task_gateway_and_webhook(
    paid: str, sink: Sink, collector: Collector
) -> None:
    def of_it() -> list[Any]:
        requests = [
            span
            for span in collector.spans
            if span.name == "POST /v1/payments" and about(span).get("aegis.correlation_id") == "checkout-77"
        ]
        return [span for span in collector.spans if requests and span.trace_id == requests[0].trace_id]

    def names() -> set[str]:
        return {span.name for span in of_it()}

    wait_until(lambda: {"job process", "webhook payment.succeeded"} <= names(), SOON_S)
    calls = [
        about(span) for span in of_it() if "aegis.outcome" in about(span) and "aegis.gateway" in about(span)
    ]
    assert [call["aegis.outcome"] for call in calls if call["aegis.operation"] == "process"] == ["approved"]
    assert {one.headers["correlation-id"] for one in sink.at("/hooks")} == {"checkout-77"}
    trace_ids = {span.trace_id.hex() for span in of_it()}
    assert {one.headers["traceparent"].split("-")[1] for one in sink.at("/hooks")} == trace_ids
    claims = [span for span in collector.spans if span.name == "task payments.run"]
    jobs = {span.span_id for span in of_it() if span.name == "job process"}
    assert jobs <= {link.span_id for span in claims for link in span.links}


def test_the_logs_of_all_processes_tell_of_it_by_the_callers_id(paid: str, observed: Installation) -> None:
    logs = ProcessLogs(observed.data_dir / "logs", whole=True)
    told = [line for line in logs.events() if line.get("correlation_id") == "checkout-77"]
    assert {"payment event", "gateway answered", "webhook posted"} <= {line["event"] for line in told}
    assert {line["payment_id"] for line in told} == {paid}


def test_metrics_add_up_all_processes_and_prometheus_reads_them(
    paid: str, observed: Installation, collector: Collector
) -> None:
    def told() -> dict[str, float]:
        text = urllib3.request("GET", observed.ready["api_url"] + "/metrics").data.decode()
        return {
            " ".join([sample.name, *(sample.labels[label] for label in sorted(sample.labels))]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    wait_until(lambda: told().get("aegis_payments_total sandbox_a card SUCCESS"), SOON_S)
    wait_until(lambda: told().get("aegis_webhook_duration_seconds_count delivered", 0) >= 3, SOON_S)
    found = told()
    assert found["aegis_payments_total none card INITIATED"] == 1
    assert found["aegis_accept_duration_seconds_count"] == 1
    assert found["aegis_payment_duration_seconds_count SUCCESS"] == 1
    assert found["aegis_http_request_duration_seconds_count POST /v1/payments 2xx"] == 1
    assert found["aegis_task_duration_seconds_count payments.run"] >= 1
    assert found["aegis_database_up"] == 1
    assert found["aegis_leases_lost_total"] == found["aegis_idempotency_replays_total"] == 0
    wait_until(
        lambda: {"aegis_payments", "aegis_gateway_call_duration_seconds"} <= set(collector.metrics), SOON_S
    )
    (examples,) = {
        bool(point.exemplars)
        for point in collector.metrics["aegis_gateway_call_duration_seconds"].histogram.data_points
    }
    assert examples


def test_every_metric_of_the_table_has_a_value_and_prometheus_has_nothing_to_say_about_them(
    paid: str, observed: Installation
) -> None:
    def text() -> str:
        return urllib3.request("GET", observed.ready["api_url"] + "/metrics").data.decode()

    def without_value() -> list[str]:
        families = text_string_to_metric_families(text())
        told = {family.name for family in families if family.samples}
        return [metric.shown for metric in ALL if metric.name not in told]

    wait_until(lambda: not without_value(), SOON_S, lambda: f"no value: {without_value()}")
    names = {family.name for family in text_string_to_metric_families(text())}
    assert names == {metric.name for metric in ALL}
    judged = promtool("check", "metrics", given=text())
    assert (judged.stderr, judged.stdout) == ("", "")


def test_metrics_go_on_where_they_were_when_a_worker_is_killed(paid: str, observed: Installation) -> None:
    def succeeded() -> float:
        text = urllib3.request("GET", observed.ready["api_url"] + "/metrics").data.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "aegis_payments_total" and sample.labels["state"] == "SUCCESS"
        )

    wait_until(lambda: succeeded() == 1, SOON_S)
    observed.kill_worker()
    observed.ended(observed.accepted("tok_visa"))
    wait_until(lambda: succeeded() == 2, SOON_S)


def test_neither_traces_nor_metrics_hold_a_secret(
    paid: str, observed: Installation, collector: Collector
) -> None:
    for secret in (observed.ready["api_key"], observed.ready["operator_key"], "tok_visa"):
        assert not any(secret.encode() in body for body in collector.raw)
