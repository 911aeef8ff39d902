"""How the command line prints, and what it makes of spans, files and events."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from support.attempts import an_attempt

from aegis_client import Answer, Retries
from aegis_worker.cli import COMMANDS, cli
from aegis_worker.cli.checks_database import skew
from aegis_worker.cli.pay_lines import read_lines
from aegis_worker.cli.reconcile import parse_since
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.transitions import EventType
from aegis_worker.queries.sentences import of_attempt, of_event
from aegis_worker.terminal.output import duration, plain, print_facts, print_json, print_table, progress

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_gateways_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\x9b31mdeclined\r\n[bold red]"
    print_table("Calls", ("meaning",), [(nasty,)])
    print_facts("Payment", {"error": nasty})
    print_json({"error": nasty})
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert out.count("declined") == 3
    assert out.count("[bold red]") == 3


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    row = ("pay_" + "0" * 32, "evt_" + "0" * 32 + "_1", "x" * 60)
    print_table("Wide", ("a", "b", "c"), [row])
    out = capsys.readouterr().out
    assert all(cell in out for cell in row)


class Terminal(io.StringIO):
    """A standard output that says it is one."""

    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_breaks_lines_between_words_and_leaves_spare_columns_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    drawn = {}
    for width in (34, 40, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        row = ("sandbox_a", "CLOSED", "network_error 5.0%, rate_limit 1.0%", 12)
        print_table("Gateways", ("gateway", "breaker", "errors", "calls"), [row], spare=("calls",))
        drawn[width] = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
        assert all(word in drawn[width] for word in ("sandbox_a", "CLOSED", "network_error", "rate_limit"))
        assert max(map(len, drawn[width].splitlines())) <= width
    assert ["calls" in drawn[width] for width in (34, 40, 100)] == [False, True, True]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Reviews", ("id",), [])
    assert capsys.readouterr().out.split() == ["Reviews", "none"]


def test_a_progress_bar_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    drawn = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress("posting", total=2) as advance:
            advance()
        drawn[stream.isatty()] = stream.getvalue()
    assert "posting" in drawn[True]
    assert drawn[False] == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-0.2, "0.0 s"),
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (3661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400 * 8, "8 d"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_printed_to_the_millisecond() -> None:
    assert plain(NOW.replace(microsecond=4567)) == "2026-05-01 12:00:00.004"


EVENT_DATA: dict[str, Any] = {
    "screening": {
        "action": "flag",
        "score": 40,
        "findings": [{"source": "rule high-value", "action": "flag"}],
    },
    "decision": "approved",
    "amount": 1999,
    "payment_method": "card",
    "gateway": "sandbox_a",
    "gateway_ref": "ch_1",
    "next_action": {"type": "redirect", "url": "https://bank.example/3ds", "expires_at": None},
    "from": "sandbox_a",
    "to": "sandbox_b",
    "reason": "read timeout",
    "how": "the gateway was asked",
    "authorized_minor": 1999,
    "captured_minor": 1999,
    "amount_minor": 1999,
    "last_error": {
        "code": "expired_card",
        "gateway": "sandbox_a",
        "gateway_code": "54",
        "message": "declined",
    },
    "capture_id": "cap_1",
    "refund_id": "ref_1",
    "dispute_id": "dsp_1",
    "dispute_currency": "USD",
    "status": "needs_response",
    "respond_by": None,
    "capture_before": "2026-11-28T09:00:00.000Z",
    "final": True,
    "late": False,
    "error": {"code": "processing_error", "gateway": "sandbox_a", "gateway_code": "91", "message": "failed"},
}


@pytest.mark.parametrize("type_", EventType)
def test_every_event_has_a_sentence(type_: EventType) -> None:
    sentence = of_event(type_, EVENT_DATA, "USD")
    assert len(sentence.split()) >= 4
    assert "{" not in sentence


def test_an_event_that_lacks_a_field_is_shown_as_it_is() -> None:
    assert of_event(EventType.PROCESSING, {"via": "an older version"}, "USD") == '{"via": "an older version"}'


def test_every_status_of_an_attempt_has_a_sentence() -> None:
    for status in AttemptStatus:
        assert of_attempt(an_attempt(status=status))
        assert of_attempt(an_attempt(status=status, outcome={"reason": "read timeout", "captured": True}))


def test_only_an_approved_charge_is_called_charged() -> None:
    assert of_attempt(an_attempt(outcome={"captured": True})) == "charged"
    assert of_attempt(an_attempt(outcome={"captured": False})) == "funds are held, not captured yet"
    assert of_attempt(an_attempt("initiate", outcome={"captured": False})) == "approved"
    assert of_attempt(an_attempt("refund", outcome={"captured": True})) == "refunded"


@pytest.mark.parametrize(
    ("text", "back"), [("90m", 90 * 60), ("24h", 86_400), ("2d", 2 * 86_400), ("30s", 30)]
)
def test_since_takes_a_span(text: str, back: int) -> None:
    moment = since(text)
    assert abs((datetime.now(UTC) - moment) - timedelta(seconds=back)) < timedelta(seconds=5)


def test_since_takes_a_time_and_reads_one_without_an_offset_as_utc() -> None:
    assert since("2026-05-01T12:00") == NOW
    assert since("2026-05-01T14:00+02:00") == NOW


@pytest.mark.parametrize("text", ["yesterday", "24", "-1h", "1w", "9999-01-01", ""])
def test_since_refuses_what_is_no_time_in_the_past(text: str) -> None:
    with pytest.raises(click.BadParameter):
        since(text)


def since(text: str) -> datetime:
    moment = parse_since(click.Context(cli), click.Option(["--since"]), text)
    assert moment is not None
    return moment


def test_a_line_keeps_its_key_and_another_line_gets_another(tmp_path: Path) -> None:
    line = '{"amount": 100, "currency": "USD"}'
    first = keys(tmp_path, "a.jsonl", line, line)
    assert len(set(first)) == 2, "two equal lines are two payments"
    assert keys(tmp_path, "a.jsonl", line, line) == first
    assert keys(tmp_path, "a.jsonl", '{"currency":"USD","amount":100}', line) == first, (
        "spelling does not matter"
    )
    assert keys(tmp_path, "a.jsonl", '{"amount": 101, "currency": "USD"}', line)[0] != first[0]
    assert keys(tmp_path, "b.jsonl", line, line)[0] != first[0]


def test_a_line_may_bring_its_own_key(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, "a.jsonl", '{"amount": 100, "idempotency_key": "order-1"}')
    assert (line.key, line.body) == ("order-1", {"amount": 100})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", "malformed_json"),
        ("[1]", "malformed_json"),
        ('{"amount": 1, "amount": 2}', "malformed_json"),
        ('{"idempotency_key": 7}', "idempotency_key_invalid"),
        ('{"idempotency_key": "' + "k" * 256 + '"}', "idempotency_key_invalid"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "payload_too_large"),
    ],
)
def test_a_line_that_cannot_be_posted_says_why_and_the_next_one_is_read(
    tmp_path: Path, text: str, code: str
) -> None:
    bad, good = lines(tmp_path, "a.jsonl", text, "", '{"amount": 1}')
    assert bad.fault is not None
    assert (bad.number, bad.fault[0]) == (1, code)
    assert (good.number, good.fault) == (3, None)


def lines(folder: Path, name: str, *texts: str) -> list[Any]:
    (folder / name).write_text("\n".join(texts))
    return list(read_lines(folder / name))


def keys(folder: Path, name: str, *texts: str) -> list[str]:
    return [line.key for line in lines(folder, name, *texts)]


def test_a_reply_is_tried_again_when_the_api_or_a_proxy_says_not_now() -> None:
    assert Answer(409, {"code": "idempotency_in_progress", "retryable": True}, {}).is_worth_a_retry
    assert Answer(502, {}, {}).is_worth_a_retry
    assert not Answer(409, {"code": "duplicate_reference", "retryable": False}, {}).is_worth_a_retry
    assert not Answer(202, {}, {}).is_worth_a_retry


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2), ("3600", 10), ("Fri, 01 May 2026 12:00:00 GMT", 0), ("", 0)]
)
def test_retry_after_is_honoured_within_bounds(header: str, seconds: float) -> None:
    asked_for_s = Answer(429, {}, {"Retry-After": header}).retry_after_s
    assert Retries().pause(1, asked_for_s, draw=0.0).seconds == seconds


def test_a_refusal_names_the_fields() -> None:
    errors = [{"pointer": "/amount", "code": "required", "detail": "This field is required."}]
    reply = Answer(422, {"code": "validation_failed", "detail": "1 invalid field(s)", "errors": errors}, {})
    assert reply.reason == "/amount: This field is required."


@pytest.mark.parametrize(
    ("there", "verdict", "seen"),
    [
        (100.0, "ok", "agrees"),
        (101.4, "ok", "agrees"),  # within 1 s of when the answer came
        (99.2, "ok", "agrees"),
        (103.0, "warn", "2.5 s ahead"),
        (40.0, "warn", "1 min behind"),
    ],
)
def test_clock_skew_allows_for_the_time_the_answer_took(there: float, verdict: str, seen: str) -> None:
    check = skew("clock", there, asked=100.0, answered=100.5)
    assert check.verdict == verdict
    assert seen in check.seen


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("up", "demo")])
def test_every_subcommand_has_help_with_an_example_and_json(name: str) -> None:
    for path, command in leaves((name,), cli.get_command(click.Context(cli), name)):
        assert command.help, path
        assert f"aegis {' '.join(path)}" in (command.epilog or ""), path
        assert "--json" in [option for parameter in command.params for option in parameter.opts], path


def leaves(
    path: tuple[str, ...], command: click.Command | None
) -> list[tuple[tuple[str, ...], click.Command]]:
    assert command is not None
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [leaf for name, sub in command.commands.items() for leaf in leaves((*path, name), sub)]


def test_json_is_one_object_a_line_where_lines_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": NOW, "names": {"a"}}, one_line=True)
    assert json.loads(capsys.readouterr().out) == {"at": "2026-05-01T12:00:00.000Z", "names": ["a"]}
