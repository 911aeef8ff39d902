"""A plan is read strictly: whoever wrote it is told the line, the key and what is allowed there."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_worker.chaos.loading import wanted_plan
from aegis_worker.chaos.plan import Injection, Kind, Plan
from aegis_worker.chaos.reading import read_plan
from aegis_worker.errors import ConfigurationError

GATEWAYS = ["sandbox_a", "sandbox_b"]


def read(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return read_plan(path, GATEWAYS)


def test_all_that_can_be_said_of_a_call_is_read(tmp_path: Path) -> None:
    plan = read(
        tmp_path,
        """
seed = 42
begins_at = 2026-01-31T12:00:00Z

[[injections]]
id = "flaky"
kind = "http_503"
probability = 0.3
from_s = 5
until_s = 30
every_s = 10
lasts_s = 2.5
cap = 100
gateways = ["sandbox_b", "sandbox_a"]
step_s = 4
operations = ["process", "look_up"]
merchants = ["m_1"]
share = 0.5
sends = 1
retry_after_s = 2
reaches = true

[[injections]]
kind = "redis_down"
""",
    )
    assert (plan.seed, plan.begins_at) == (42, 1769860800.0)
    assert plan.injections == (
        Injection(
            "flaky",
            Kind.HTTP_503,
            probability=0.3,
            from_s=5,
            until_s=30,
            every_s=10,
            lasts_s=2.5,
            cap=100,
            gateways=("sandbox_b", "sandbox_a"),
            step_s=4,
            operations=("process", "look_up"),
            merchants=("m_1",),
            share=0.5,
            sends=1,
            retry_after_s=2,
            reaches=True,
        ),
        Injection("redis_down", Kind.REDIS_DOWN),
    )


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        ('kind = "explode"', 2, "kind: must be one of latency"),
        ('kind = "timeout"\nprobability = 1.5', 3, "probability: must be a number from 0 to 1"),
        ('kind = "timeout"\nprobability = nan', 3, "probability: must be a number"),
        ('kind = "timeout"\nprobability = true', 3, "probability: must be a number"),
        ('kind = "timeout"\nchance = 1', 3, "chance: is not known here"),
        ('kind = "latency"', 1, "delay_ms: is missing: latency needs it"),
        ('kind = "timeout"\ndelay_ms = 5', 3, "delay_ms: is not known here"),
        ('kind = "redis_down"\ngateways = ["sandbox_a"]', 3, "gateways: is not known here"),
        ('kind = "timeout"\ngateways = ["stripe"]', 3, "gateways: 'stripe' is none of sandbox_a, sandbox_b"),
        ('kind = "timeout"\ngateways = []', 3, "gateways: must name at least one"),
        ('kind = "timeout"\noperations = ["pay"]', 3, "operations: 'pay' is none of initiate"),
        ('kind = "timeout"\nfrom_s = 9\nuntil_s = 9', 4, "until_s: must be later than from_s, 9"),
        ('kind = "timeout"\nevery_s = 5', 3, "every_s: every_s and lasts_s come together"),
        ('kind = "timeout"\nevery_s = 5\nlasts_s = 5', 4, "lasts_s: must be less than every_s, 5"),
        ('kind = "timeout"\nstep_s = 2', 3, "step_s: needs several gateways"),
        ('kind = "timeout"\ncap = 0', 3, "cap: must be a whole number from 1"),
        ('kind = "timeout"\nreaches = "yes"', 3, "reaches: must be true or false"),
        ('kind = "timeout"\nid = "With Space"', 3, "id: must be 1 to 40 small letters"),
        ('kind = "clock_offset"', 1, "offset_s: is missing"),
        ('kind = "clock_offset"\noffset_s = 5\ncap = 1', 4, "cap: is not known here"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_key_and_reason(
    tmp_path: Path, lines: str, line: int, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, f"[[injections]]\n{lines}\n")
    assert f"{tmp_path / 'plan.toml'}: line {line}: {why}" in str(refused.value)


def test_every_mistake_is_told_and_not_the_first_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, 'seed = -1\nmore = 1\n[[injections]]\nkind = "a"\n[[injections]]\nkind = "b"\n')
    told = str(refused.value).splitlines()
    assert [line.split(": ")[1] for line in told] == ["line 2", "line 1", "line 4", "line 6"]


def test_two_injections_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="line 4: id: timeout is the id of an earlier injection"):
        read(
            tmp_path, '[[injections]]\nkind = "timeout"\n[[injections]]\nid = "timeout"\nkind = "http_500"\n'
        )


@pytest.mark.parametrize("text", ["", "injections = 5\n", "seed = 1\n", "injections = []\n"])
def test_a_plan_without_injections_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="injections"):
        read(tmp_path, text)


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text('[[injections]]\nkind = "timeout"\n')
    return path


def test_production_takes_a_plan_only_where_two_settings_allow_it_and_one_names_the_file(
    plan_file: Path,
) -> None:
    digest = read_plan(plan_file, GATEWAYS).sha256
    for allowed, sha256 in [(False, ""), (True, ""), (False, digest), (True, "0" * 64)]:
        with pytest.raises(ConfigurationError, match="refused in production"):
            wanted_plan(plan_file, GATEWAYS, production=True, allowed=allowed, sha256=sha256)
    assert wanted_plan(plan_file, GATEWAYS, production=True, allowed=True, sha256=digest.upper())
    plan_file.write_text('[[injections]]\nkind = "http_500"\n')
    with pytest.raises(ConfigurationError, match="refused in production"):
        wanted_plan(plan_file, GATEWAYS, production=True, allowed=True, sha256=digest)


def test_elsewhere_a_plan_needs_no_leave(plan_file: Path) -> None:
    assert wanted_plan(plan_file, GATEWAYS, production=False, allowed=False, sha256="")
