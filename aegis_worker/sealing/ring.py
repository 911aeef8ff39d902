"""The key ring: seals with its newest key, and opens what any of its keys sealed.

A sealed text is AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. One byte of version, one of length and the
key's id come first, so that whoever exchanges keys can see which of them are still in use. The place that a text is
sealed for, such as its table and row, is associated data: copied to another row, it can't be opened.

With random nonces a key is good for 2^32 texts (section 8.3 there): exchange it long before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aegis_worker.errors import CannotUnseal

from .keys import SealingKey

_VERSION, _NONCE_BYTES, _TAG_BYTES = 1, 12, 16


class KeyRing:
    """Keys by their ids; the first seals. Safe from several threads."""

    def __init__(self, keys: Sequence[SealingKey], setting: str = "AEGIS_SEALING_KEYS") -> None:
        """`setting`: where the keys come from, for whoever has to put a missing one back."""
        self._newest, self._setting = keys[0].id, setting
        self._ciphers = {key.id: AESGCM(key.key) for key in keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that seals first."""
        return tuple(self._ciphers)

    def seal(self, text: bytes, *place: str) -> bytes:
        """`text`, encrypted, to be opened for this place only."""
        header = bytes((_VERSION, len(self._newest))) + self._newest.encode()
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._ciphers[self._newest].encrypt(nonce, text, _associated(header, place))

    def unseal(self, sealed: bytes, *place: str) -> bytes:
        """What was sealed for this place. Raises CannotUnseal."""
        key_id = key_id_of(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CannotUnseal(f"sealed with the key {key_id!r}, which {self._setting} does not hold")
        begin = 2 + len(key_id)
        header, nonce = sealed[:begin], sealed[begin : begin + _NONCE_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[begin + _NONCE_BYTES :], _associated(header, place))
        except InvalidTag:
            raise CannotUnseal(
                f"what was sealed with the key {key_id!r} was changed, was sealed for another place than "
                f"{'/'.join(place)}, or that key's id has another key now"
            ) from None


def key_id_of(sealed: bytes) -> str:
    """The id of the key that sealed this. Raises CannotUnseal for what is no sealed text."""
    if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1] + _NONCE_BYTES + _TAG_BYTES:
        raise CannotUnseal("this is no sealed text, or of a version that this code does not know")
    return sealed[2 : 2 + sealed[1]].decode("ascii", "replace")


def _associated(header: bytes, place: Sequence[str]) -> bytes:
    """Header and place as one text that no other header and place have: each part with its length before it."""
    parts = (header, *(part.encode() for part in place))
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
