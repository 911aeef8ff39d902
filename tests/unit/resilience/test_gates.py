"""The rules of a breaker: each holds in Redis, over all workers, and in one process by itself while Redis is away."""

from __future__ import annotations

import pytest
from support.gates_on_fake_redis import Clock, Rig

from aegis_worker.domain.breakers import BreakerLimits, BreakerState
from aegis_worker.resilience.permits import STATUS, CallResult, Said

OK, FAILED, UNKNOWN, NOTHING = Said.SUCCESS, Said.FAILURE, Said.UNKNOWN, Said.NOTHING
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
HOP = ("initiate", "authenticate", "process")


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture(params=["in Redis", "alone"])
def rig(request, clock):
    """`rig(limits, …)` makes gates with their breakers in Redis or, in the second run of each test, without Redis."""

    def make(limits: BreakerLimits | None = None, **changes) -> Rig:
        return Rig(clock, limits=limits, alone=request.param == "alone", **changes)

    return make


def opened(rig: Rig) -> Rig:
    rig.calls(*[FAILED] * rig.gate.breaker.consecutive_failures)
    return rig


def half_open(rig: Rig) -> Rig:
    opened(rig).clock.passes(rig.gate.breaker.open_s)
    return rig


def test_five_failures_in_a_row_open_it(rig):
    bank = rig()
    bank.calls(FAILED, FAILED, UNKNOWN, FAILED)
    assert bank.state() is CLOSED
    bank.calls(FAILED)
    assert bank.state() is OPEN


def test_a_success_ends_the_row(rig):
    bank = rig()
    bank.calls(*[FAILED] * 4, OK, *[FAILED] * 4)
    assert bank.state() is CLOSED


def test_half_of_twenty_calls_failing_opens_it(rig):
    bank = rig(BreakerLimits(tighten=0))
    bank.calls(*[OK, FAILED] * 9, OK)
    assert bank.state() is CLOSED
    bank.calls(FAILED)
    assert bank.state() is OPEN


def test_more_than_2_percent_unknown_of_fifty_opens_it(rig):
    bank = rig()
    bank.calls(UNKNOWN, *[OK] * 49)
    assert bank.state() is CLOSED
    bank.calls(UNKNOWN)
    assert bank.state() is OPEN


def test_calls_fall_out_of_the_window(rig):
    bank = rig(BreakerLimits(tighten=0, window_s=120))
    bank.calls(*[FAILED, OK] * 9)
    bank.clock.passes(125)
    bank.calls(FAILED, OK, FAILED)
    assert bank.state() is CLOSED
    view = bank.gates.views()["bank"]["process"]
    assert (view.calls, view.failure_rate) == (3, 2 / 3)


def test_the_threshold_tightens_while_health_is_low(rig):
    """With 3 of 10 failing, health falls to about 0.7, and at half of what is missing a threshold of 0.34 to 0.29."""

    def calls_until_it_opens(tighten: float) -> int:
        bank = rig(BreakerLimits(failure_rate=0.34, tighten=tighten))
        made = 0
        while made < 100 and (calls := bank.admitted()):
            bank.end(calls[0], FAILED if made % 10 in (2, 6, 9) else OK)
            made += 1
        return made

    assert calls_until_it_opens(0) == 100
    assert 20 < calls_until_it_opens(0.5) < 100


def test_nothing_passes_an_open_one_until_its_time_is_up(rig):
    bank = opened(rig())
    refused = bank.ask()
    assert (refused.granted, refused.refused_by) == (False, "breaker")
    assert 60 <= refused.retry_in_s <= 66
    bank.clock.passes(59)
    assert not bank.ask().granted
    bank.clock.passes(1)
    assert bank.ask().granted
    assert bank.state() is HALF_OPEN


@pytest.mark.parametrize(("drawn", "open_s"), [(-1.0, 54.0), (0.0, 60.0), (1.0, 66.0)])
def test_the_time_that_it_stays_open_is_drawn_from_a_tenth_around_it(rig, drawn, open_s):
    bank = rig()
    bank.jitter = drawn
    opened(bank)
    bank.clock.passes(open_s - 0.1)
    assert not bank.ask().granted
    bank.clock.passes(0.1)
    assert bank.ask().granted


def test_three_probes_may_be_out(rig):
    bank = half_open(rig())
    assert len(bank.admitted(10)) == 3
    refused = bank.ask()
    assert refused.refused_by == "breaker"
    assert 0 < refused.retry_in_s < 33


def test_who_waits_for_probes_that_hang_asks_ever_less_often(rig):
    bank = half_open(rig())
    bank.jitter = -1.0
    assert len(bank.admitted(10)) == 3
    bank.clock.passes(4)
    assert bank.ask().retry_in_s == pytest.approx(4)
    bank.clock.passes(4)
    assert bank.ask().retry_in_s == pytest.approx(8)


def test_who_holds_a_permit_is_let_through_again(rig):
    bank = half_open(rig())
    probes = [wanted for wanted, _ in bank.admitted(3)]
    assert all(verdict.granted for verdict in bank.gates.admit(probes))
    assert not bank.ask().granted


