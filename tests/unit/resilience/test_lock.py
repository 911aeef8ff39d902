"""The lock's Lua: safe to repeat, and nobody's but its holder's."""

from __future__ import annotations

import fakeredis

from aegis_worker.resilience.lock import PaymentLocks


def two_workers():
    redis = fakeredis.FakeRedis()
    return PaymentLocks(redis, token="one"), PaymentLocks(redis, token="two"), redis


def test_a_lock_is_granted_to_one_worker():
    one, two, _ = two_workers()
    assert one.acquire(["p1", "p2"], ttl_ms=1000) == {"p1", "p2"}
    assert two.acquire(["p2", "p3"], ttl_ms=1000) == {"p3"}


def test_asking_again_for_what_is_held_is_granted():
    one, _, _ = two_workers()
    one.acquire(["p1"], ttl_ms=1000)
    assert one.acquire(["p1"], ttl_ms=1000) == {"p1"}


def test_only_the_holder_releases():
    one, two, _ = two_workers()
    one.acquire(["p1"], ttl_ms=1000)
    two.release(["p1"])
    assert two.acquire(["p1"], ttl_ms=1000) == set()
    one.release(["p1"])
    assert two.acquire(["p1"], ttl_ms=1000) == {"p1"}


def test_a_lock_ends_by_itself():
    one, _, redis = two_workers()
    one.acquire(["p1"], ttl_ms=1500)
    assert 0 < redis.pttl("aegis:lock:p1") <= 1500
