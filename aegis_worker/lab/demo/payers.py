"""Payers who have to act: they click a button on a page, solve a challenge in the shop's own page, or pay in Checkout."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import urllib3

from aegis_worker.errors import OperatorError
from aegis_worker.lab.local.emulated import emulated
from aegis_worker.strict_json import MalformedJson, parse

_TIMEOUT_S = 10.0
_MOST_AT_ONCE = 16
_FORM = re.compile(r'<form method="post" action="([^"]+)"')
# How the forms' addresses end, and what the library of a gateway calls it, by what the payer does.
_BUTTONS = {"pass": ("/pass", "/approve"), "fail": ("/fail", "/cancel")}
_RESULTS = {"pass": "passed", "fail": "failed"}
# Banks that have not spoken yet are waited for.
_WAITS_S, _LOOKS_AGAIN_S = 15.0, 0.2


class Payers:
    """Act in front of emulated gateways. `places`: the emulators' URLs by the gateways' names."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False, maxsize=_MOST_AT_ONCE)
        # What was brought back, by the order that was paid in Checkout.
        self._paid: dict[str, Mapping[str, Any]] = {}

    def act(
        self, action: Mapping[str, Any], gateway: str, does: str, token: str = ""
    ) -> Mapping[str, Any] | None:
        """Do what a payment's `next_action` asks for; `does` is `pass` or `fail`. Whoever acts again does the same.

        `token`: with what the payer pays, where the gateway asks for it. Returns what the shop hands on: empty
        where it only says that the payer is back, None where it says nothing. Raises OperatorError where the gateway does
        not answer as it should.
        """
        try:
            if emulated(gateway).checkout:
                return self._pay(action, gateway, does, token)
            return (self._solve if "data" in action else self._click)(action, gateway, does)
        except (urllib3.exceptions.HTTPError, UnicodeDecodeError, MalformedJson, KeyError) as error:
            raise OperatorError(f"a payer can't act at {gateway}: {error!r}") from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _click(self, action: Mapping[str, Any], gateway: str, does: str) -> Mapping[str, Any] | None:
        page = action["url"]
        shown = self._pool.request("GET", page).data.decode()
        button = next((form for form in _FORM.findall(shown) if form.endswith(_BUTTONS[does])), None)
        if button is None:
            raise OperatorError(f"the page of {gateway} has no button to {does}")
        # Where the payer goes on is the shop's, and here it has no pages.
        sent_on = self._pool.request("POST", urljoin(page, button), redirect=False)
        given = dict(parse_qsl(urlsplit(sent_on.headers.get("Location", "")).query))
        handed_on = emulated(gateway).handed_on
        return None if handed_on is None else {name: given[name] for name in handed_on & given.keys()}

    def _pay(self, action: Mapping[str, Any], gateway: str, does: str, token: str) -> Mapping[str, Any]:
        order_id, method = action["data"]["order_id"], action["data"]["notes"]["method"]
        if order_id not in self._paid:
            place = f"{self._places[gateway]}/checkout/{order_id}/pay"
            said = self._posted(place, {"method": method, **({"token": token} if token else {})})
            self._paid[order_id] = self._brought_back(said, does)
        return self._paid[order_id]

    def _brought_back(self, said: Mapping[str, Any], does: str) -> Mapping[str, Any]:
        """Go to the bank's page if there is one, and wait for the bank."""
        give_up_at = time.monotonic() + _WAITS_S
        while "next" in said and time.monotonic() < give_up_at:
            steps = {step["action"]: step["url"] for step in said["next"]}
            if "redirect" in steps:
                self._pool.request("POST", f"{steps['redirect']}/{does}")
            else:
                time.sleep(_LOOKS_AGAIN_S)
            said = parse(self._pool.request("GET", steps["poll"]).data)
        return dict(said)

    def _posted(self, place: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises OperatorError where Checkout says nothing of a payment, as when the gateway is away."""
        headers = {"Content-Type": "application/json"}
        answer = self._pool.request("POST", place, body=json.dumps(body), headers=headers)
        said = dict(parse(answer.data))
        if "error" in said and "payment_id" not in said["error"].get("metadata", {}):
            raise OperatorError(f"{place} answered {answer.status}: {said['error'].get('description')}")
        return said

    def _solve(self, action: Mapping[str, Any], gateway: str, does: str) -> Mapping[str, Any]:
        name = emulated(gateway).library
        secret = quote(action["data"][name], safe="")
        shown = self._pool.request("GET", f"{self._places[gateway]}/challenge?{name}={secret}").data
        return dict(parse(shown)[_RESULTS[does]])
