"""`aegis emulator` as a process, and a shop that speaks to each of its gateways in plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.parsers.expat import ExpatError

from braintree.util.xml_util import XmlUtil

from aegis_worker.emulator.wire_formats import WIRE_FORMATS
from aegis_worker.lab.embedded.processes import Processes
from support.braintree_process import BRAINTREE_MERCHANT

_TIMEOUT_S = 20.0
AMOUNT = 1999


@dataclass(frozen=True)
class Seen:
    """What a caller saw of a call. `how`: answer, dropped, reset, or broken off in the middle of the body."""

    how: str
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The parsed body, of XML what stands in its root; None where it is neither."""
        try:
            if self.body.startswith(b"<?xml"):
                (root,) = XmlUtil.dict_from_xml(self.body.decode()).values()
                return root
            return json.loads(self.body)
        except (ValueError, ExpatError):
            return None


@dataclass(frozen=True)
class Call:
    """One call of a wire format."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Paid:
    """A charge that was asked for: under which reference, and what the caller saw."""

    reference: str
    seen: Seen


class Emulated:
    """One gateway of a running `aegis emulator`."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.name, self.url, self.secret = facts["gateway"], facts["base_url"], facts["webhook_secret"]
        self._credentials = WIRE_FORMATS[self.name].credentials(facts["api_key"])
        self._shop = _SHOPS[self.name]()

    def call(self, call: Call, **more: str) -> Seen:
        """Make it with the right key. `emulator_script="drop"` becomes the header Emulator-Script."""
        named = {name.replace("_", "-"): value for name, value in more.items() if value}
        headers = {**self._credentials, **call.headers, **named}
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT_S)
        try:
            connection.request(call.method, call.path, call.body or None, headers)
            answer = connection.getresponse()
            shown = {name.lower(): value for name, value in answer.getheaders()}
            return Seen("answer", answer.status, answer.read(), shown)
        except http.client.RemoteDisconnected:
            return Seen("dropped")
        except http.client.IncompleteRead as error:
            return Seen("broken off", body=error.partial)
        except ConnectionResetError:
            return Seen("reset")
        finally:
            connection.close()

    def charge(
        self,
        *,
        script: str = "",
        token: str = "tok_ok",
        held: bool = False,
        reference: str = "",
        key: str = "",
    ) -> Paid:
        """One charge, of what is only held until it is captured where it is `held`."""
        reference = reference or uuid.uuid4().hex
        call = self._shop.charge(reference, key or uuid.uuid4().hex, token, held, self)
        return Paid(reference, self.call(call, emulator_script=script))

    def do(self, operation: str, reference: str, *, script: str = "") -> Seen:
        """Capture, refund, void or look up the payment under this reference."""
        row = self.booked(reference)[0]
        call = self._shop.later(operation, row, self)
        return self.call(call, emulator_script=script)

    def settle(self, reference: str) -> None:
        """Have what was charged settle at once, where the gateway takes its time, and tells of that only."""
        if self.name == "braintree":
            row = self.booked(reference)[0]
            self.call(self._shop.later("settle", row, self))

    def control(self, method: str, path: str, body: bytes | Mapping[str, Any] = b"", **headers: str) -> Seen:
        """A call of the emulator's own endpoints."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call(Call(method, f"/_sandbox/{path}", raw), **headers)

    def booked(self, reference: str) -> list[dict[str, Any]]:
        """The ledger's rows under this reference, with all that is due carried out."""
        rows: list[dict[str, Any]] = self.control("GET", f"ledger?reference={reference}").json["charges"]
        return rows


class _Sandbox:
    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        body = {
            "reference": reference,
            "amount": AMOUNT,
            "currency": "USD",
            "capture_method": "manual" if held else "automatic",
            "payment_method": {"type": "card", "token": token},
        }
        return _json("/v1/charges", body, {"Idempotency-Key": key})

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        path = f"/v1/payments/{row['payment_id']}"
        return Call("GET", path) if operation == "look_up" else _json(f"{path}/{operation}", {}, {})


class _Stripe:
    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        form = {
            "amount": AMOUNT,
            "currency": "usd",
            "confirm": "true",
            "capture_method": "manual" if held else "automatic",
            "payment_method": f"pm_{token.removeprefix('tok_')}",
            "return_url": "https://shop.test/back",
            "metadata[reference]": reference,
        }
        return self._form(
            "/v1/payment_intents", form, {"Idempotency-Key": key, "Stripe-Account": "acct_shop"}
        )

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        intent, ours = row["payment_id"], {"Stripe-Account": "acct_shop"}
        if operation == "look_up":
            return Call("GET", f"/v1/payment_intents/{intent}", headers=ours)
        if operation == "refund":
            return self._form("/v1/refunds", {"payment_intent": intent}, ours)
        action = {"void": "cancel"}.get(operation, operation)
        return self._form(f"/v1/payment_intents/{intent}/{action}", {}, ours)

    def _form(self, path: str, form: Mapping[str, Any], headers: Mapping[str, str]) -> Call:
        named = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        return Call("POST", path, urlencode(form).encode(), named)