def test_a_permit_ends_with_its_time(rig):
    bank = half_open(rig(BreakerLimits(probe_s=90)))
    bank.admitted(3)
    bank.clock.passes(89)
    assert not bank.ask().granted
    bank.clock.passes(1)
    assert len(bank.admitted(10)) == 3


def test_a_call_that_says_nothing_gives_its_permit_back(rig):
    bank = half_open(rig())
    first, *_ = bank.admitted(3)
    bank.end(first, NOTHING)
    assert bank.ask().granted
    assert bank.state() is HALF_OPEN


def test_a_probe_that_succeeded_lets_no_further_one_out(rig):
    bank = half_open(rig())
    first, *_ = bank.admitted(3)
    bank.end(first, OK)
    assert not bank.ask().granted


def test_fewer_permits_than_it_takes_to_close_are_used_again(rig):
    bank = half_open(rig(BreakerLimits(probes=1, successes_to_close=2)))
    bank.calls(OK, OK)
    assert bank.state() is CLOSED


def test_two_successes_close_it(rig):
    bank = half_open(rig())
    bank.calls(OK)
    assert bank.state() is HALF_OPEN
    bank.calls(OK)
    assert bank.state() is CLOSED


def test_old_failures_do_not_open_it_again(rig):
    bank = half_open(rig(BreakerLimits(consecutive_failures=20, tighten=0)))
    bank.calls(OK, OK, *[OK] * 11, *[FAILED] * 9)
    assert bank.state() is CLOSED


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound(rig):
    bank = opened(rig(BreakerLimits(open_s=60, max_open_s=200)))
    for open_s in (60, 120, 200, 200):
        bank.clock.passes(open_s - 1)
        assert not bank.ask().granted
        bank.clock.passes(1)
        bank.calls(FAILED)
        assert bank.state() is OPEN
        bank.clock.passes(-0.6)


def test_closed_for_long_it_opens_for_the_plain_time_again(rig):
    bank = half_open(rig())
    bank.calls(FAILED)
    bank.clock.passes(120)
    bank.calls(OK, OK)
    opened(bank)
    assert bank.ask().retry_in_s == pytest.approx(120 * 1.05)
    bank.clock.passes(120)
    bank.calls(OK, OK)
    bank.clock.passes(600)
    opened(bank)
    assert bank.ask().retry_in_s == pytest.approx(60 * 1.05)


def test_a_result_from_before_a_move_changes_nothing(rig):
    bank = rig()
    late = bank.admitted(4)
    half_open(bank)
    bank.calls(OK)
    for call, said in zip(late, (OK, OK, FAILED, FAILED), strict=True):
        bank.end(call, said)
    assert bank.state() is HALF_OPEN


def test_a_result_counts_once(rig):
    bank = rig()
    (call,) = bank.admitted()
    for _ in range(9):
        bank.end(call, FAILED)
    assert bank.state() is CLOSED
    assert bank.gates.views()["bank"]["process"].consecutive_failures == 1


def test_a_hop_needs_a_permit_of_every_half_open_breaker_or_takes_none(rig):
    bank = rig()
    for operation in ("authenticate", "process"):
        bank.calls(*[FAILED] * 5, operations=[operation])
    bank.clock.passes(60)
    bank.admitted(3, ["process"])
    assert not bank.ask(HOP).granted
    assert len(bank.admitted(10, ["authenticate"])) == 3


def test_an_open_breaker_further_on_stops_the_hop_before_its_first_step(rig):
    bank = opened(rig())
    assert not bank.ask(HOP).granted
    assert bank.ask(HOP[:1]).granted


def test_a_hop_keeps_the_permits_of_its_later_steps_until_it_is_over(rig):
    bank = half_open(rig())
    first, *others = bank.admitted(3, HOP)
    bank.end(first, OK, hop_over=False)
    assert not bank.ask().granted
    bank.end(others[0], OK)
    assert bank.ask().granted


def test_look_ups_have_a_breaker_of_their_own(rig):
    bank = opened(rig())
    assert bank.ask([STATUS]).granted
    bank.calls(*[UNKNOWN] * 5, operations=[STATUS])
    assert not bank.ask([STATUS]).granted


def test_a_forgotten_call_gives_back_its_place_and_its_permits(rig):
    bank = half_open(rig(lane_share=3))
    probes = bank.admitted(3, HOP)
    bank.gates.forget([wanted for wanted, _ in probes])
    assert len(bank.admitted(10, HOP)) == 3


def test_several_ends_are_counted_in_their_order(rig):
    bank = rig()
    ends = [FAILED] * 3 + [OK] + [FAILED] * 4
    calls = bank.admitted(len(ends))
    bank.gates.report(
        [CallResult(wanted, told.epoch, said, 1.0) for (wanted, told), said in zip(calls, ends, strict=True)]
    )
    view = bank.gates.views()["bank"]["process"]
    assert (view.state, view.consecutive_failures, view.calls) == (CLOSED, 4, 8)
