"""`aegis crashtest` without a stack: its options, the configuration it makes, its judgement, its schedule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.command_line import CONFIG_DIR, Aegis, aegis

from aegis_worker.audit.violations import Violation
from aegis_worker.crash_points import LAST_WORDS, POINTS, VARIABLE
from aegis_worker.gateways.gateways_file import load_configs
from aegis_worker.ids import event_id
from aegis_worker.lab.crash import PointNames
from aegis_worker.lab.crash.baseline import Baseline, compare
from aegis_worker.lab.crash.disputes import Disputes, differing, theirs
from aegis_worker.lab.crash.judge import against_ledgers, against_sink, of_answers, of_endings
from aegis_worker.lab.crash.kills import Kills
from aegis_worker.lab.crash.load import ROLES, Answered
from aegis_worker.lab.crash.mix import LOT, in_time
from aegis_worker.lab.crash.points import PointResult
from aegis_worker.lab.crash.rehearsal import SHORT_TIMES, environment, rehearsed
from aegis_worker.lab.crash.report import points_as_json
from aegis_worker.lab.crash.schedule import Fault, schedule
from aegis_worker.lab.demo.cast import Order, cast
from aegis_worker.lab.demo.issuers import Issuer
from aegis_worker.lab.demo.ledgers import Charge, Disputed
from aegis_worker.lab.demo.roles import PLAIN
from aegis_worker.lab.demo.sink import Arrivals
from aegis_worker.lab.local.config_files import write_config
from aegis_worker.lab.local.emulated import EMULATED
from aegis_worker.lab.local.folder import Secrets
from aegis_worker.lab.local.programs import sandboxes

__all__ = ["aegis"]

A, B = "pay_" + "a" * 32, "pay_" + "b" * 32


def a_payment(id_: str = A, state: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    row = {"id": id_, "state": state, "currency": "USD", "version": 3}
    row["amounts"] = {"authorized": 1999, "captured": 1999, "refunded": 0}
    row |= {
        "gateway": "sandbox_a",
        "gateway_ref": "spay_1",
        "captures": {"data": []},
        "refunds": {"data": []},
    }
    return row | {"in_review": False, "job": "succeeded", "last_error": None} | more


def answered(key: str = "k", payment_id: str | None = A, role: str = PLAIN) -> Answered:
    return Answered(Order(role, key, {}, repeated=False), payment_id)


def broken(violations: Any) -> list[tuple[str, str]]:
    return [(violation.invariant, violation.payment_id) for violation in violations]


A_CHARGE, ANOTHER = (
    Charge(A, "sandbox_a", "spay_1", "USD", 1999),
    Charge(A, "sandbox_b", "spay_2", "USD", 1999),
)


# --- Disputes


def test_a_dispute_that_a_ledger_has_otherwise_than_we_say_is_a_violation() -> None:
    disputed = replace(A_CHARGE, disputes=(Disputed("dp_1", 1999, "lost"),))
    booked = theirs([disputed, ANOTHER])
    assert list(differing(booked, booked)) == []
    stale: Disputes = {("sandbox_a", "dp_1"): (A, 1999, "needs_response")}
    unknown: Disputes = {}
    for known in (unknown, stale, {**booked, ("sandbox_a", "dp_2"): (A, 1, "won")}):
        assert broken(differing(known, booked)) == [("I3", A)]


# --- Options


def test_the_list_shows_every_point(aegis: Aegis) -> None:
    ran = aegis("crashtest", "--list")
    assert ran.exit_code == 0
    assert all(name in ran.out for name in POINTS)
    assert len(POINTS) >= 20


def test_the_list_as_json_says_what_stands_around_each_point(aegis: Aegis) -> None:
    listed = aegis("crashtest", "--list", "--json", "-").json["points"]
    assert {point["name"]: (point["happened"], point["next"]) for point in listed} == POINTS


@pytest.mark.parametrize(
    "options",
    [
        ("--points", "nonsense"),
        ("--points", "job.claimed,nonsense"),
        ("--points", ""),
        ("--payments", "0"),
        ("--workers", "0"),
        ("--mix", "--minutes", "0"),
    ],
)
def test_wrong_usage(aegis: Aegis, options: tuple[str, ...]) -> None:
    assert aegis("crashtest", *options).exit_code == 2


def test_points_are_all_or_named_and_each_once() -> None:
    names = PointNames()
    assert names.convert("all", None, None) == list(POINTS)
    assert names.convert("job.locked, job.claimed,job.locked", None, None) == ["job.locked", "job.claimed"]


def test_in_production_it_does_not_run(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_ENV", "production")
    ran = aegis("crashtest", "--points", "job.claimed")
    assert ran.exit_code == 3
    assert "production" in ran.err


# --- The configuration of a rehearsal

_WITH_A_REAL_GATEWAY = """
[gateways.acme]
adapter = "acme"
base_url = "https://acme.example"