class _Adyen:
    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        body = {
            "merchantAccount": "ShopECOM",
            "amount": {"value": AMOUNT, "currency": "USD"},
            "reference": reference,
            "returnUrl": "https://shop.test/back",
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": token},
            **({"additionalData": {"manualCapture": "true"}} if held else {}),
        }
        return _json("/v71/payments", body, {"Idempotency-Key": key})

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        body: dict[str, Any] = {"merchantAccount": "ShopECOM", "reference": row["reference"]}
        if operation != "void":
            body["amount"] = {"value": AMOUNT, "currency": "USD"}
        action = {"void": "cancels"}.get(operation, f"{operation}s")
        return _json(f"/v71/payments/{row['payment_id']}/{action}", body, {})


class _PayPal:
    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        unit = {"amount": {"currency_code": "USD", "value": "19.99"}, "invoice_id": reference}
        body = {
            "intent": "AUTHORIZE" if held else "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"card": {"vault_id": token}},
        }
        headers = {"PayPal-Request-Id": key, "Prefer": "return=representation"}
        return _json("/v2/checkout/orders", body, headers)

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        order = Call("GET", f"/v2/checkout/orders/{row['payment_id']}")
        if operation == "look_up":
            return order
        made = at.call(order).json["purchase_units"][0]["payments"]
        headers = {"PayPal-Request-Id": uuid.uuid4().hex}
        if operation == "refund":
            return _json(f"/v2/payments/captures/{made['captures'][0]['id']}/refund", {}, headers)
        return _json(
            f"/v2/payments/authorizations/{made['authorizations'][0]['id']}/{operation}", {}, headers
        )


class _Braintree:
    _merchant = f"/merchants/{BRAINTREE_MERCHANT}"

    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        sale = {
            "type": "sale",
            "amount": "19.99",
            "api_request_key": key,
            "payment_method_token": token,
            "order_id": reference,
            "options": {"submit_for_settlement": not held},
        }
        return self._xml("POST", "/transactions", {"transaction": sale})

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        path = f"/transactions/{row['payment_id']}"
        if operation == "look_up":
            return Call("GET", f"{self._merchant}{path}")
        if operation == "refund":
            at.settle(row["reference"])
            return self._xml("POST", f"{path}/refund", {"transaction": {}})
        return Call("PUT", f"{self._merchant}{path}/{_OF_BRAINTREE[operation]}")

    def _xml(self, method: str, path: str, body: Mapping[str, Any]) -> Call:
        raw = XmlUtil.xml_from_dict(body).encode()
        return Call(method, f"{self._merchant}{path}", raw, {"Content-Type": "application/xml"})


_OF_BRAINTREE = {"capture": "submit_for_settlement", "settle": "settle", "void": "void"}


class _Razorpay:
    def charge(self, reference: str, key: str, token: str, held: bool, at: Emulated) -> Call:
        """The payer pays an order, which has to be there first."""
        body = {
            "amount": AMOUNT,
            "currency": "USD",
            "receipt": reference,
            "notes": {"reference": reference},
            "payment_capture": not held,
            "unique_receipt": True,
        }
        order = _json("/v1/orders", body, {})
        made = at.call(order)
        if made.status != 200:
            return order
        return _json(f"/checkout/{made.json['id']}/pay", {"method": "card", "token": token}, {})

    def later(self, operation: str, row: Mapping[str, Any], at: Emulated) -> Call:
        path = f"/v1/payments/{row['payment_id']}"
        if operation == "look_up":
            return Call("GET", path)
        body = {"amount": AMOUNT, "currency": "USD"} if operation == "capture" else {}
        return _json(f"{path}/{operation}", body, {})


def _json(path: str, body: object, headers: Mapping[str, str]) -> Call:
    return Call("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


_SHOPS: dict[str, Callable[[], Any]] = {
    "sandbox": _Sandbox,
    "stripe": _Stripe,
    "adyen": _Adyen,
    "paypal": _PayPal,
    "braintree": _Braintree,
    "razorpay": _Razorpay,
}


@dataclass(frozen=True)
class RunningEmulator:
    """A running `aegis emulator`, by gateway, and its overview."""

    overview: str
    gateways: Mapping[str, Emulated]
    stop: Callable[[], int]


@contextmanager
def running_emulator(folder: Path, *flags: str) -> Iterator[RunningEmulator]:
    """`aegis emulator` with its ledgers in `folder`, stopped at the end."""
    ready = folder / "ready.json"
    argv = [sys.executable, "-c", "from aegis_worker.cli import main; main()", "emulator"]
    argv += ["--ledger", str(folder), "--ready-file", str(ready), *flags]
    with Processes() as processes:
        processes.start(
            "emulator", argv, env=dict(os.environ), log_path=folder / "emulator.log", ready=ready.exists
        )
        shown = json.loads(ready.read_text())
        gateways = {facts["gateway"]: Emulated(facts) for facts in shown["gateways"]}
        yield RunningEmulator(shown["overview"], gateways, lambda: processes.stop("emulator"))
