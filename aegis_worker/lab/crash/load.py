"""Payments under load: posted on threads, with the same key until there is an answer, as merchants' backends do."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from aegis_client import Answer
from aegis_worker.domain.transitions import State
from aegis_worker.errors import HookFailed, OperatorError
from aegis_worker.lab.demo.cast import Order
from aegis_worker.lab.demo.roles import (
    CHARGED_AND_500,
    CHARGED_AND_DROPPED,
    DECLINED_BY_THE_FIRST,
    DECLINED_EVERYWHERE,
    DECLINED_FOR_GOOD,
    Role,
)
from aegis_worker.terminal.api import Api, NotAnswered

from . import disputes, merchants, payers

THREADS = 8
# An API that is killed again and again is back within this time after the last kill.
_GIVE_UP_AFTER_S = 120.0
# How the problem of a request begins that the API finds wrong.
_UNPROCESSABLE = "422 "

ROLES = (
    DECLINED_FOR_GOOD,
    DECLINED_EVERYWHERE,
    replace(DECLINED_BY_THE_FIRST, share=0.06),
    replace(CHARGED_AND_DROPPED, share=0.06),
    Role("dropped without a charge", 0.06, ("tok_drop_nocharge_once_at_{first}",)),
    replace(CHARGED_AND_500, share=0.04),
    Role("answered HTTP 500 without a charge", 0.03, ("tok_500_nocharge_once_at_{first}",)),
    Role("3-D Secure", 0.03, ("tok_3ds_1",), payer="pass"),
    Role("the payer acts in the frontend", 0.06, payers.TOKENS, payer="pass"),
    Role("pending at the gateway", 0.03, ("tok_pending_1",)),
    Role(
        "told of late, twice, out of order or never",
        0.06,
        ("tok_webhook_late_2", "tok_webhook_repeated", "tok_webhook_reordered_2", "tok_webhook_lost"),
    ),
    Role(disputes.ROLE, 0.06, disputes.TOKENS),
    Role(merchants.CAPTURES, 0.06, merchants.CAPTURED, capture_method="manual"),
    # What is cancelled before its gateway was reached is not sent again, and fails.
    Role(
        merchants.CANCELS,
        0.06,
        merchants.CANCELLED,
        State.CANCELLED,
        capture_method="manual",
        may_end_as=(State.FAILURE,),
    ),
    Role("abandoned by the payer", 0.04, payers.ABANDONED, State.FAILURE),
    Role(merchants.CALLS_OFF, 0.04, payers.ABANDONED, State.CANCELLED, may_end_as=(State.FAILURE,)),
    # A hold that ends before a doubt about it is over was never known to us.
    Role(
        "held until the hold ends",
        0.04,
        ("tok_hold_10",),
        State.CANCELLED,
        capture_method="manual",
        may_end_as=(State.FAILURE,),
    ),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one post: the payment's id, or why there is none."""

    order: Order
    payment_id: str | None
    problem: str = ""

    @property
    def refusal(self) -> str:
        """The problem, without how often it was tried."""
        return "503 hook_failed" if HookFailed.code in self.problem else self.problem

    @property
    def refused_by_hooks(self) -> bool:
        """Whether a hook that validates may have refused it, or failed: no request of the load is wrong by itself."""
        return self.problem.startswith(_UNPROCESSABLE) or HookFailed.code in self.problem


class Load:
    """Posts orders in the background, and acts for their payers and on what is held.

    `pause_s` after each, on each of the threads. `places`: the sandboxes' URLs, by name.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        places: Mapping[str, str],
        releasing: Collection[str],
        whole: Collection[str],
        stopping: threading.Event,
    ) -> None:
        """`places`: the emulated gateways' URLs by name; `releasing`: those where a capture releases the rest of a hold;
        `whole`: those where it is of the whole of it.
        """
        self._api = Api(api_url, api_key, connections=THREADS)
        self._api.stop = stopping
        self._stopping = stopping
        self._shop = payers.Shop(self._api, places, stopping)
        self._merchants = merchants.Merchants(self._api, releasing, whole, stopping)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="load")

    def start(self, orders: Sequence[Order], *, pause_s: float) -> list[Future[Answered]]:
        """Begin to post them; each gives its answer in the end."""
        return [self._pool.submit(self._post, order, pause_s) for order in orders]

    def start_batch(self, orders: Sequence[Order]) -> list[Future[Answered]]:
        """Begin to post them in one request; each gives its answer in the end."""
        batch = self._pool.submit(self._post_batch, orders)
        answers: list[Future[Answered]] = [Future() for _ in orders]

        def hand_out(done: Future[list[Answered]]) -> None:
            for place, answer in enumerate(answers):
                if done.cancelled():
                    answer.cancel()
                elif error := done.exception():
                    answer.set_exception(error)
                else:
                    answer.set_result(done.result()[place])

        batch.add_done_callback(hand_out)
        return answers

    def close(self) -> None:
        """Post no more; close the connections."""
        self._pool.shutdown(cancel_futures=True)
        self._shop.close()
        self._api.close()

    def _post(self, order: Order, pause_s: float) -> Answered:
        give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
        while True:
            try:
                reply = self._posted(order)
            except NotAnswered as error:
                # A hook that fails at seven tries in a row fails at the next, too.
                is_hooks = HookFailed.code in str(error)
                if time.monotonic() < give_up_at and not self._stopping.is_set() and not is_hooks:
                    continue
                return Answered(order, None, str(error))
            except OperatorError as error:  # an answer that no API of ours gives
                return Answered(order, None, str(error))
            self._stopping.wait(pause_s)
            return self._acted(_answered(order, reply, "id"))

    def _posted(self, order: Order) -> Answer:
        """The answer to the payment, or to its card, where that is put into the vault before and was refused."""
        if order.card is None or "card" in order.body["payment_method"]:
            return self._api.post_payment(order.body, order.key)
        customer = order.body["customer"]
        card = {"card": order.card, "usage": "kept", "customer": customer}
        kept = self._api.post("/v1/tokens", card, f"card-{order.key}")
        if not kept.ok:
            return kept
        method = {"type": "card", "token": kept.body["id"]}
        return self._api.post_payment({**order.body, "payment_method": method}, order.key)

    def _post_batch(self, orders: Sequence[Order]) -> list[Answered]:
        """Post in one batch. What gets no answer is posted by itself, under the same key: that is the same request."""
        replies: Sequence[Answer | None]
        try:
            replies = self._api.post_batch([(order.key, order.body) for order in orders])
        except NotAnswered:
            replies = [None] * len(orders)
        except OperatorError as error:
            return [Answered(order, None, str(error)) for order in orders]
        return [
            self._post(order, 0.0)
            if reply is None or reply.is_worth_a_retry
            else self._acted(_answered(order, reply, "payment_id"))
            for order, reply in zip(orders, replies, strict=True)
        ]

    def _acted(self, answered: Answered) -> Answered:
        if answered.payment_id is not None:
            self._shop.act_for(answered.order, answered.payment_id, within_s=_GIVE_UP_AFTER_S)
            self._merchants.act_on(answered.order, answered.payment_id, within_s=_GIVE_UP_AFTER_S)
        return answered


def _answered(order: Order, reply: Answer, id_field: str) -> Answered:
    if reply.ok:
        return Answered(order, reply.body[id_field])
    return Answered(order, None, f"{reply.status} {reply.reason}")
