"""The keys of the ring: from a setting, and the one that every installation has without it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aegis_worker.errors import ConfigurationError

_KEY_BYTES, _MOST_KEYS = 32, 16
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_DERIVED = "secret-"
_FORM = "AEGIS_SEALING_KEYS must be ID:KEY,ID:KEY, the newest first"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of 256 bits. Its id is no secret: it stands before everything that the key sealed."""

    id: str
    key: bytes = field(repr=False)


def sealing_keys(setting: str, secret: str) -> tuple[SealingKey, ...]:
    """The keys of AEGIS_SEALING_KEYS, then the one derived from AEGIS_SECRET, which seals only where there is no other.

    So what was sealed before the first key was set can still be opened. Raises ConfigurationError, which names no key.
    """
    given = tuple(_read(entry.strip()) for entry in setting.split(",") if entry.strip())
    if len(given) > _MOST_KEYS:
        raise ConfigurationError(f"AEGIS_SEALING_KEYS holds more than {_MOST_KEYS} keys")
    keys = (*given, derived_key(secret))
    if len({key.id for key in keys}) < len(keys) or len({key.key for key in keys}) < len(keys):
        raise ConfigurationError("AEGIS_SEALING_KEYS holds an id or a key twice")
    return keys


def derived_key(secret: str) -> SealingKey:
    """The key that follows from AEGIS_SECRET by HKDF-SHA-256 (RFC 5869), with an id that changes as the secret does."""
    key = HKDF(SHA256(), _KEY_BYTES, None, b"aegispay sealing key 1").derive(secret.encode())
    return SealingKey(_DERIVED + hashlib.sha256(b"id of " + key).hexdigest()[:8], key)


def _read(entry: str) -> SealingKey:
    id_, colon, text = entry.partition(":")
    if not colon or not _ID.fullmatch(id_):
        raise ConfigurationError(f"{_FORM}; an ID is 1 to 32 letters, digits, _ and -")
    if id_.startswith(_DERIVED):
        raise ConfigurationError(f"AEGIS_SEALING_KEYS: ids that begin with {_DERIVED} are AegisPay's own")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            f"AEGIS_SEALING_KEYS: the key {id_} must be {_KEY_BYTES} bytes in base64 (openssl rand -base64 32)"
        )
    return SealingKey(id_, key)
