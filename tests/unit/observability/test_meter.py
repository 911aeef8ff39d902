"""The meter and its sinks: each by a real server of its kind."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from structlog.testing import capture_logs
from support.otlp_collector import a_collector, an_answer_without_end

from aegis_worker.observability.metrics.meter import Batch, Meter, Sink
from aegis_worker.observability.metrics.otlp import Otlp
from aegis_worker.observability.metrics.shared import SharedSums, read_sums
from aegis_worker.observability.metrics.statsd import StatsD
from aegis_worker.observability.metrics.table import (
    BREAKER_OPENINGS,
    CALLS,
    DISPUTES_DEADLINE,
    JOBS_DUE,
    PAYMENTS,
)
from aegis_worker.observability.posting import Poster
from aegis_worker.queries.metrics_text import Sums, metrics_text
from aegis_worker.wiring.stores import short_waits

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OFTEN_S = 300.0


def meter(*sinks: Sink) -> Meter:
    made = Meter()
    made.configure(sinks, OFTEN_S)
    return made


def measured(one: Meter) -> None:
    one.increment(PAYMENTS, "SUCCESS", "sandbox_a", "card")
    one.increment(PAYMENTS, "SUCCESS", "sandbox_a", "card", by=2)
    one.timing(CALLS, 0.004, "sandbox_a", "process", "approved", traceparent=TRACE)
    one.timing(CALLS, 7200.0, "sandbox_a", "process", "approved")
    one.gauge(JOBS_DUE, 3, "payments")
    one.gauge(DISPUTES_DEADLINE, -5)
    one.flush()


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(20)
        yield listening


def told(agent: socket.socket) -> list[str]:
    return agent.recv(65_536).decode().split("\n")


def test_without_a_sink_nothing_is_kept() -> None:
    one = Meter()
    measured(one)
    one.configure((), OFTEN_S)
    measured(one)
    assert not one.on
    assert one._batch == Batch()


def test_what_several_processes_counted_is_added_up_and_read_by_prometheus(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        for _ in range(2):
            measured(meter(SharedSums(redis)))
        text = metrics_text([], Sums(*read_sums(redis))).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {"aegis_payments", "aegis_gateway_call_duration_seconds"}
    (counted,) = families["aegis_payments"].samples
    assert counted.value == 6
    assert counted.labels == {"state": "SUCCESS", "gateway": "sandbox_a", "method": "card"}
    calls = {
        (
            sample.name.removeprefix("aegis_gateway_call_duration_seconds"),
            sample.labels.get("le"),
        ): sample.value
        for sample in families["aegis_gateway_call_duration_seconds"].samples
    }
    assert calls["_count", None] == 4
    assert calls["_sum", None] == pytest.approx(14400.008)
    assert [calls["_bucket", le] for le in ("0.0025", "0.005", "3600", "+Inf")] == [0, 2, 2, 4]


def test_what_redis_does_not_take_is_added_once_it_does(redis_url: str) -> None:
    away = short_waits("redis://127.0.0.1:1/0", 0.3)
    sink = SharedSums(away)
    one = meter(sink)
    measured(one)
    with Redis.from_url(redis_url) as redis:
        sink._redis = redis
        one.increment(PAYMENTS, "SUCCESS", "sandbox_a", "card")
        one.flush()
        counts, _ = read_sums(redis)
    assert counts[PAYMENTS, ("SUCCESS", "sandbox_a", "card")] == 4


def test_what_no_metric_of_this_version_is_is_left_out(redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.hset("aegis:metrics", "aegis_of_tomorrow\x1fa", "1")
        redis.hset("aegis:metrics", "aegis_payments\x1fonly one label", "1")
        assert read_sums(redis) == ({}, {})


def test_dogstatsd_is_told_with_tags(agent: socket.socket) -> None:
    measured(meter(StatsD(*agent.getsockname(), tagged=True)))
    assert told(agent) == [
        "aegis.payments:3|c|#state:SUCCESS,gateway:sandbox_a,method:card",
        "aegis.gateway_call_duration_seconds:0.004|d|#gateway:sandbox_a,operation:process,outcome:approved",
        "aegis.gateway_call_duration_seconds:7200|d|#gateway:sandbox_a,operation:process,outcome:approved",
        "aegis.jobs_due:3|g|#queue:payments",
        "aegis.disputes_deadline_seconds:-5|g",
    ]


def test_statsd_is_told_with_labels_in_the_name_and_milliseconds(agent: socket.socket) -> None:
    measured(meter(StatsD(*agent.getsockname(), tagged=False)))
    assert told(agent) == [
        "aegis.payments.SUCCESS.sandbox_a.card:3|c",
        "aegis.gateway_call_duration.sandbox_a.process.approved:4|ms",
        "aegis.gateway_call_duration.sandbox_a.process.approved:7200000|ms",
        "aegis.jobs_due.payments:3|g",
        "aegis.disputes_deadline_seconds:0|g",
        "aegis.disputes_deadline_seconds:-5|g",
    ]


def test_statsd_is_told_large_numbers_whole_and_nothing_of_what_has_no_value(agent: socket.socket) -> None:
    one = meter(StatsD(*agent.getsockname(), tagged=False))
    one.increment(PAYMENTS, "SUCCESS", "sandbox_a", "card", by=1_234_567)
    one.gauge(JOBS_DUE, 1_790_000_123, "payments")
    one.gauge(JOBS_DUE, math.nan, "verify")
    one.flush()
    assert told(agent) == [
        "aegis.payments.SUCCESS.sandbox_a.card:1234567|c",
        "aegis.jobs_due.payments:1790000123|g",
    ]


def test_many_values_are_told_as_a_sample_and_in_packets_that_fit(agent: socket.socket) -> None:
    one = meter(StatsD(*agent.getsockname(), tagged=True))
    for _ in range(1024):
        one.timing(CALLS, 0.25, "sandbox_a", "process", "approved")
    one.flush()
    lines: list[str] = []
    while len(lines) < 256:
        packet = agent.recv(65_536)
        assert len(packet) <= 1432
        lines += packet.decode().split("\n")
    assert len(lines) == 256
    assert all("|@0.250000|" in line for line in lines)


def test_an_agent_that_is_not_there_costs_nothing_but_the_figures(agent: socket.socket) -> None:
    host, port = agent.getsockname()
    agent.close()
    one = meter(StatsD(host, port, tagged=False), StatsD("no-such-host.invalid", 8125, tagged=True))
    measured(one)
    measured(one)


def test_a_collector_is_told_by_otlp_with_an_example_of_a_trace() -> None:
    with a_collector() as collector:
        sink = Otlp(collector.endpoint, {"authorization": "Bearer k"}, {"service.name": "aegispay"})
        for _ in range(2):
            measured(meter(sink))
        one = meter(sink)
        one.gauge(BREAKER_OPENINGS, 4, "sandbox_a", "process")
        one.flush()
    assert collector.headers[0]["authorization"] == "Bearer k"
    (payments,) = collector.metrics["aegis_payments"].sum.data_points
    assert payments.as_double == 6
    assert {one.key: one.value.string_value for one in payments.attributes}["state"] == "SUCCESS"
    (calls,) = collector.metrics["aegis_gateway_call_duration_seconds"].histogram.data_points
    assert (calls.count, calls.bucket_counts[2], calls.bucket_counts[-1]) == (4, 2, 2)
    (example,) = calls.exemplars
    assert (example.trace_id.hex(), example.span_id.hex(), example.as_double) == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        0.004,
    )
    assert collector.metrics["aegis_jobs_due"].gauge.data_points[0].as_double == 3
    assert collector.metrics["aegis_gateway_breaker_openings"].sum.data_points[0].as_double == 4


def test_a_collector_that_is_not_there_is_told_of_once() -> None:
    sink = Otlp("http://127.0.0.1:1", {}, {})
    with capture_logs() as lines:
        for _ in range(2):
            measured(meter(sink))
    assert [line["event"] for line in lines] == ["metrics not sent to the collector"]


def test_a_collector_that_answers_a_byte_at_a_time_holds_nobody_for_longer_than_its_time() -> None:
    with an_answer_without_end() as url:
        refused = Poster(url, {}).post(b"spans", within_s=0.3)
    assert refused is not None
    assert refused.for_now
    assert "timed out" in refused.reason


def test_a_sink_that_is_stuck_keeps_no_other_from_being_told() -> None:
    let_go = threading.Event()

    class Stuck:
        wants_gauges = False

        def send(self, batch: Batch) -> None:
            let_go.wait(60)

    class Told:
        wants_gauges = False
        totals = 0.0
        told = threading.Event()

        def send(self, batch: Batch) -> None:
            self.totals += sum(batch.counts.values())
            if self.totals == 2:
                self.told.set()

    other = Told()
    one = Meter()
    one.configure((Stuck(), other), 0.01)
    try:
        one.increment(PAYMENTS, "SUCCESS", "a", "card")
        one.increment(PAYMENTS, "SUCCESS", "a", "card")
        assert other.told.wait(20)
    finally:
        let_go.set()
        one.configure((), OFTEN_S)


def test_threads_lose_nothing() -> None:
    class Kept:
        wants_gauges = False
        total = 0.0

        def send(self, batch: Batch) -> None:
            self.total += sum(batch.counts.values())

    kept = Kept()
    one = meter(kept)

    def count() -> None:
        for number in range(5000):
            one.increment(PAYMENTS, "SUCCESS", "a", "card")
            if number % 100 == 0:
                one.flush()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.flush()
    assert kept.total == 20_000
