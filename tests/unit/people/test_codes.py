"""Codes of authenticators, recovery codes, passwords and names: pure."""

from __future__ import annotations

import base64

import pytest

from aegis_worker.domain.people import is_user_name, may, principal
from aegis_worker.errors import CredentialRefused
from aegis_worker.people import codes, passwords, totp

# The secret and the last six digits of the codes of RFC 6238, appendix B, for SHA-1.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
]


@pytest.mark.parametrize(("now_s", "code"), RFC_CODES)
def test_codes_are_those_of_the_standard(now_s: int, code: str) -> None:
    assert totp.step_of(RFC_SECRET, code, now_s) == now_s // 30
    assert totp.step_of(RFC_SECRET, f"{code[:3]} {code[3:]}", now_s) == now_s // 30


@pytest.mark.parametrize(
    ("later_s", "is_taken"), [(-61, False), (-30, True), (0, True), (30, True), (60, False)]
)
def test_a_code_is_taken_a_period_early_or_late(later_s: int, is_taken: bool) -> None:
    code = totp.code_at(RFC_SECRET, 1111111110)
    assert (totp.step_of(RFC_SECRET, code, 1111111110 + later_s) == 1111111110 // 30) is is_taken


@pytest.mark.parametrize(
    "code",
    ["", "------", "12345", "1234567", "\uff12\uff18\uff17\uff10\uff18\uff12", "28708\u0662", "a" * 5000],
)
def test_what_is_no_code_is_not_taken(code: str) -> None:
    assert totp.step_of(RFC_SECRET, code, 59) is None


def test_recovery_codes_differ_and_have_80_bits_each() -> None:
    made = codes.new_recovery_codes()
    assert len(set(made)) == codes.RECOVERY_CODES
    assert all(len(base64.b32decode(one.replace("-", ""))) == 10 for one in made)
    assert all(codes.is_recovery_code(one.lower()) for one in made)
    assert len(codes.new_welcome_code().replace("-", "")) == 24


@pytest.mark.parametrize(
    "password", ["", "short", "eleven char", "a" * 257, "ada lovelace is the one", "aaaaaaaaaaaaaaaa"]
)
def test_a_password_that_is_no_good_is_refused(password: str) -> None:
    with pytest.raises(CredentialRefused):
        passwords.hashed(password, "ada")


def test_a_password_is_right_however_its_letters_are_composed() -> None:
    stored = passwords.hashed("cafe\u0301 at the corner", "ada")
    assert passwords.is_right("café at the corner", stored)
    assert not passwords.is_right("cafe at the corner", stored)
    assert not passwords.is_outdated(stored)
    assert stored.startswith("$argon2id$")
    assert not passwords.is_right("café at the corner", None)
    assert not passwords.is_right("café at the corner", "no hash at all")


@pytest.mark.parametrize("name", ["ada", "a", "ada.l-2_x", "0x"])
def test_a_name_has_one_spelling(name: str) -> None:
    assert is_user_name(name)


@pytest.mark.parametrize(
    "name", ["", "Ada", "\u0430da", "-ada", "ada-", "a" * 33, "ada lovelace", "ada\n", "ada:x"]
)
def test_what_could_pass_for_another_name_is_none(name: str) -> None:
    assert not is_user_name(name)


def test_each_role_may_do_what_those_before_it_may() -> None:
    assert may("admin", "operator")
    assert may("operator", "operator")
    assert not may("viewer", "operator")


def test_a_key_is_one_person_whatever_its_label_says() -> None:
    assert principal("key_0199a7 (console:ada)") == principal("key_0199a7 (night)") == "key_0199a7"
    assert principal("console:ada") != principal("cli:ada")
