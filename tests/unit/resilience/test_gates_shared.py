"""What Redis is for: permits, places and breakers of all processes together, and going on without it."""

from __future__ import annotations

import pytest
from support.gates_on_fake_redis import Clock, Rig
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.breakers import BreakerLimits, BreakerState
from aegis_worker.resilience.gate import gate_of
from aegis_worker.resilience.permits import STATUS, CallResult, Counted, Said

OK, FAILED, NOTHING = Said.SUCCESS, Said.FAILURE, Said.NOTHING
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


def test_processes_share_breakers_and_permits(clock):
    bank = Rig(clock)
    others = bank.others()
    bank.calls(*[FAILED] * 5)
    assert not any(verdict.granted for verdict in others.admit(bank.wanted(3)))
    clock.passes(60)
    granted = [verdict.granted for gates in (bank.gates, others) for verdict in gates.admit(bank.wanted(2))]
    assert granted == [True, True, True, False]


def test_no_more_calls_are_out_than_a_gateway_takes_over_all_processes(clock):
    bank = Rig(clock, max_concurrent=5)
    others = bank.others()
    assert len(bank.admitted(4)) == 4
    verdicts = others.admit(bank.wanted(3))
    assert [verdict.refused_by for verdict in verdicts] == [None, "limit", "limit"]


@pytest.mark.slow
def test_no_more_calls_begin_in_a_second_than_a_gateway_takes_over_all_processes(clock):
    bank = Rig(clock, calls_per_s=20)
    begun = []
    for _ in range(300):
        for gates in (bank.gates, bank.others()):
            wanted = bank.wanted(2)
            begun += [clock.now_s for told in gates.admit(wanted) if told.granted]
        clock.passes(0.01)
    for start in begun:
        assert sum(start <= at < start + 1 for at in begun) <= 22
    assert len(begun) >= 60


def test_look_ups_and_charges_share_a_gateways_rate_and_a_repeat_takes_no_more_of_it(clock):
    bank = Rig(clock, calls_per_s=10)
    first, second = bank.wanted(1), bank.wanted(1, ("status",))
    assert [bank.gates.admit(wanted)[0].granted for wanted in (first, second, first, second)] == 4 * [True]
    refused = bank.ask()
    assert (refused.granted, refused.refused_by) == (False, "limit")
    assert refused.reason == "gets 10 calls a second already"


@pytest.mark.parametrize("alone", [False, True])
def test_who_waits_for_a_gateways_rate_is_told_one_time_after_the_other(clock, alone):
    bank = Rig(clock, calls_per_s=10, alone=alone)
    waits_s = [verdict.retry_in_s for verdict in bank.gates.admit(bank.wanted(12)) if not verdict.granted]
    assert waits_s == sorted(waits_s)
    assert 0.1 <= waits_s[0] < 0.3
    assert waits_s[-1] > 0.8
    clock.passes(2.0)
    assert bank.ask().granted


def test_look_ups_have_places_of_their_own(clock):
    bank = Rig(clock, max_concurrent=2)
    bank.admitted(1, ["process"])
    bank.admitted(1, ["capture"])
    assert not bank.ask(["refund"]).granted
    assert len(bank.admitted(5, [STATUS])) == 2


def test_a_call_that_holds_its_place_is_let_through_again(clock):
    bank = Rig(clock, max_concurrent=1)
    ((wanted, _),) = bank.admitted()
    (verdict,) = bank.gates.admit([wanted])
    assert verdict.granted
    assert not bank.ask().granted


def test_the_places_of_a_dead_worker_come_free(clock):
    bank = Rig(clock, max_concurrent=2, place_s=40.0)
    bank.admitted(2)
    clock.passes(39)
    assert bank.others().admit(bank.wanted())[0].refused_by == "limit"
    clock.passes(1)
    assert len(bank.admitted(2)) == 2


def test_what_does_not_fit_comes_back_at_the_rate_at_which_calls_are_made(clock):
    bank = Rig(clock, max_concurrent=10)
    bank.jitter = -1.0
    for _ in range(100):
        (call,) = bank.admitted()
        bank.end(call, OK, ms=2000)
    bank.admitted(10)
    waits = [verdict.retry_in_s for verdict in bank.gates.admit(bank.wanted(300))]
    assert waits[:3] == pytest.approx([0.2, 0.4, 0.6], abs=0.01)
    assert waits[-1] == pytest.approx(30)


