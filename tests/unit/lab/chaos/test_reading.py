"""The experiments that ship can be read, and a mistake in one is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.checkout import CHECKOUT

from aegis_worker.chaos.plan import Plan
from aegis_worker.chaos.reading import read_plan
from aegis_worker.chaos.writing import plan_toml
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.chaos.choosing import named
from aegis_worker.lab.chaos.reading import PLACES, at_places, experiments, read_experiment

SHIPPED = experiments(CHECKOUT / "config" / "chaos")
A_GOOD_ONE = """
about = "a"
hypothesis = "b"

[phases]
steady_s = 10
faults_s = 20
recovery_s = 10

[load]
payments_per_s = 5

[steady_state]
success_rate = 1.0
p95_ms = 1000

[criteria]
success_rate = 0.9

[[injections]]
kind = "timeout"
gateways = ["first"]
"""


def test_the_ten_experiments_ship() -> None:
    assert {path.stem for path in SHIPPED} == {
        "gateway_timeout",
        "intermittent_failures",
        "latency_spike",
        "service_unavailable",
        "rate_limited",
        "cascading_failure",
        "resource_exhaustion",
        "redis_loss",
        "postgres_failover",
        "apocalypse",
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_lasts_a_minute_demands_something_and_makes_a_plan_that_can_be_read(
    path: Path, tmp_path: Path
) -> None:
    experiment = read_experiment(path)
    assert experiment.phases.whole_s == 60
    assert experiment.criteria.injections
    assert experiment.criteria.success_rate
    plan = Plan(experiment.seed, experiment.bounded, 1769860800.0)
    written = tmp_path / "plan.toml"
    written.write_text(plan_toml(plan))
    read = read_plan(written, PLACES)
    assert (read.seed, read.begins_at, read.injections) == (plan.seed, plan.begins_at, plan.injections)
    assert all(one.until_s <= experiment.phases.faults_s for one in plan.injections)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("steady_s = 10", "steady_s = 0", "line 6: steady_s: must be a number from 1"),
        ("faults_s = 20\n", "", "line 5: faults_s: is missing"),
        ("payments_per_s = 5", "payments_per_s = 5\nspeed = 1", "line 12: speed: is not known here"),
        ("success_rate = 0.9", "success_rate = 90", "line 18: success_rate: must be a number from 0 to 1"),
        ("success_rate = 0.9", "reviews_at_most = 0.5", "line 18: reviews_at_most: must be a whole number"),
        ('kind = "timeout"', 'kind = "boom"', "line 21: kind: must be one of latency"),
        ('["first"]', '["sandbox_a"]', "line 22: gateways: 'sandbox_a' is none of first, second"),
        ("[criteria]\nsuccess_rate = 0.9\n", "", "criteria: there must be a table [criteria]"),
        ('about = "a"', "about = 5", "line 2: about: must be a text"),
        (
            "[[injections]]\n",
            '[[strikes]]\nkind = "meteor"\nat_s = 1\n[[injections]]\n',
            "line 21: kind: must",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_reason(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(A_GOOD_ONE)
    assert read_experiment(path).name == "wrong"
    assert old in A_GOOD_ONE
    path.write_text(A_GOOD_ONE.replace(old, new))
    with pytest.raises(ConfigurationError) as refused:
        read_experiment(path)
    assert f"{path}: {told}" in str(refused.value)


def test_an_experiment_that_breaks_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nothing.toml"
    path.write_text(A_GOOD_ONE.partition("[[injections]]")[0])
    with pytest.raises(ConfigurationError, match="nothing is broken"):
        read_experiment(path)


def test_places_are_gateways_of_this_configuration() -> None:
    assert at_places(("second", "first"), ["stripe", "adyen"]) == ("adyen", "stripe")
    with pytest.raises(ConfigurationError, match="strikes the second gateway; there are stripe"):
        at_places(("second",), ["stripe"])


@pytest.mark.parametrize("name", ["nowhere", "../gateways", "", "a/b"])
def test_an_unknown_name_is_told_which_there_are(name: str) -> None:
    with pytest.raises(ConfigurationError, match="there are: apocalypse"):
        named(name)
