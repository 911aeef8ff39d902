"""The keys of a ring: from a setting, the one that every installation has without it, and those of the card vault."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aegis_worker.errors import ConfigurationError

_KEY_BYTES, _MOST_KEYS = 32, 16
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_DERIVED = "secret-"
_SETTING, _VAULT_SETTING = "AEGIS_SEALING_KEYS", "AEGIS_VAULT_KEYS"
_FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of 256 bits. Its id is no secret: it stands before everything that the key sealed."""

    id: str
    key: bytes = field(repr=False)


def sealing_keys(setting: str, secret: str) -> tuple[SealingKey, ...]:
    """The keys of AEGIS_SEALING_KEYS, then the one derived from AEGIS_SECRET, which seals only where there is no other.

    So what was sealed before the first key was set can still be opened. Raises ConfigurationError, which names no key.
    """
    keys = (*_given(_SETTING, setting), derived_key(secret))
    _check_unlike(_SETTING, keys)
    return keys


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The card vault's keys: `sealing`, the newest first, and the one that makes fingerprints, which never changes."""

    sealing: tuple[SealingKey, ...]
    fingerprint: SealingKey


def vault_keys(setting: str) -> VaultKeys:
    """The keys of AEGIS_VAULT_KEYS: ID:KEY for each, and fingerprint:KEY. Raises ConfigurationError, which names no key.

    Between them stands a comma, a space or a line break. Fingerprints have a key of their own, so that they stay the same
    when the sealing keys are exchanged.
    """
    keys = _given(_VAULT_SETTING, ",".join(setting.split()))
    _check_unlike(_VAULT_SETTING, keys)
    sealing = tuple(key for key in keys if key.id != _FINGERPRINT)
    if not sealing:
        raise ConfigurationError(f"{_VAULT_SETTING} holds no key that seals: {_form(_VAULT_SETTING)}")
    if len(sealing) == len(keys):
        raise ConfigurationError(
            f"{_VAULT_SETTING} lacks {_FINGERPRINT}:KEY, which makes the fingerprints of cards: make one, and never "
            "change it (openssl rand -base64 32)"
        )
    return VaultKeys(sealing, next(key for key in keys if key.id == _FINGERPRINT))


def derived_key(secret: str) -> SealingKey:
    """The key that follows from AEGIS_SECRET by HKDF-SHA-256 (RFC 5869), with an id that changes as the secret does."""
    key = HKDF(SHA256(), _KEY_BYTES, None, b"aegispay sealing key 1").derive(secret.encode())
    return SealingKey(_DERIVED + hashlib.sha256(b"id of " + key).hexdigest()[:8], key)


def _given(setting: str, text: str) -> tuple[SealingKey, ...]:
    given = tuple(_read(setting, entry.strip()) for entry in text.split(",") if entry.strip())
    if len(given) > _MOST_KEYS:
        raise ConfigurationError(f"{setting} holds more than {_MOST_KEYS} keys")
    return given


def _check_unlike(setting: str, keys: Sequence[SealingKey]) -> None:
    if len({key.id for key in keys}) < len(keys) or len({key.key for key in keys}) < len(keys):
        raise ConfigurationError(f"{setting} holds an id or a key twice")


def _form(setting: str) -> str:
    return f"{setting} must be ID:KEY,ID:KEY, the newest first"


def _read(setting: str, entry: str) -> SealingKey:
    id_, colon, text = entry.partition(":")
    if not colon or not _ID.fullmatch(id_):
        raise ConfigurationError(f"{_form(setting)}; an ID is 1 to 32 letters, digits, _ and -")
    if id_.startswith(_DERIVED):
        raise ConfigurationError(f"{setting}: ids that begin with {_DERIVED} are AegisPay's own")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            f"{setting}: the key {id_} must be {_KEY_BYTES} bytes in base64 (openssl rand -base64 32)"
        )
    return SealingKey(id_, key)
