"""What is counted of a hook, and what its processes are given."""

from __future__ import annotations

from aegis_worker.hooks.counts import End, HookCounts, percentile_ms
from aegis_worker.hooks.environment import environment_for_hooks


def test_percentiles_are_the_bounds_below_which_so_many_calls_stayed() -> None:
    counts = HookCounts()
    for took_us in (*[300] * 90, *[40_000] * 9, 700_000):
        counts.count(End.ANSWERED, took_us)
    counts.count(End.REFUSED, 0)
    so_far = counts.so_far()
    assert [percentile_ms(so_far, percent) for percent in (50, 95, 100)] == [0.5, 50, 1000]
    assert (so_far["answered"], so_far["refused"]) == (100, 1)


def test_without_a_call_there_are_no_percentiles() -> None:
    assert percentile_ms(HookCounts().so_far(), 95) is None


def test_secrets_of_ours_are_kept_from_hooks_and_their_own_variables_are_not() -> None:
    kept = environment_for_hooks(
        {
            "AEGIS_SECRET": "s",
            "AEGIS_VAULT_KEYS": "k",
            "AEGIS_ENV": "production",
            "DATABASE_URL": "postgresql://",
            "REDIS_URL": "redis://",
            "PGPASSWORD": "p",
            "STRIPE_KEY": "sk_live",
            "OUR_SHOP_URL": "https://",
            "PATH": "/bin",
        },
        {"STRIPE_KEY"},
    )
    assert kept == {"AEGIS_ENV": "production", "OUR_SHOP_URL": "https://", "PATH": "/bin"}
