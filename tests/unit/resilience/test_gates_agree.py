"""The rules stand twice, in Lua for all workers and in Python for one process alone: both say the same, always."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.gates_on_fake_redis import Clock, Rig

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.resilience.permits import BreakerView, CallResult, Said, Verdict, Wanted

OPERATIONS = ("initiate", "process")
# Small, so that few calls get far.
LIMITS = BreakerLimits(
    consecutive_failures=3,
    failure_rate=0.6,
    failure_min_calls=4,
    unknown_rate=0.2,
    unknown_min_calls=5,
    window_s=12,
    open_s=4,
    max_open_s=20,
    probes=2,
    probe_s=5,
)


_HOPS = st.sampled_from([("process",), ("process",), ("initiate", "process")])
_SAYS = st.sampled_from([Said.SUCCESS, Said.SUCCESS, Said.FAILURE, Said.UNKNOWN, Said.NOTHING])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), _HOPS, st.lists(_SAYS, min_size=1, max_size=8)),
        st.tuples(st.just("begin"), _HOPS, st.integers(1, 4)),
        # Any call that was ever let through, so some end twice, and some late.
        st.tuples(st.just("end"), st.integers(0, 30), _SAYS, st.booleans()),
        st.tuples(st.just("again"), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.sampled_from([0.75, 2.5, 4.5, 6.0, 13.0])),
        st.tuples(st.just("draw"), st.sampled_from([-1.0, 0.0, 0.5])),
    ),
    min_size=20,
    max_size=60,
)


class _Both:
    """The same done with breakers in Redis and with a process's own; both are to answer alike and look alike."""

    def __init__(self, calls_per_s: int | None) -> None:
        self.clock = Clock()
        # A call that is refused holds its place for longer in the process than in Redis: of no matter, but not alike.
        places = {"share": 6, "lane_share": 5, "place_s": 10_000.0, "calls_per_s": calls_per_s}
        self.rigs = [Rig(self.clock, limits=LIMITS, alone=alone, **places) for alone in (False, True)]
        self.granted: list[tuple[Wanted, int]] = []

    def call(self, operations: tuple[str, ...], says: list[Said]) -> None:
        for said in says:
            self._end(self._begin(self.rigs[0].wanted(1, operations)), said, True)

    def begin(self, operations: tuple[str, ...], number: int) -> None:
        self._begin(self.rigs[0].wanted(number, operations))

    def end(self, number: int, said: Said, hop_over: bool) -> None:
        if self.granted:
            self._end([self.granted[number % len(self.granted)]], said, hop_over)

    def again(self, number: int) -> None:
        if self.granted:
            self._begin([self.granted[number % len(self.granted)][0]])

    def draw(self, drawn: float) -> None:
        for rig in self.rigs:
            rig.jitter = drawn

    def _begin(self, wanted: list[Wanted]) -> list[tuple[Wanted, int]]:
        shared, alone = (rig.gates.admit(wanted) for rig in self.rigs)
        assert [_answer(verdict) for verdict in shared] == [_answer(verdict) for verdict in alone]
        granted = [(one, told.epoch) for one, told in zip(wanted, shared, strict=True) if told.granted]
        self.granted += granted
        return granted

    def _end(self, calls: list[tuple[Wanted, int]], said: Said, hop_over: bool) -> None:
        for rig in self.rigs:
            rig.gates.report([CallResult(*call, said, 100.0, hop_over=hop_over) for call in calls])


# Not made smaller when it fails: that takes minutes.
@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(_STEPS, st.sampled_from([None, 1, 3]))
def test_lua_and_python_say_the_same(steps, calls_per_s):
    both = _Both(calls_per_s)
    with patch("time.time", both.clock):
        for what, *details in steps:
            (both.clock.passes if what == "pass" else getattr(both, what))(*details)
            shared, alone = (_seen(rig) for rig in both.rigs)
            assert shared == alone


def _answer(verdict: Verdict) -> tuple[object, ...]:
    """Without how long to wait for a place: that is by the rate of all workers, or of one."""
    is_open = verdict.refused_by == "breaker" and "half-open" not in verdict.reason
    return verdict.granted, verdict.epoch, verdict.reason, verdict.retry_in_s if is_open else 0.0


def _seen(rig: Rig) -> list[tuple[object, ...]]:
    gates = rig.others() if rig.server.connected else rig.gates
    return [_told(gates.views()["bank"][operation]) for operation in OPERATIONS]


def _told(view: BreakerView) -> tuple[object, ...]:
    return (
        view.state,
        view.epoch,
        round(view.retry_in_s, 2),
        view.consecutive_failures,
        view.calls,
        view.failure_rate,
        view.unknown_rate,
        view.opened,
        view.probes_out,
        view.calls_out,
    )
