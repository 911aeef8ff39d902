"""What a merchant's backend does with funds that are held: capture them in parts and refund some, or cancel.

Each step is repeated under its key until the API has answered it, as after a request that was lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.lab.demo.cast import Order
from aegis_worker.terminal.api import Api, NotAnswered

CAPTURES, CANCELS = "held, captured in parts and refunded in part", "held and released"
CALLS_OFF = "cancelled while the payer has to act"
# Never "lost": what becomes of a capture some gateways tell, and can't be asked.
CAPTURED = (
    "tok_visa",
    "tok_drop_on_capture",
    "tok_drop_on_refund",
    "tok_webhook_late_2",
    "tok_webhook_repeated",
    "tok_webhook_reordered_2",
)
CANCELLED = ("tok_visa", "tok_drop_on_void")
_LOOK_AGAIN_S = 0.2
# Minor units; not every gateway takes less than one unit of the currency.
_A_LITTLE = 100


class Merchants:
    """Acts on the payments of orders whose funds are only held."""

    def __init__(
        self, api: Api, releasing: Collection[str], whole: Collection[str], stopping: threading.Event
    ) -> None:
        """`releasing`: the gateways where a capture releases the rest of a hold; `whole`: where there is none."""
        self._api, self._releasing, self._whole, self._stopping = api, releasing, whole, stopping

    def act_on(self, order: Order, payment_id: str, *, within_s: float) -> None:
        """See to it that nothing of the payment is held in the end."""
        steps = {CAPTURES: self._captures, CANCELS: self._cancels, CALLS_OFF: self._calls_off}
        step = steps.get(order.role)
        give_up_at = time.monotonic() + within_s
        while step is not None and time.monotonic() < give_up_at and not self._stopping.is_set():
            try:
                if step(payment_id):
                    return
            except (NotAnswered, OperatorError, KeyError):
                pass  # an API that was killed is asked again
            self._stopping.wait(_LOOK_AGAIN_S)

    def _cancels(self, payment_id: str) -> bool:
        """Cancel half of them at once, wherever they are, and the others once their funds are held."""
        state = State(self._payment(payment_id)["state"])
        waits = int(payment_id[-1], 16) % 2 == 0 and state is not State.AUTHORIZED
        return state in TERMINAL or (not waits and self._posted(payment_id, "cancel", "cancel", {}))

    def _calls_off(self, payment_id: str) -> bool:
        """Cancel what waits for its payer."""
        state = State(self._payment(payment_id)["state"])
        is_waiting = state is State.REQUIRES_ACTION
        return state in TERMINAL or (is_waiting and self._posted(payment_id, "cancel", "cancel", {}))

    def _captures(self, payment_id: str) -> bool:
        """Capture a half, then the rest where that is still held, or all at once, then refund a little.

        True once that is accepted, or there is nothing to take.
        """
        payment = self._payment(payment_id)
        state, amounts = State(payment["state"]), payment["amounts"]
        if state is State.AUTHORIZED and amounts["capturable"] and payment["gateway"] in self._whole:
            self._posted(payment_id, "captures", "whole", {})
            return False
        if state is State.AUTHORIZED and amounts["capturable"]:
            is_final = payment["gateway"] in self._releasing
            half = {"amount": payment["amount"] // 20 * 10, "final": is_final}
            if self._posted(payment_id, "captures", "half", half) and not is_final:
                self._posted(payment_id, "captures", "rest", {})
            return False
        if not amounts["refundable"]:
            return state in TERMINAL
        return self._posted(
            payment_id, "refunds", "refund", {"amount": min(_A_LITTLE, amounts["refundable"])}
        )

    def _payment(self, payment_id: str) -> Mapping[str, Any]:
        return self._api.get(f"/v1/payments/{payment_id}").body

    def _posted(self, payment_id: str, what: str, key: str, body: Mapping[str, Any]) -> bool:
        """Whether it is accepted, now or before."""
        return self._api.post(f"/v1/payments/{payment_id}/{what}", body, f"{key}-{payment_id}").ok
