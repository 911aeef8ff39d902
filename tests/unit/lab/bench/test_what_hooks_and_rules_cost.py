"""What `aegis bench` asks where hooks and rules are measured: a hook at each point, and ten rules that nothing meets."""

from __future__ import annotations

from support.checkout import CHECKOUT
from support.rule_inputs import DISGUISE, asked

from aegis_worker.hooks.points import Point
from aegis_worker.lab.bench import trivial_hooks
from aegis_worker.lab.bench.seed import ORDER
from aegis_worker.rules.config import load_rules
from aegis_worker.rules.judge import Counted, asks_of, findings_of, met_so_far


def test_there_is_a_hook_at_each_point() -> None:
    assert {point.value for point in Point} <= set(vars(trivial_hooks))


def test_ten_rules_are_asked_four_of_them_count_and_no_payment_of_a_bench_meets_any() -> None:
    config = load_rules(CHECKOUT / "config" / "bench" / "rules.toml")
    assert (len(config.on), sum(bool(rule.velocity) for rule in config.on)) == (10, 4)
    given = {name: ORDER[name] for name in ("payment_method", "customer", "metadata")}
    payment = asked(**given)
    met = met_so_far(config, payment, DISGUISE.asking(payment))
    asks = asks_of(met)
    assert len(asks) == 4
    assert findings_of(config, met, Counted({ask.counter.id: 100_000 for ask in asks})) == ()
