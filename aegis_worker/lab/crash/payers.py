"""Payers of the load: who has to act acts once, and the shop hands on what it brought back until that is accepted."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.lab.demo.cast import Order
from aegis_worker.lab.demo.payers import Payers
from aegis_worker.terminal.api import Api, NotAnswered

# Nobody acts for these before the installation gives them up.
ABANDONED = ("tok_3ds_120",)
TOKENS = ("tok_sdk_120", "tok_sdk_120_then_drop", "tok_sdk_120_then_drop_nocharge_once")
_LOOK_AGAIN_S = 0.2


class Shop:
    """Acts for the payers of orders whose gateway wants it. `places`: the emulated gateways' URLs, by name."""

    def __init__(self, api: Api, places: Mapping[str, str], stopping: threading.Event) -> None:
        self._api, self._stopping = api, stopping
        self._payers = Payers(places)

    def act_for(self, order: Order, payment_id: str, *, within_s: float) -> None:
        """See to it that the payment goes on, once it waits for its payer; whoever asks again uses the same key."""
        give_up_at = time.monotonic() + within_s
        while order.payer and time.monotonic() < give_up_at and not self._stopping.is_set():
            try:
                if self._has_acted(order, payment_id):
                    return
            except (NotAnswered, OperatorError, KeyError):
                pass  # an API or a gateway that was killed is asked again
            self._stopping.wait(_LOOK_AGAIN_S)

    def close(self) -> None:
        """Close the connections."""
        self._payers.close()

    def _has_acted(self, order: Order, payment_id: str) -> bool:
        """Whether nothing is left to do for the payer."""
        payment = self._api.get(f"/v1/payments/{payment_id}").body
        if State(payment["state"]) in TERMINAL or State(payment["state"]) is State.AUTHORIZED:
            return True
        if not payment["next_action"]:
            return False
        action, gateway = payment["next_action"], payment["gateway"]
        brought_back = self._payers.act(action, gateway, order.payer, order.token)
        if brought_back is None:
            return True
        is_taken = self._api.confirm(payment_id, brought_back, f"confirm-{payment_id}").ok
        # A gateway that wants nothing of the payer may have told of them before the shop has.
        return is_taken or not brought_back
