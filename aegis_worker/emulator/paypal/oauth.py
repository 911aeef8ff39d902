"""Access tokens of client credentials: developer.paypal.com/api/rest/authentication. They end with the process."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from ..replies import Reply, json_reply

LIVES_S = 32_400
_MOST_TOKENS = 1000
_SCOPE = "https://uri.paypal.com/services/payments/payment/authcapture https://uri.paypal.com/services/payments/refund"


class AccessTokens:
    """The tokens that were given out. Safe from several threads. `credentials`: CLIENT_ID:SECRET."""

    def __init__(self, credentials: str) -> None:
        self._credentials = credentials
        self._lives_s: float = LIVES_S
        self._expire_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def grant(self, authorization: str, raw: bytes) -> Reply:
        """The answer to `POST /v1/oauth2/token`."""
        if _basic(authorization) != self._credentials:
            return _error(401, "invalid_client", "Client Authentication failed")
        if dict(parse_qsl(raw.decode("latin-1"))).get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type", "unsupported grant_type")
        token = f"A21AA{secrets.token_urlsafe(48)}"
        with self._lock:
            lives_s = self._lives_s
            self._expire_at[token] = time.monotonic() + lives_s
            while len(self._expire_at) > _MOST_TOKENS:
                del self._expire_at[next(iter(self._expire_at))]
        return json_reply(
            200,
            {
                "scope": _SCOPE,
                "access_token": token,
                "token_type": "Bearer",
                "app_id": "APP-80W284485P519543T",
                "expires_in": int(lives_s),
                "nonce": secrets.token_urlsafe(32),
            },
        )

    def knows(self, authorization: str) -> bool:
        """Whether the header has a token that holds, or the client's own credentials."""
        if _basic(authorization) == self._credentials:
            return True
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            return scheme.lower() == "bearer" and self._expire_at.get(token, 0.0) > time.monotonic()

    def control(self, raw: bytes) -> Reply:
        """`{"revoke": true}`: no token that was given out holds any more. `{"expires_in": s}`: so long new ones live."""
        wanted: Mapping[str, Any] = json.loads(raw or b"{}")
        lives_s = wanted.get("expires_in", LIVES_S)
        if not 0 <= lives_s <= LIVES_S:
            raise ValueError(f"expires_in: expected 0 to {LIVES_S}")
        with self._lock:
            self._lives_s = lives_s
            if wanted.get("revoke", False):
                self._expire_at.clear()
        return json_reply(200, {"expires_in": lives_s})


def _basic(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    try:
        return base64.b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _error(status: int, error: str, description: str) -> Reply:
    return json_reply(status, {"error": error, "error_description": description})
