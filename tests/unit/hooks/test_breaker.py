"""The breaker of a hook."""

from __future__ import annotations

from aegis_worker.hooks.breaker import Breaker

S = 1_000_000_000


def cut_off(breaker: Breaker, times: int, now_ns: int = 0) -> list[bool]:
    return [breaker.cut_off(now_ns, is_probe=False) for _ in range(times)]


def test_time_outs_in_a_row_open_it_and_an_answer_between_them_begins_anew() -> None:
    breaker = Breaker(3, 10 * S)
    assert cut_off(breaker, 2) == [False, False]
    breaker.in_time(is_probe=False)
    assert cut_off(breaker, 3) == [False, False, True]
    assert breaker.refusal(0) == "its breaker is open for another 10 s"
    assert breaker.state(10 * S - 1) == "open"


def test_what_was_asked_before_it_opened_neither_closes_it_nor_keeps_it_open_for_longer() -> None:
    breaker = Breaker(1, 10 * S)
    cut_off(breaker, 1)
    breaker.in_time(is_probe=False)
    assert cut_off(breaker, 3, now_ns=9 * S) == [False] * 3
    assert breaker.state(9 * S) == "open"
    assert breaker.state(10 * S) == "half_open"


def test_one_question_is_the_probe_and_others_are_refused_until_it_is_answered() -> None:
    breaker = Breaker(1, 10 * S)
    cut_off(breaker, 1)
    assert breaker.refusal(10 * S) is None
    breaker.probe()
    assert breaker.refusal(10 * S) == "its breaker is open, and another payment tries whether it answers"
    breaker.forget_probe()
    assert breaker.refusal(10 * S) is None
    breaker.probe()
    breaker.in_time(is_probe=True)
    assert breaker.state(10 * S) == "closed"
    assert not breaker.is_suspect


def test_each_probe_that_hangs_doubles_the_pause_up_to_a_bound() -> None:
    breaker, now, pauses = Breaker(1, 10 * S), 0, []
    cut_off(breaker, 1)
    for _ in range(8):
        now += breaker.open_for_ms(now) * 1_000_000
        breaker.probe()
        assert breaker.cut_off(now, is_probe=True)
        pauses.append(breaker.open_for_ms(now) // 1000)
    assert pauses == [20, 40, 80, 160, 320, 320, 320, 320]


def test_a_hook_that_has_never_answered_may_well_hang() -> None:
    breaker = Breaker(3, S)
    assert breaker.is_suspect
    breaker.in_time(is_probe=False)
    assert not breaker.is_suspect
    cut_off(breaker, 1)
    assert breaker.is_suspect