@pytest.mark.slow
@pytest.mark.parametrize("full", [{"max_concurrent": 2}, {"share": 2, "lane_share": 2}])
def test_who_waits_for_calls_that_hang_asks_ever_less_often(clock, full):
    """A gateway that was quick: at its rate, a few payments would ask a thousand times a second until it answers again."""
    bank = Rig(clock, **full)
    bank.jitter = -1.0
    for _ in range(100):
        (call,) = bank.admitted()
        bank.end(call, OK, ms=1)
    bank.admitted(2)
    asked, (payment,) = 0, bank.wanted()
    for _ in range(20):
        (verdict,) = bank.gates.admit([payment])
        clock.passes(max(0.001, verdict.retry_in_s))
        asked += verdict.refused_by == "limit"
        if clock.now_s - 1_800_000_000.0 > 8:
            break
    assert asked < 15


def test_look_ups_behind_as_many_calls_as_a_process_may_make_come_back_when_those_end(clock):
    bank = Rig(clock, share=2, lane_share=2)
    bank.admitted(2)
    assert bank.ask([STATUS]).retry_in_s < 1
    clock.passes(3)
    assert bank.ask([STATUS]).retry_in_s == pytest.approx(3 * 1.05)


def test_what_finds_no_room_beside_calls_that_a_breaker_refuses_comes_back_at_once(clock):
    bank = Rig(clock, share=5, lane_share=5)
    bank.calls(*[FAILED] * 5)
    refused = bank.gates.admit(bank.wanted(10))
    assert [verdict.refused_by for verdict in refused] == ["breaker"] * 5 + ["limit"] * 5
    assert max(verdict.retry_in_s for verdict in refused[5:]) < 1


def test_who_waited_for_probes_leaves_no_queue_for_places_behind(clock):
    bank = Rig(clock, max_concurrent=5)
    bank.calls(*[FAILED] * 5)
    clock.passes(bank.gate.breaker.open_s)
    probes = bank.admitted(3)
    assert {verdict.refused_by for verdict in bank.gates.admit(bank.wanted(900))} == {"breaker"}
    for probe in probes:
        bank.end(probe, OK)
    assert bank.state() is CLOSED
    assert len(bank.admitted(5)) == 5
    assert bank.ask().retry_in_s < 1


def test_one_process_leaves_room_beside_a_slow_gateway(clock):
    bank = Rig(clock, share=8, lane_share=7)
    assert len(bank.admitted(20)) == 7
    assert len(bank.admitted(20, [STATUS])) == 1
    assert bank.ask().refused_by == "limit"
    assert len(bank.others().admit(bank.wanted(7))) == 7


def test_what_does_not_fit_into_a_process_comes_back_at_its_rate(clock):
    bank = Rig(clock, share=8, lane_share=8)
    bank.jitter = -1.0
    for _ in range(100):
        (call,) = bank.admitted()
        bank.end(call, OK, ms=4000)
    bank.admitted(8)
    waits = [verdict.retry_in_s for verdict in bank.gates.admit(bank.wanted(3))]
    assert waits == pytest.approx([0.5, 1.0, 1.5], abs=0.01)


def test_without_redis_an_open_breaker_stays_open_until_its_time_is_up(clock):
    bank = Rig(clock)
    bank.calls(*[FAILED] * 5)
    bank.server.connected = False
    clock.passes(30)
    assert not bank.ask().granted
    assert not bank.gates.views()["bank"]["process"].shared
    clock.passes(30)
    assert len(bank.admitted(10)) == 3


def test_without_redis_a_call_that_it_let_through_still_counts(clock):
    bank = Rig(clock)
    calls = bank.admitted(5)
    bank.server.connected = False
    for call in calls:
        bank.end(call, FAILED)
    assert bank.state() is OPEN


def test_redis_is_left_alone_for_5_s_and_then_its_states_hold_again(clock):
    bank = Rig(clock)
    bank.server.connected = False
    bank.calls(*[FAILED] * 5)
    bank.server.connected = True
    clock.passes(4)
    assert not bank.ask().granted
    clock.passes(1)
    assert bank.ask().granted
    assert bank.state() is CLOSED


def test_a_call_let_through_without_redis_changes_nothing_in_it(clock):
    bank = Rig(clock)
    bank.server.connected = False
    calls = bank.admitted(9)
    bank.server.connected = True
    clock.passes(5)
    for call in calls:
        bank.end(call, FAILED)
    assert bank.state() is CLOSED
    assert bank.gates.views()["bank"]["process"].calls == 0


def test_a_redis_that_lost_its_scripts_is_given_them_again_and_nothing_is_counted_twice(clock):
    bank = Rig(clock)
    ((wanted, verdict),) = bank.admitted()
    bank.redis.script_flush()
    bank.gates.report([CallResult(wanted, verdict.epoch, FAILED, 10.0, Counted.ERROR, "http_5xx")])
    bank.redis.script_flush()
    assert bank.ask().granted
    assert bank.gates.views()["bank"]["process"].consecutive_failures == 1
    assert bank.gates.health()["bank"].judged == 1


