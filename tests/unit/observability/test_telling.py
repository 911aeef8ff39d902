"""Lines about everyday work: of a payment all or none, a bounded number, nothing before it is configured."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from aegis_worker.domain.trails import Trail
from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.telling import Telling
from aegis_worker.observation_settings import DEFAULT_SHARES, load_observation_settings

PAYMENTS = [f"pay_{number:032x}" for number in range(2000)]


@pytest.fixture(autouse=True)
def at_info() -> Iterator[None]:
    logger = logging.getLogger("aegis")
    before = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(before)


def telling(**environ: str) -> Telling:
    found = Telling()
    found.configure(
        load_observation_settings({f"AEGIS_LOG_{name}": value for name, value in environ.items()})
    )
    return found


def test_nothing_is_told_before_it_is_configured_or_where_none_is_wanted() -> None:
    for one in (Telling(), telling(LINES_PER_S="0"), telling(SHARES="transition=0")):
        assert not one.wants("transition", PAYMENTS[0])


def test_a_share_takes_the_same_payments_for_each_kind_of_line() -> None:
    one = telling(SHARES="transition=0.25,attempt=0.25", LINES_PER_S="100000")
    moved = [payment for payment in PAYMENTS if one.wants("transition", payment)]
    called = [payment for payment in PAYMENTS if one.wants("attempt", payment)]
    assert moved == called
    assert 0.15 < len(moved) / len(PAYMENTS) < 0.35


def test_a_process_writes_a_bounded_number_and_says_how_many_it_left_out() -> None:
    one = telling(LINES_PER_S="3")
    wanted = [payment for payment in PAYMENTS[:10] if one.wants("transition", payment)]
    assert 3 <= len(wanted) <= 6  # a second may have ended meanwhile
    with capture_logs() as lines:
        one.tell("payment event", payment_id=wanted[-1])
        one.tell("payment event", payment_id=wanted[-1])
    assert [line.get("left_out") for line in lines] == [10 - len(wanted), None]


def test_below_info_nothing_is_told() -> None:
    logging.getLogger("aegis").setLevel(logging.WARNING)
    assert not telling().wants("transition", PAYMENTS[0])


def test_a_line_names_the_trail_and_leaves_out_what_is_not_known() -> None:
    trail = Trail("checkout-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    with capture_logs() as lines:
        telling().tell("payment event", trail, payment_id="pay_1", gateway=None)
    assert lines == [
        {
            "event": "payment event",
            "log_level": "info",
            "payment_id": "pay_1",
            "correlation_id": "checkout-1",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
        }
    ]


def test_a_share_that_is_not_named_keeps_its_default() -> None:
    assert load_observation_settings({"AEGIS_LOG_SHARES": " request = 0.5 ,"}).log_shares == {
        **DEFAULT_SHARES,
        "request": 0.5,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AEGIS_LOG_FORMAT", "xml"),
        ("AEGIS_LOG_SHARES", "transition"),
        ("AEGIS_LOG_SHARES", "transition=2"),
        ("AEGIS_LOG_SHARES", "transition=nan"),
        ("AEGIS_LOG_SHARES", "payments=0.5"),
        ("AEGIS_LOG_LINES_PER_S", "-1"),
        ("AEGIS_LOG_LINES_PER_S", "1e3"),
        ("AEGIS_LOG_LINES_PER_S", "100001"),
        ("AEGIS_METRICS_SINKS", "graphite"),
        ("AEGIS_METRICS_SINKS", "statsd,dogstatsd"),
        ("AEGIS_METRICS_EVERY_S", "0"),
        ("AEGIS_STATSD_ADDRESS", "localhost"),
        ("AEGIS_STATSD_ADDRESS", "localhost:99999"),
        ("AEGIS_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("AEGIS_OTLP_HEADERS", "authorization"),
        ("AEGIS_TRACES", "yes"),
        ("AEGIS_TRACE_SHARE", "2"),
    ],
)
def test_a_setting_that_says_nothing_usable_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_observation_settings({name: value})
