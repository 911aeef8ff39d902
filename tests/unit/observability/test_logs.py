"""Logs: one JSON object a line, whoever wrote it and however it came about, without secrets."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from support.process_logs import events_of

_BEGIN = """
import logging, sys, threading, warnings
from aegis_worker.observability.logs import configure_logs, log_the_uncaught
configure_logs("INFO")
log_the_uncaught()
"""
_CARD = "4242424242424242"
# Root, Celery's, the server's and ours.
_LOGGERS = (
    "",
    "celery",
    "celery.task",
    "celery.worker.consumer",
    "kombu.connection",
    "_granian",
    "granian.access",
    "aegis",
)


def written_by(program: str, *, exit_code: int = 0) -> list[dict[str, Any]]:
    """What a process of this program logs; everything that it writes has to be that."""
    ran = subprocess.run([sys.executable, "-c", _BEGIN + program], capture_output=True, text=True, timeout=60)
    assert ran.returncode == exit_code, ran.stderr
    lines = ran.stderr.splitlines()
    assert all(line.startswith("{") for line in lines), ran.stderr
    return events_of(lines)


@pytest.mark.parametrize(
    ("program", "level"),
    [
        (f"import structlog; structlog.get_logger('a').warning('seen', card='{_CARD}')", "warning"),
        (f"logging.getLogger('a').warning('card %s', '{_CARD}')", "warning"),
        (f"logging.getLogger('celery.worker').error('card %s', '{_CARD}')", "error"),
        (f"warnings.warn('card {_CARD}')", "warning"),
        (f"import structlog; structlog.get_logger().error('seen', error=ValueError('{_CARD}'))", "error"),
    ],
    ids=["structlog", "logging", "celery", "warnings", "an exception as a field"],
)
def test_whatever_is_logged_is_one_json_line_without_the_card_number(program: str, level: str) -> None:
    (event,) = written_by(program)
    assert event["level"] == level
    assert "[hidden]" in str(event)
    assert _CARD not in str(event)


def test_no_secret_is_in_what_any_logger_writes() -> None:
    secrets = {
        "card": _CARD,
        "code": "cvv: 737",
        "key": "aegis_live_" + "k" * 40,
        "operators": "aegis_ops_" + "o" * 40,
        "webhooks": "whsec_" + "w" * 40,
        "session": "__Host-aegis-session=" + "s" * 43,
        "store": "redis://:hunter2@127.0.0.1/0",
    }
    written = written_by(f"""
import structlog
for name in {_LOGGERS!r}:
    for secret in {list(secrets.values())!r}:
        logging.getLogger(name).error("seen %s", secret)
        structlog.get_logger(name).error("seen", error=secret, why={{"authorization": secret}}, password="hunter2")
""")
    assert len(written) == 2 * len(_LOGGERS) * len(secrets)
    for line in written:
        del line["timestamp"]  # whose digits may be anything
        assert "[hidden]" in str(line)
        for secret in (_CARD, "737", "k" * 10, "o" * 10, "w" * 10, "s" * 10, "hunter2"):
            assert secret not in str(line)


def test_whatever_stands_in_a_field_the_line_is_json() -> None:
    written = written_by("""
import structlog
values = ["müde \\u2028 \\x7f", "\\ud800", 10**11 + 0.5, -(2**70), float("nan"), b"\\xff", {1: {"2": (3, None)}}, object]
for why in values:
    structlog.get_logger("a").warning("seen", why=why)
""")
    told = [line["why"] for line in written]
    assert told[:3] == ["müde \u2028 \x7f", "\ud800", 10**11 + 0.5]
    assert told[5:] == ["\ufffd", {"1": {"2": [3, None]}}, "<class 'object'>"]


def test_a_number_that_json_lacks_makes_no_line_that_is_no_json() -> None:
    (line,) = written_by("""
import structlog
structlog.get_logger("a").warning("\\ud800", count=float("nan"), size=[float("inf")], number=10**5000)
""")
    assert (line["count"], line["size"], line["number"]) == (None, [None], "[hidden]")


def test_a_line_that_can_not_be_made_is_told_of_in_a_line_without_its_arguments() -> None:
    written = written_by(f"""
class Odd:
    def __repr__(self): raise ValueError("{_CARD}")
logging.getLogger("a").warning("card %s %s", "{_CARD}")
logging.getLogger("a").warning("%d", "{_CARD}")
import structlog
structlog.get_logger("a").warning("seen", why=Odd())
""")
    assert [line["event"].partition(" at ")[0] for line in written] == [
        f"a line of a could not be written: {error}" for error in ("TypeError", "TypeError", "ValueError")
    ]
    assert _CARD not in str(written)


def test_the_time_of_a_line_stays_whatever_its_digits_are() -> None:
    program = """
import structlog
from aegis_worker.observability import logs
logs._PROCESSORS[3] = lambda logger, method, event: {**event, "timestamp": "4111 1111 1111 1111"}
structlog.get_logger("a").warning("seen", why="4111 1111 1111 1111", timestamp="4242 4242 4242 4242")
"""
    (line,) = written_by(program)
    assert line["timestamp"] == "4111 1111 1111 1111"
    assert line["why"] == "[hidden]"


def test_a_form_can_be_chosen() -> None:
    program = "configure_logs('INFO', 'pretty')\nlogging.getLogger('a').warning('seen')"
    ran = subprocess.run([sys.executable, "-c", _BEGIN + program], capture_output=True, text=True, timeout=60)
    assert "[warning" in ran.stderr
    assert not ran.stderr.startswith("{")


@pytest.mark.parametrize(
    ("program", "exit_code"),
    [
        (f"raise ValueError('card {_CARD}')", 1),
        (f"def fail(): raise ValueError('card {_CARD}')\nthreading.Thread(target=fail).start()", 0),
        (f"class A:\n def __del__(self): raise ValueError('card {_CARD}')\nA()", 0),
    ],
    ids=["main thread", "another thread", "where it can't be raised"],
)
def test_what_nobody_caught_is_one_json_line_with_its_traceback_and_without_secrets(
    program: str, exit_code: int
) -> None:
    (event,) = written_by(program, exit_code=exit_code)
    assert "Traceback" in event["exception"]
    assert "ValueError: card [hidden]" in event["exception"]


@pytest.mark.slow
def test_a_child_of_the_pool_that_died_is_told_of() -> None:
    told = """
from billiard import util
from aegis_worker.celery import app
app.log.setup("WARNING", redirect_stdouts=True)
util.error("Process %s", "one")
"""
    assert [event["event"] for event in written_by(told)] == ["Process one"]


def test_a_logger_that_was_used_follows_when_logs_are_configured_again() -> None:
    program = """
import structlog
from structlog.testing import capture_logs
log = structlog.get_logger("a")
log.warning("before")
configure_logs("INFO")
with capture_logs() as lines:
    log.warning("captured")
assert [line["event"] for line in lines] == ["captured"]
"""
    assert [line["event"] for line in written_by(program)] == ["before"]
