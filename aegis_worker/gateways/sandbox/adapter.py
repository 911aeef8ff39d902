"""The adapter of the sandbox gateway (aegis_worker/emulator), written as for anybody's gateway."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from aegis_worker.domain.outcomes import Lookup, NotFound, Operation, Outcome, Unknown
from aegis_worker.errors import ConfigurationError, InvalidWebhook

from ..base import Capabilities, GatewayConfig, GatewayEvent, GatewayRequest, Health, StatusQuery
from ..http_client import Answer, HttpClient
from ..reading import Unreadable
from .answers import DECLINE_CODES, IDENTITY, among, event_of, found_or_not, lookup, outcome
from .payment import VERBS

SIGNATURE_HEADER = "Sandbox-Signature"
SIGNATURE_AGE_S = 300
_LONGEST_TIME = 12  # digits of seconds
# Where a payment's first call goes; later calls go to the payment that it made.
_FIRST_CALLS = {
    Operation.INITIATE: "/v1/payments",
    Operation.AUTHENTICATE: "/v1/authentications",
    Operation.PROCESS: "/v1/charges",
}
_INSTRUMENTS = {
    "card": "token",
    "upi": "vpa",
    "net_banking": "bank_code",
    "wallet": "provider",
    "pay_later": "provider",
}
# Nobody listens on port 1: the kernel refuses what is sent there, which is what `tok_refused` asks for.
_REFUSING_URL = "http://127.0.0.1:1"


class SandboxGateway:
    """One sandbox instance. Options: `steps`, `key_lifetime_s` (0: it has no keys), `absence_window_s`."""

    decline_codes: ClassVar[Mapping[str, str]] = DECLINE_CODES

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config
        self.capabilities = _capabilities(config)
        headers = {"Authorization": f"Bearer {config.api_key}", "Content-Type": "application/json"}
        self._http = self._client(config.base_url, headers)
        self._refusing = self._client(_REFUSING_URL, {})

    def _client(self, base_url: str, headers: Mapping[str, str]) -> HttpClient:
        return HttpClient(
            base_url,
            connect_timeout_s=self.config.connect_timeout_s,
            timeout_s=self.config.timeout_s,
            max_connections=self.config.max_connections,
            headers=headers,
        )

    def initiate(self, request: GatewayRequest) -> Outcome:
        """Create the payment without moving money."""
        return self._post(request)

    def authenticate(self, request: GatewayRequest) -> Outcome:
        """Have the payer accepted, on a new payment where there is none yet."""
        return self._post(request)

    def process(self, request: GatewayRequest) -> Outcome:
        """Charge or authorize, on a new payment where there is none yet."""
        return self._post(request)

    def capture(self, request: GatewayRequest) -> Outcome:
        """Capture; the rest of the authorization is released."""
        return self._post(request)

    def void(self, request: GatewayRequest) -> Outcome:
        """Release the whole authorization."""
        return self._post(request)

    def refund(self, request: GatewayRequest) -> Outcome:
        """Refund; several partial refunds are allowed."""
        return self._post(request)

    def _post(self, request: GatewayRequest) -> Outcome:
        if request.gateway_ref is None:
            path, body = _FIRST_CALLS[request.operation], _new_payment(request)
        else:
            path = f"/v1/payments/{quote(request.gateway_ref, safe='')}/{VERBS[request.operation]}"
            body = {"reference": request.idempotency_key}
            if request.operation in (Operation.CAPTURE, Operation.REFUND):
                body["amount"] = request.amount.minor
        http = self._refusing if self._asks_for_refusal(request) else self._http
        key = {"Idempotency-Key": request.idempotency_key}
        answer = http.send("POST", path, json.dumps(body).encode(), key)
        return outcome(request, answer) if isinstance(answer, Answer) else answer

    def _asks_for_refusal(self, request: GatewayRequest) -> bool:
        token = request.payment_method.get("token")
        return token in ("tok_refused", f"tok_refused_at_{self.config.name}")

    def get_status(self, query: StatusQuery) -> Lookup:
        """By the gateway's id."""
        found = self._get(f"/v1/payments/{quote(query.gateway_ref or '', safe='')}", query)
        return lookup(query, found) if isinstance(found, dict) else found

    def find_by_reference(self, query: StatusQuery) -> Lookup:
        """By our reference. Of several payments under one reference, the one that got furthest."""
        found = self._get(f"/v1/payments?reference={quote(query.reference, safe='')}", query)
        return among(query, found) if isinstance(found, dict) else found

    def _get(self, path: str, query: StatusQuery) -> dict[str, Any] | Unknown | NotFound:
        answer = self._http.send("GET", path)
        if not isinstance(answer, Answer):
            return answer if isinstance(answer, Unknown) else Unknown(answer.reason)
        return found_or_not(query, answer)

    def health_check(self) -> Health:
        """GET /healthz."""
        started = time.monotonic()
        answer = self._http.send("GET", "/healthz")
        latency_ms = round((time.monotonic() - started) * 1000)
        if not isinstance(answer, Answer):
            return Health(False, latency_ms, answer.reason)
        return Health(answer.status == 200, latency_ms, f"HTTP {answer.status}")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> GatewayEvent:
        """`Sandbox-Signature: t=<s since 1970>,v1=<hex HMAC-SHA-256 of "t.body">`, at most SIGNATURE_AGE_S old."""
        given = next(
            (value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER.lower()), ""
        )
        _check_signature(self.config.webhook_secret, given, body)
        try:
            return event_of(body)
        except Unreadable as problem:
            raise InvalidWebhook(f"not a sandbox event: {problem}") from problem

    def close(self) -> None:
        """Close kept-alive connections."""
        self._http.close()
        self._refusing.close()