def test_a_batch_longer_than_lua_takes_at_once_goes_in_parts(clock):
    bank = Rig(clock, max_concurrent=2400, share=5000, lane_share=5000)
    calls = bank.admitted(2500)
    assert len(calls) == 2400
    bank.gates.report([CallResult(wanted, verdict.epoch, OK, 10.0) for wanted, verdict in calls])
    view = bank.gates.views()["bank"]["process"]
    assert (view.calls, view.calls_out) == (2400, 0)


@pytest.mark.parametrize(
    ("settings", "calls_in_flight", "alone", "shares"),
    [
        ({}, 256, True, (256, 256)),
        ({}, 256, False, (128, 112)),
        ({"max_connections": 64}, 256, True, (64, 56)),
        ({"max_connections": 64}, 256, False, (64, 56)),
        ({"max_concurrent": 20}, 256, False, (128, 20)),
        ({"max_connections": 512}, 256, True, (256, 256)),
        ({}, 1, False, (1, 1)),
    ],
)
def test_what_one_gateway_may_take_of_a_process(settings, calls_in_flight, alone, shares):
    gateway = ScriptedGateway("bank", **settings)
    gate = gate_of("bank", gateway, calls_in_flight=calls_in_flight, alone=alone)
    assert (gate.share, gate.lane_share) == shares


def test_every_key_has_an_end(clock):
    bank = Rig(clock, max_concurrent=3)
    bank.calls(*[FAILED] * 5)
    clock.passes(60)
    bank.admitted(10)
    bank.admitted(10, [STATUS])
    bank.gates.turns(1)
    keys = bank.redis.keys("aegis:gate:*")
    assert b"aegis:gate:bank:process:probes" in keys
    assert all(bank.redis.pttl(key) > 0 for key in keys)


def test_turns_are_taken_one_after_the_other_by_all(clock):
    bank = Rig(clock)
    others = bank.others()
    assert [bank.gates.turns(3), others.turns(2), bank.gates.turns(1)] == [0, 3, 5]
    bank.server.connected = False
    assert [bank.gates.turns(2), bank.gates.turns(1)] == [6, 8]


def test_health_is_that_of_the_worst_breaker_that_a_charge_needs(clock):
    bank = Rig(clock)
    bank.calls(*[FAILED] * 5, operations=["authenticate"])
    bank.calls(*[FAILED] * 5, operations=["refund"])
    health = bank.gates.health()["bank"]
    assert health.state is OPEN
    assert health.retry_in_s == pytest.approx(60)
    clock.passes(60)
    assert bank.gates.health()["bank"].state is HALF_OPEN
    bank.calls(OK, OK, operations=["authenticate"])
    assert bank.gates.health()["bank"].state is CLOSED


def test_what_came_before_a_breaker_closed_does_not_count_for_health(clock):
    bank = Rig(clock)
    for _ in range(5):
        ((wanted, verdict),) = bank.admitted()
        bank.gates.report([CallResult(wanted, verdict.epoch, FAILED, 10.0, Counted.ERROR, "http_5xx")])
    assert (bank.gates.health()["bank"].judged, bank.gates.health()["bank"].approved) == (5, 0)
    clock.passes(60)
    bank.calls(OK, OK)
    ((wanted, verdict),) = bank.admitted()
    bank.gates.report([CallResult(wanted, verdict.epoch, OK, 10.0, Counted.APPROVED)])
    clock.passes(1)
    health = bank.gates.health()["bank"]
    assert (health.judged, health.approved, health.score) == (1, 1, 1.0)


def test_what_is_known_is_looked_up_twice_a_second_at_most_but_for_what_this_process_sees(clock):
    bank = Rig(clock)
    others = bank.others()
    assert others.health()["bank"].state is CLOSED
    bank.calls(*[FAILED] * 5)
    assert bank.gates.health()["bank"].state is OPEN
    assert others.health()["bank"].state is CLOSED
    clock.passes(0.6)
    assert others.health()["bank"].state is OPEN


@pytest.mark.slow
def test_operators_see_what_is_out(clock):
    bank = Rig(clock, limits=BreakerLimits(tighten=0))
    bank.calls(OK, FAILED, Said.UNKNOWN, OK)
    bank.admitted(2)
    view = bank.gates.views()["bank"]["process"]
    assert (view.calls, view.failure_rate, view.unknown_rate) == (4, 0.5, 0.25)
    assert (view.state, view.calls_out, view.probes_out, view.opened) == (CLOSED, 2, 0, 0)
    bank.calls(*[FAILED] * 5)
    clock.passes(60)
    bank.admitted(10)
    view = bank.gates.views()["bank"]["process"]
    assert (view.state, view.calls_out, view.probes_out, view.opened) == (HALF_OPEN, 3, 3, 1)
    assert view.shared
