"""Patterns: which are taken, which are refused and why, and that none of them can hold up a worker."""

from __future__ import annotations

import re

import pytest

from aegis_worker.matching.patterns import LONGEST_VALUE, matcher


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("gold|silver", "silver"),
        ("[a-z]{2,10}-?[0-9]*", "ab-12"),
        (".*gold.*", "the gold plan"),
        ("(?:ab)*", "abab"),
        ("^m_[^_]+$", "m_1"),
        ("(red|blue){1,3}", "redblue"),
        ("a?" * 16 + "a" * 16, "a" * 16),
    ],
)
def test_common_patterns_are_taken(pattern, value):
    assert matcher(pattern)(value)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)a", "invalid perl operator"),
        ("(?!a)b", "invalid perl operator"),
        ("(?<!a)b", "invalid perl operator"),
        ("(a)?(?(1)b|c)", "invalid perl operator"),
        ("(?>a+)b", "invalid perl operator"),
        ("a++b", "bad repetition operator"),
        ("a{,5}", "write {0,n}"),
        (r"(?:\pL?){1000}", "pattern too large"),
        ("(?:(?:a{100}){100}){100}", "invalid repetition size"),
        ("a" * 201, "1 to 200 characters"),
        ("", "1 to 200 characters"),
        ("*", "no argument for repetition"),
    ],
)
def test_a_pattern_that_can_not_be_matched_in_linear_time_or_means_something_else_is_refused(
    pattern, complaint, capfd
):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        matcher(pattern)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:a|.){257}|b)",
        "(a+)+b",
        "(a|a)*b",
        "(?:a|ab)*?c",
        "(.*)*b",
        "(?:(?:){30}){30}b",
        ".*a" * 60 + "b",
        "(?:a?){500}b",
        "a?" * 99 + "b",
        "(?i)(?:a|A|[aA]|.)+b",
        "(?:|a|aa|aaa)+b",
        "(?:(?:(?:a*)*)*)*b",
        "(?:(?:a{1,9}){1,9}){1,9}b",
    ],
)
@pytest.mark.parametrize("value", ["a" * LONGEST_VALUE, "aA" * (LONGEST_VALUE // 2), "ä" * LONGEST_VALUE])
def test_no_pattern_that_is_taken_holds_a_worker_up(pattern, value):
    """The backtracking engine would need longer than anybody waits for each of them."""
    assert not matcher(pattern)(value)


def test_a_value_that_is_no_valid_unicode_matches_nothing_and_raises_nothing():
    assert not matcher("[a-z]+")("\ud800")
