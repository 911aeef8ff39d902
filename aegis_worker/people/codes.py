"""What people are given to show: welcome codes, recovery codes and session tokens. Only hashes of them are kept.

All are random, with 80 bits or more, so a fast hash is enough: nobody can guess them. They are looked up by their hash, so
that the time that a look-up takes reveals nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

RECOVERY_CODES = 10
_GROUP = 4
_RECOVERY_BYTES, _WELCOME_BYTES = 10, 15
_RECOVERY_FORM = re.compile(r"[A-Z2-7]{16}", re.ASCII)


def new_welcome_code() -> str:
    """A code of 120 bits that somebody types, or pastes, to choose a password: groups of four letters and digits."""
    return _readable(_WELCOME_BYTES)


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 bits, each good once in place of the authenticator's."""
    return [_readable(_RECOVERY_BYTES) for _ in range(RECOVERY_CODES)]


def new_token() -> str:
    """A session's token: 256 bits."""
    return secrets.token_urlsafe(32)


def is_recovery_code(text: str) -> bool:
    """Whether a text has the form of a recovery code, however its letters are grouped."""
    return _RECOVERY_FORM.fullmatch(_plain(text)) is not None


def code_hash(text: str) -> bytes:
    """The hash of a code that a person typed: groups and case don't count."""
    return hashlib.sha256(_plain(text).encode()).digest()


def token_hash(token: str) -> bytes:
    """The hash of a session's token."""
    return hashlib.sha256(token.encode()).digest()


def _readable(count: int) -> str:
    letters = base64.b32encode(secrets.token_bytes(count)).decode().rstrip("=")
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))


def _plain(text: str) -> str:
    return text.upper().replace("-", "").replace(" ", "")
