"""Passwords: Argon2id (RFC 9106), and the same work whether or not there is somebody of a name."""

from __future__ import annotations

import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aegis_worker.errors import CredentialRefused

SHORTEST, LONGEST = 12, 256
# 32 MiB, three passes, one lane: above what OWASP asks for (19 MiB, two passes). A process has few places for those
# who are not logged in yet, so logins take no more memory than these together.
_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)


def hashed(password: str, name: str) -> str:
    """The hash of a new password. Raises CredentialRefused for one that is too short, too long or holds the name."""
    password = _one_form(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise CredentialRefused(
            f"a password has {SHORTEST} to {LONGEST} characters; several words make a good one"
        )
    if len(name) > 2 and name in password.lower():
        raise CredentialRefused("a password does not hold the name of its owner")
    if len(set(password)) < 5:
        raise CredentialRefused("a password has five different characters at the least")
    return _HASHER.hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Whether the password is the one of this hash. None, for nobody, takes as long and is never right."""
    try:
        is_verified = _HASHER.verify(stored or _nobodys(), _one_form(password)[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return is_verified and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def rehashed(password: str) -> str:
    """The hash of a password that was just found right, with today's parameters."""
    return _HASHER.hash(_one_form(password))


def _one_form(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))
