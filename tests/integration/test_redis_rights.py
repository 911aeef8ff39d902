"""A user of Redis with too few rights: what is missing is named, in one line, and nobody hammers Redis for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import make_url
from support.command_line import RunningAegis, install
from support.installation import SOON_S, STOP_S, wait_until
from support.process_logs import events_of

from aegis_worker.redis_rights import least_rights, missing_rights

_USER, _PASSWORD = "narrow", "pw-of-narrow"


@pytest.fixture
def with_rights(redis_url: str) -> Iterator[Callable[..., str]]:
    """`with_rights(*rules)`: the URL of a user with the least rights, changed by those rules."""
    with Redis.from_url(redis_url) as administrator:

        def user(*rules: str) -> str:
            administrator.execute_command(*least_rights(_USER, _PASSWORD).split(" "))
            administrator.execute_command("ACL", "SETUSER", _USER, *rules)
            return (
                make_url(redis_url)
                .set(username=_USER, password=_PASSWORD)
                .render_as_string(hide_password=False)
            )

        yield user
        administrator.execute_command("ACL", "DELUSER", _USER)


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Callable[[str], tuple[int, dict[str, Any]]]:
    """`doctor(redis_url)`: its exit code, and its checks by name."""

    def run(redis_url: str) -> tuple[int, dict[str, Any]]:
        install(monkeypatch, database_url, REDIS_URL=redis_url)
        for name in ("A", "B"):  # nobody answers there, and nobody has to
            monkeypatch.setenv(f"AEGIS_SANDBOX_{name}_URL", "http://127.0.0.1:1")
        ran = RunningAegis("doctor", "--json").end()
        return ran.exit_code, {check["name"]: check for check in ran.json["checks"]}

    return run


def test_the_least_rights_are_enough(with_rights: Callable[..., str]) -> None:
    with Redis.from_url(with_rights()) as client:
        assert not missing_rights(client)


@pytest.mark.parametrize(
    ("rules", "named", "given"),
    [
        (("-brpop",), "run BRPOP", "+brpop"),
        pytest.param(("-brpop", "-evalsha"), "run EVALSHA, BRPOP", "+evalsha +brpop", marks=pytest.mark.slow),
        (("-exec",), "run EXEC", "+exec"),
        pytest.param(("-ping",), "run PING", "+ping", marks=pytest.mark.slow),
        pytest.param(("-script|load",), "run SCRIPT|LOAD", "+script|load", marks=pytest.mark.slow),
        (("resetkeys", "~aegis:*", "~_kombu.*", "~*.celery.pidbox*"), "use keys payments*", "~payments*"),
        pytest.param(("resetkeys",), "use keys aegis:*, payments*", "~aegis:*", marks=pytest.mark.slow),
        pytest.param(("resetkeys", "%R~*"), "use keys aegis:*", "~unacked*", marks=pytest.mark.slow),
        (("resetchannels",), "use channels /0.celery.pidbox", "&/0.celery.pidbox"),
        pytest.param(
            ("-@all",),
            "run EXEC, DISCARD, MULTI (without it the others can't be tried)",
            "+multi +exec",
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda rules: "/".join(rules) if isinstance(rules, tuple) else "",
)
@pytest.mark.slow
def test_doctor_names_the_right_that_is_missing_and_the_command_that_gives_it(
    with_rights: Callable[..., str],
    doctor: Callable[[str], tuple[int, dict[str, Any]]],
    redis_url: str,
    rules: tuple[str, ...],
    named: str,
    given: str,
) -> None:
    url = with_rights(*rules)
    exit_code, checks = doctor(url)
    check = checks["Redis rights"]
    assert (exit_code, check["verdict"]) == (1, "fail")
    assert named in check["seen"]
    assert given in check["advice"]
    assert "\n" not in check["seen"] + check["advice"]
    others = [name for name, one in checks.items() if one["verdict"] == "fail" and name != "Redis rights"]
    assert [name for name in others if not name.startswith("gateway")] == [], checks
    # And that command is one that Redis takes, and is enough.
    with Redis.from_url(redis_url) as administrator, Redis.from_url(url) as client:
        administrator.execute_command(*check["advice"].split(": ", 1)[1].split(" "))
        assert not missing_rights(client)


@pytest.mark.slow
def test_a_right_that_only_doctor_asks_for_is_a_warning(
    with_rights: Callable[..., str], doctor: Callable[[str], tuple[int, dict[str, Any]]]
) -> None:
    _, checks = doctor(with_rights("-info"))
    assert (checks["Redis rights"]["verdict"], "run INFO" in checks["Redis rights"]["seen"]) == ("warn", True)


def test_looking_for_missing_rights_changes_nothing(with_rights: Callable[..., str], redis_url: str) -> None:
    with Redis.from_url(redis_url) as administrator, Redis.from_url(with_rights("-exec")) as client:
        administrator.lpush("payments", "a message")
        missing_rights(client)
        assert administrator.keys() == [b"payments"]
        assert administrator.llen("payments") == 1


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["-brpop", "-sadd", "-exec"])
def test_a_worker_says_which_right_is_missing_and_waits_longer_each_time(
    with_rights: Callable[..., str], redis_url: str, tmp_path: Path, rule: str
) -> None:
    argv = [sys.executable, "-m", "celery", "-A", "aegis_worker.celery:app", "worker", "-P", "solo"]
    argv += ["-Q", "payments,verify", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    env = {**os.environ, "REDIS_URL": with_rights(rule), "AEGIS_LOG_LEVEL": "INFO"}
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(argv, env=env, stdout=out, stderr=out)
    try:

        def refusals() -> list[dict[str, Any]]:
            found = events_of(log.read_text().splitlines())
            return [line for line in found if line["event"] == "Redis refuses"]

        wait_until(lambda: len(refusals()) == 3, SOON_S, log.read_text)
        assert [line["tries_again_in_s"] for line in refusals()] == [1.0, 2.0, 4.0]
        assert {line["missing"] for line in refusals()} == {
            f"the user of REDIS_URL may not run {rule.removeprefix('-').upper()}"
        }
        assert {line["advice"] for line in refusals()} == {f"ACL SETUSER {_USER} +{rule.removeprefix('-')}"}
        assert _PASSWORD not in log.read_text()
        # Given the right, it works; nobody has to restart it.
        with_rights()
        with Redis.from_url(redis_url) as client:
            client.lpush("payments", json.dumps({"no": "message"}))
            wait_until(lambda: client.llen("payments") == 0, SOON_S, log.read_text)
    finally:
        worker.kill()
        worker.wait(STOP_S)
