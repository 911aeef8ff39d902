"""Payers who act in the shop's own frontend, and the shop that hands on what they bring back."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.lab.demo.cast import Order
from aegis_worker.strict_json import MalformedJson, parse
from aegis_worker.terminal.api import Api, NotAnswered

# Nobody acts for these before the installation gives them up.
ABANDONED = ("tok_3ds_120",)
TOKENS = ("tok_sdk_120", "tok_sdk_120_then_drop", "tok_sdk_120_then_drop_nocharge_once")
_LOOK_AGAIN_S, _TIMEOUT_S = 0.2, 2.0


class Payers:
    """Acts for the payers of orders whose gateway wants it. `places`: the sandboxes' URLs, by name."""

    def __init__(self, api: Api, places: Mapping[str, str], stopping: threading.Event) -> None:
        self._api, self._places, self._stopping = api, places, stopping
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)

    def act_for(self, order: Order, payment_id: str, *, within_s: float) -> None:
        """See to it that the payment is confirmed, once it waits for its payer; whoever asks again uses the same key."""
        if order.body["payment_method"].get("token") not in TOKENS:
            return
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at and not self._stopping.is_set():
            if self._is_done(payment_id):
                return
            self._stopping.wait(_LOOK_AGAIN_S)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _is_done(self, payment_id: str) -> bool:
        try:
            payment = self._api.get(f"/v1/payments/{payment_id}").body
            if State(payment["state"]) in TERMINAL:
                return True
            brought_back = self._brought_back(payment["next_action"])
            if brought_back is None:
                return False
            return self._api.confirm(payment_id, brought_back, f"confirm-{payment_id}").ok
        except (NotAnswered, OperatorError, KeyError):
            return False  # an API or a gateway that was killed is asked again

    def _brought_back(self, action: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if not action or "data" not in action:
            return None
        url = self._places[action["gateway"]]
        secret = quote(action["data"]["client_secret"], safe="")
        try:
            answer = self._pool.request("GET", f"{url}/challenge?client_secret={secret}")
            results = parse(answer.data)
        except (urllib3.exceptions.HTTPError, MalformedJson):
            return None
        return dict(results["passed"])
