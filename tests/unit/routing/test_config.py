"""config/routing.toml as shipped, what a document means, and what is wrong with one."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from support.routing_inputs import NAMES, routing

from aegis_worker.errors import ConfigurationError
from aegis_worker.routing.config import (
    RoutingConfig,
    checked_routing,
    load_routing,
    parse_routing,
    routing_document,
)
from aegis_worker.routing.sections import SECTIONS
from aegis_worker.routing.strategies import STRATEGIES
from aegis_worker.settings import default_config_dir

SHIPPED = default_config_dir() / "routing.toml"
SANDBOXES = ("sandbox_a", "sandbox_b")
# A line right after a # is a setting; array items are indented.
_SETTING = re.compile(r"^#(?=\S|    \{)", re.MULTILINE)
_SECTION = re.compile(r"^# --- ([A-Z_]+) -+\n(.*?)(?=^# --- |\Z)", re.MULTILINE | re.DOTALL)
EXPLAINED = dict(_SECTION.findall(SHIPPED.read_text()))


def test_the_shipped_file_is_the_configured_order():
    assert load_routing(SHIPPED, SANDBOXES) == RoutingConfig()


def test_the_shipped_file_explains_every_strategy_and_every_table():
    assert set(EXPLAINED) == set(STRATEGIES)
    assert set(tomllib.loads(_SETTING.sub("", SHIPPED.read_text()))) == set(SECTIONS)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_the_shipped_file_shows_of_a_strategy_can_be_used_as_it_is(strategy):
    text = f'strategy = "{strategy}"\n' + _SETTING.sub("", EXPLAINED[strategy])
    assert parse_routing(tomllib.loads(text), gateways=SANDBOXES, where="example").strategy == strategy


@pytest.mark.parametrize("table", ["exploration", "weights", "prior"])
def test_the_defaults_that_the_shipped_file_shows_are_the_defaults(table):
    shown = tomllib.loads(_SETTING.sub("", SHIPPED.read_text()))[table]
    assert checked_routing({table: shown}, SANDBOXES) == RoutingConfig()


def test_without_a_file_the_configured_order_holds(tmp_path):
    assert load_routing(tmp_path / "routing.toml", NAMES) == RoutingConfig()


@pytest.mark.parametrize("content", [b"strategy = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "routing.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"routing\.toml: "):
        load_routing(path, NAMES)


def test_a_configuration_is_the_same_after_it_has_been_a_document():
    config = checked_routing(tomllib.loads(_SETTING.sub("", SHIPPED.read_text())), SANDBOXES)
    assert config != RoutingConfig()
    through_json = json.loads(json.dumps(routing_document(config), sort_keys=True))
    assert checked_routing(through_json, SANDBOXES) == config
    assert checked_routing(routing_document(RoutingConfig()), ()) == RoutingConfig()


ARM = {"gateway": "a", "share": 1}
REFUSED = [
    ([], "the document: must be a table"),
    (
        {"stratgy": "WEIGHTED"},
        "stratgy: unknown setting; known are ab_test, countries, exploration, fallback, prior, ",
    ),
    ({"strategy": "RANDOM"}, 'strategy: unknown strategy "RANDOM"; one of METRICS_BASED, '),
    ({"strategy": ["WEIGHTED"]}, "strategy: unknown strategy ['WEIGHTED']; one of"),
    ({"strategy": "WEIGHTED"}, "strategy: WEIGHTED needs a table [shares]"),
    ({"strategy": "GEOGRAPHIC", "countries": {}}, "strategy: GEOGRAPHIC needs a table [countries]"),
    ({"strategy": "AB_TEST"}, "strategy: AB_TEST needs a table [ab_test]"),
    ({"fallback": "a"}, "fallback: must be a list"),
    ({"fallback": ["a", "d"]}, 'fallback[1]: unknown gateway "d"; one of a, b, c'),
    ({"fallback": ["a", "a"]}, 'fallback[1]: "a" is in the list already'),
    ({"exploration": 5}, "exploration: must be a number from 0 to 1"),
    ({"exploration": True}, "exploration: must be a number from 0 to 1"),
    ({"exploration": float("nan")}, "exploration: must be a number from 0 to 1"),
    ({"weights": {"speed": 1}}, "weights.speed: unknown setting; known are cost, latency, success"),
    ({"weights": {"cost": -1}}, "weights.cost: must be a number from 0 to 1000"),
    ({"weights": {"success": 0, "latency": 0, "cost": 0}}, "weights: at least one weight must be above 0"),
    ({"weights": 1}, "weights: must be a table"),
    ({"prior": {"success_rate": 1.5}}, "prior.success_rate: must be a number from 0 to 1"),
    ({"prior": {"strength": 0}}, "prior.strength: must be a number from 1 to 1000"),
    ({"prior": {"weight": 1}}, "prior.weight: unknown setting"),
    ({"shares": {"d": 1}}, 'shares.d: unknown gateway "d"'),
    ({"shares": {"a": 0.5}}, "shares.a: must be a whole number from 0 to 10000"),
    ({"shares": {"a": 0}}, "shares: at least one share must be above 0"),
    ({"countries": {"UK": ["a"]}}, "countries.UK: is not a country of ISO 3166-1"),
    ({"countries": {"DE": ["d"]}}, 'countries.DE[0]: unknown gateway "d"'),
    ({"countries": {"DE": "a"}}, "countries.DE: must be a list"),
    (
        {"countries": {str(number): ["a"] for number in range(301)}},
        "countries: must have at most 300 countries",
    ),
    ({"ab_test": {"arms": [ARM]}}, "ab_test.experiment: must be a string of 1 to 64 printable characters"),
    ({"ab_test": {"experiment": "x"}}, "ab_test.arms: must be a list"),
    ({"ab_test": {}}, "ab_test.experiment: must be a string of 1 to 64 printable characters"),
    ({"ab_test": {"experiment": "x", "arms": []}}, "ab_test.arms: must have at least one arm"),
    ({"ab_test": {"experiment": "x", "arms": [ARM, ARM]}}, 'ab_test.arms[1].gateway: "a" is an arm already'),
    (
        {"ab_test": {"experiment": "x", "arms": [ARM | {"share": 0}]}},
        "ab_test.arms[0].share: must be a whole number",
    ),
    (
        {"ab_test": {"experiment": "x", "arms": [{"gateway": "d"}]}},
        'ab_test.arms[0].gateway: unknown gateway "d"',
    ),
    ({"rules": {}}, "rules: must be a list"),
]


@pytest.mark.parametrize(("document", "complaint"), REFUSED, ids=[complaint[:70] for _, complaint in REFUSED])
def test_a_wrong_setting_is_refused_with_its_place(document, complaint):
    with pytest.raises(ConfigurationError, match=f"^routing.toml: {re.escape(complaint)}"):
        parse_routing(document, gateways=NAMES, where="routing.toml")


def test_each_wrong_place_has_a_line():
    with pytest.raises(ConfigurationError) as refused:
        routing(exploration=2, fallback=["d"])
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["exploration", "fallback[0]"]