[gateways.acme.options]
steps = ["process"]

[gateways.box]
adapter = "sandbox"
connect_timeout_s = 5
timeout_s = 30
currencies = ["USD"]

[gateways.box.options]
absence_window_s = 120
"""


def test_no_gateway_is_left_that_is_not_emulated_and_every_wait_is_short(tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(_WITH_A_REAL_GATEWAY)
    assert rehearsed([], False, tmp_path) == {
        "box": {
            "adapter": "sandbox",
            "connect_timeout_s": 1,
            "timeout_s": 2,
            "currencies": ["USD"],
            "options": {"absence_window_s": 2},
            "breaker": {"open_s": 1, "max_open_s": 4, "probe_s": 5},
        }
    }


@pytest.mark.parametrize("names", [[], ["sandbox_a", *EMULATED]])
def test_the_gateways_of_a_rehearsal_are_fit_for_it(names: list[str], tmp_path: Path) -> None:
    write_config(CONFIG_DIR, rehearsed(names, False, CONFIG_DIR), tmp_path / "config")
    emulators = sandboxes(tmp_path / "config", Secrets(), {"sandbox", *EMULATED})
    environ = {name: value for emulator in emulators for name, value in emulator.settings.items()}
    configs = load_configs(tmp_path / "config" / "gateways.toml", environ)
    assert [config.name for config in configs] == (names or ["sandbox_a", "sandbox_b"])
    for config in configs:
        assert config.slowest_call_s == 3 < float(SHORT_TIMES["AEGIS_LEASE_S"])
        assert (config.breaker.open_s, config.breaker.unknown_rate) == (1, 1)


def test_own_times_are_kept_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "gateways.toml").write_text(_WITH_A_REAL_GATEWAY)
    kept = rehearsed([], True, tmp_path)["box"]
    assert (kept["connect_timeout_s"], kept["timeout_s"], kept["options"]["absence_window_s"]) == (5, 30, 120)


def test_a_rehearsal_never_touches_given_stores_and_is_not_armed_itself() -> None:
    given = {
        "PATH": "/bin",
        "DATABASE_URL": "postgresql://live",
        "REDIS_URL": "redis://live",
        "SENTRY_DSN": "https://live",
        VARIABLE: "job.claimed",
        "AEGIS_BATCH": "8",
        "AEGIS_LEASE_S": "90",
        "AEGIS_CONFIG_DIR": str(CONFIG_DIR),
    }
    left = {"PATH": "/bin", "AEGIS_BATCH": "8", "AEGIS_CONFIG_DIR": str(CONFIG_DIR)}
    assert environment(given, own_times=False) == left | SHORT_TIMES


# --- Judgement


def test_what_agrees_on_all_sides_is_right() -> None:
    payments = [a_payment()]
    arrivals = Arrivals([event_id(A, seq) for seq in (1, 2, 2, 3)])
    assert broken(against_ledgers(payments, [A_CHARGE])) == []
    assert broken(against_sink(arrivals, {A: 3})) == []
    assert broken(of_answers([answered(), answered()], payments)) == []
    assert broken(of_endings([answered()], payments, ROLES)) == []


@pytest.mark.parametrize(
    ("payment", "charges", "found"),
    [
        (a_payment(), [A_CHARGE, ANOTHER], [("I1", A)]),
        (a_payment(state="FAILURE"), [A_CHARGE], [("I3", A)]),
        (a_payment(), [], [("I3", A)]),
        (a_payment(state="PROCESSING"), [], [("I2", A)]),
        (a_payment(state="PROCESSING"), [A_CHARGE], [("I3", A), ("I2", A)]),
        # Whether that was charged is what a person is asked; twice is wrong all the same.
        (a_payment(state="PROCESSING", in_review=True), [A_CHARGE], []),
        (a_payment(state="PROCESSING", in_review=True), [A_CHARGE, ANOTHER], [("I1", A)]),
    ],
)
def test_what_a_ledger_contradicts_is_found(
    payment: dict[str, Any], charges: list[Charge], found: list[tuple[str, str]]
) -> None:
    assert broken(against_ledgers([payment], charges)) == found


def test_a_charge_for_a_payment_that_we_do_not_have_is_found() -> None:
    assert broken(against_ledgers([], [A_CHARGE])) == [("I3", A)]


@pytest.mark.parametrize(
    ("arrivals", "found"),
    [
        (Arrivals([event_id(A, 1), event_id(A, 3)]), [("I5", A)]),
        (Arrivals([event_id(A, seq) for seq in (1, 3, 2)]), [("I5", A)]),
        (Arrivals([event_id(A, seq) for seq in (1, 2, 3)], forged=1), [("I5", "")]),
    ],
)
def test_webhooks_that_miss_are_late_or_forged_are_found(
    arrivals: Arrivals, found: list[tuple[str, str]]
) -> None:
    assert broken(against_sink(arrivals, {A: 3})) == found


def test_answers_that_contradict_each_other_or_the_database_are_found() -> None:
    two = [a_payment(), a_payment(B)]
    assert broken(of_answers([answered(), answered(payment_id=B)], two)) == [("I7", A)]
    assert broken(of_answers([answered()], [])) == [("I2", A)]
    assert broken(of_answers([answered(payment_id=None)], [])) == [("I2", "")]


def test_a_sale_that_a_crash_lost_is_found_and_one_that_no_gateway_takes_is_not() -> None:
    lost = a_payment(state="FAILURE", last_error={"code": "gateway_unavailable"})
    not_taken = a_payment(state="FAILURE", last_error={"code": "no_eligible_gateway"})
    assert broken(of_endings([answered()], [lost], ROLES)) == [("I3", A)]
    assert broken(of_endings([answered()], [not_taken], ROLES)) == []


def test_a_payment_that_a_hook_or_rule_stopped_has_ended_as_it_should_unless_it_went_on() -> None:
    blocked = a_payment(state="FAILURE", last_error={"code": "blocked"}, screened="block")
    went_on = a_payment(screened="block")
    demanded = a_payment(
        state="FAILURE", last_error={"code": "three_ds_unavailable"}, screened="require_three_ds"
    )
    assert broken(of_endings([answered()], [blocked], ROLES)) == []
    assert broken(of_endings([answered()], [went_on], ROLES)) == [("I3", A)]
    assert broken(of_endings([answered()], [demanded], ROLES)) == []


def test_a_request_that_a_hook_refused_is_no_lost_request_where_hooks_validate() -> None:
    refused = Answered(Order(PLAIN, "k", {}, repeated=False), None, "422 /amount: Not this one.")
    assert broken(of_answers([refused], [])) == [("I2", "")]
    assert broken(of_answers([refused], [], hooks_validate=True)) == []


def test_a_payer_who_could_not_act_in_time_excuses_the_end_of_a_payment_that_had_one() -> None:
    given_up = a_payment(state="FAILURE", last_error={"code": "payer_abandoned"})
    with_payer = Answered(Order("3-D Secure", "k", {}, repeated=False, payer="pass"), A)
    assert broken(of_endings([with_payer], [given_up], ROLES)) == []
    assert broken(of_endings([answered()], [given_up], ROLES)) == [("I3", A)]


@pytest.mark.parametrize(
    ("kills", "violations", "passed"),
    [(2, [], True), (0, [], False), (2, [Violation("I1", A, "charged twice", {"charges": 2})], False)],
)
def test_a_point_passes_when_somebody_died_there_and_nothing_is_wrong(
    kills: int, violations: list[Violation], passed: bool
) -> None:
    result = PointResult("job.claimed", kills=kills, payments=5, violations=violations)
    assert result.passed is passed
    (figures,) = json.loads(json.dumps(points_as_json([result])))["points"]
    assert (figures["name"], figures["kills"], figures["payments"]) == ("job.claimed", kills, 5)
    assert len(figures["violations"]) == len(violations)


def test_last_words_are_counted_from_now_on_across_a_log_that_is_turned_over(tmp_path: Path) -> None:
    log, words = tmp_path / "worker.log", f"{LAST_WORDS} job.claimed\n"
    log.write_text(words * 3 + "something\n")
    kills = Kills([log, tmp_path / "absent.log"], "job.claimed")
    assert kills.count() == 0
    with log.open("a") as out:
        out.write(words + f"{LAST_WORDS} job.locked\n" + words[:10])
    assert kills.count() == 1
    with log.open("a") as out:
        out.write(words[10:])
    assert kills.count() == 2
    log.write_text(words)
    assert kills.count() == 3


# --- The mix

GATEWAYS = ("sandbox_a", "sandbox_b")


def plan(seed: int, seconds: float = 600.0, asked: Sequence[str] = GATEWAYS) -> list[Fault]:
    return schedule(seed, seconds, gateways=GATEWAYS, asked=asked, lease_s=4.0)


@pytest.mark.parametrize("issuers", [[], [Issuer("stripe", frozenset({"card"}), frozenset({"USD"}))] * 2])
def test_each_lot_of_the_mix_has_a_payment_of_each_role(issuers: list[Issuer]) -> None:
    orders = cast(LOT, "1-0", "sandbox_a", ROLES, issuers)
    assert {order.role for order in orders} == {PLAIN, *(role.name for role in ROLES)}


def test_the_same_seed_gives_the_same_faults() -> None:
    assert plan(1) == plan(1) != plan(2)


@pytest.mark.parametrize("seed", range(5))
def test_ten_minutes_hold_every_kind_of_fault_and_end_in_quiet(seed: int) -> None:
    faults = plan(seed)
    assert {fault.kind for fault in plan(seed, 3600)} == {fault.kind for fault in faults}
    assert all(fault.at_s > 0 and fault.ends_s < 600 for fault in faults)
    assert {fault.target for fault in faults if fault.is_gateways} == set(GATEWAYS)


@pytest.mark.parametrize("ours", [True, False])
def test_faults_of_one_lane_do_not_overlap(ours: bool) -> None:
    lane = [fault for fault in plan(1) if fault.is_gateways is not ours]
    assert all(one.ends_s < other.at_s for one, other in pairwise(lane))


def test_what_only_a_gateway_can_tell_is_never_lost() -> None:
    lost = "gateway: its webhooks are lost"
    assert {fault.target for fault in plan(1, 3600, asked=["sandbox_b"]) if fault.kind == lost} == {
        "sandbox_b"
    }
    without = {fault.kind for fault in plan(1, 3600, asked=[])}
    assert {fault.kind for fault in plan(1, 3600)} - without == {lost}


def test_a_frozen_worker_outlasts_its_lease() -> None:
    frozen = [fault for fault in plan(1) if fault.kind == "freeze the worker past its lease"]
    assert frozen
    assert all(fault.lasts_s > 4.0 for fault in frozen)


def test_every_fault_ends_after_it_began() -> None:
    at_once = Fault(1.0, "flush Redis", 0.0)
    steps = in_time([Fault(1.0, "kill beat", 2.0), at_once])
    assert [(at_s, begins) for at_s, begins, _ in steps] == [
        (1.0, True),
        (1.0, True),
        (1.0, False),
        (3.0, False),
    ]
    assert [begins for _, begins, fault in steps if fault is at_once] == [True, False]


BEFORE = Baseline(4, 0, 0, 6, {"web": 13, "worker": 44, "beat": 6})


def test_what_is_back_at_its_baseline_is_no_leak() -> None:
    assert list(compare(BEFORE, BEFORE)) == []


@pytest.mark.parametrize(
    "after",
    [
        Baseline(40, 0, 0, 6, BEFORE.most_files),
        Baseline(4, 1, 0, 6, BEFORE.most_files),
        Baseline(4, 0, 1, 6, BEFORE.most_files),
        Baseline(4, 0, 0, 6, {"web": 13, "worker": 70, "beat": 6}),
    ],
)
def test_what_has_grown_for_good_is_a_leak(after: Baseline) -> None:
    assert broken(compare(BEFORE, after)) == [("I9", "")]
