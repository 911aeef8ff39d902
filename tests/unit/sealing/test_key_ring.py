"""Sealing: what is sealed can be opened at its own place, with a key of the ring, and in no other way."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.errors import CannotUnseal, ConfigurationError
from aegis_worker.sealing.keys import SealingKey, derived_key, sealing_keys
from aegis_worker.sealing.ring import KeyRing, key_id_of

SECRET = "s" * 32
OLD, NEW = SealingKey("2026a", b"a" * 32), SealingKey("2026b", b"b" * 32)


def written(key: SealingKey) -> str:
    return f"{key.id}:{base64.b64encode(key.key).decode()}"


@given(st.binary(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_what_was_sealed_is_opened_at_its_place(text: bytes, place: list[str]) -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.unseal(ring.seal(text, *place), *place) == text


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_no_other_place_opens_it(place: list[str], other: list[str]) -> None:
    ring = KeyRing([NEW])
    sealed = ring.seal(b"canary", *place)
    if place != other:
        with pytest.raises(CannotUnseal, match="another place"):
            ring.unseal(sealed, *other)


@given(st.data())
def test_one_changed_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    ring = KeyRing([NEW])
    sealed = bytearray(ring.seal(b"canary", "action_secrets", "pay_1"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CannotUnseal):
        ring.unseal(bytes(sealed), "action_secrets", "pay_1")


def test_the_same_text_is_sealed_differently_each_time_and_never_holds_it() -> None:
    ring = KeyRing([NEW])
    sealed = {ring.seal(b"canary", "t") for _ in range(100)}
    assert len(sealed) == 100
    assert not any(b"canary" in one for one in sealed)


def test_after_an_exchange_the_new_key_seals_and_the_old_one_still_opens() -> None:
    before = KeyRing(sealing_keys(written(OLD), SECRET))
    after = KeyRing(sealing_keys(f"{written(NEW)}, {written(OLD)}", SECRET))
    sealed = before.seal(b"canary", "t", "1")
    assert after.unseal(sealed, "t", "1") == b"canary"
    assert key_id_of(after.seal(b"canary", "t", "1")) == NEW.id
    gone = KeyRing(sealing_keys(written(NEW), SECRET))
    with pytest.raises(CannotUnseal, match="2026a"):
        gone.unseal(sealed, "t", "1")


def test_without_a_setting_the_secret_gives_the_key_and_goes_on_opening_once_there_is_one() -> None:
    sealed = KeyRing(sealing_keys("", SECRET)).seal(b"canary", "t")
    assert KeyRing(sealing_keys(written(NEW), SECRET)).unseal(sealed, "t") == b"canary"
    assert derived_key(SECRET) == derived_key(SECRET)
    assert derived_key(SECRET).id != derived_key("t" * 32).id
    assert SECRET.encode() not in derived_key(SECRET).key


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x02" + bytes(60), b"\x01\xff" + bytes(40), b"plain text"])
def test_what_is_no_sealed_text_is_refused(junk: bytes) -> None:
    with pytest.raises(CannotUnseal):
        KeyRing([NEW]).unseal(junk, "t")


@pytest.mark.parametrize(
    "setting",
    [
        "nokey",
        "a:short",
        "a:" + base64.b64encode(b"x" * 16).decode(),
        f"secret-1:{base64.b64encode(b'x' * 32).decode()}",
        f"{written(OLD)},{written(OLD)}",
        f"{written(OLD)},b:{base64.b64encode(OLD.key).decode()}",
        "a b:" + base64.b64encode(b"x" * 32).decode(),
        ",".join(f"k{n}:{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(1, 18)),
    ],
)
def test_a_setting_that_is_no_ring_is_refused_and_not_repeated(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_SEALING_KEYS") as refused:
        sealing_keys(setting, SECRET)
    assert setting.rpartition(":")[2] not in str(refused.value)


def test_a_key_hides_itself_where_it_may_be_logged() -> None:
    assert "aaaa" not in repr(OLD)