def _capabilities(config: GatewayConfig) -> Capabilities:
    where = f"gateways.{config.name}.options"
    unknown = set(config.options) - {"steps", "key_lifetime_s", "absence_window_s"}
    if unknown:
        raise ConfigurationError(f"{where}: unknown option {', '.join(sorted(unknown))}")
    wanted = config.options.get("steps", ["process"])
    steps = tuple(step for step in _FIRST_CALLS if isinstance(wanted, list) and step in wanted)
    if list(steps) != wanted or Operation.PROCESS not in steps:
        raise ConfigurationError(
            f"{where}.steps: out of {', '.join(_FIRST_CALLS)}, in this order, with process"
        )
    return Capabilities(
        steps=steps,
        key_lifetime_s=_seconds(where, config, "key_lifetime_s", 86_400),
        absence_window_s=_seconds(where, config, "absence_window_s", 120),
        identity=IDENTITY,
    )


def _seconds(where: str, config: GatewayConfig, option: str, default: float) -> float:
    value = config.options.get(option, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigurationError(f"{where}.{option}: must be a number of seconds, 0 or more")
    return value


def _new_payment(request: GatewayRequest) -> dict[str, Any]:
    method = request.payment_method
    instrument = _INSTRUMENTS[method["type"]]
    body = {
        "reference": request.idempotency_key,
        "amount": request.amount.minor,
        "currency": request.amount.currency,
        "capture_method": "automatic" if request.capture else "manual",
        "payment_method": {"type": method["type"], instrument: method[instrument]},
        "metadata": {"merchant_payment_id": request.payment_id},
    }
    optional = {
        "customer": request.customer_id,
        "description": request.description,
        "return_url": request.return_url,
    }
    return body | {name: value for name, value in optional.items() if value}


def _check_signature(secret: str, given: str, body: bytes) -> None:
    pairs = [part.split("=", 1) for part in given.split(",") if "=" in part]
    parts = dict(pairs)
    timestamp = parts.get("t", "")
    # A header that came twice says two things.
    if not secret or len(parts) != len(pairs) or not timestamp.isdecimal() or len(timestamp) > _LONGEST_TIME:
        raise InvalidWebhook("no usable signature")
    expected = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()):
        raise InvalidWebhook("wrong signature")
    if abs(time.time() - int(timestamp)) > SIGNATURE_AGE_S:
        raise InvalidWebhook("signature too old")
