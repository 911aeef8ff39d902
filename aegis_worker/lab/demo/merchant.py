"""The demo's merchant, who knows nothing but the HTTP API: posts, captures, cancels, refunds, polls, reads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from aegis_worker.domain.entities import EntityStatus
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.errors import OperatorError
from aegis_worker.lab.local.stopping import Stopped
from aegis_worker.terminal.api import ENDED_JOB, Api
from aegis_worker.terminal.output import progress, remark

from .cast import Order
from .payers import Payers
from .roles import Step

THREADS = 8
_POLL_AT_MOST = 100
_PAUSE_S = 0.2
# The ladder asks 10 s after a doubt, 30 s after that, then after a minute. The demo waits for the first two answers only.
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Posted:
    """The API's answer to one POST; `took_ms` with all its retries."""

    order: Order
    payment_id: str
    job_id: str
    replayed: bool
    took_ms: float


class Merchant:
    """Works with `THREADS` threads. Everything raises Stopped soon after `stopping` is set."""

    def __init__(
        self, api_url: str, api_key: str, places: Mapping[str, str], stopping: threading.Event
    ) -> None:
        """`places`: the emulated gateways' URLs by name, for payers who have to act."""
        self._api = Api(api_url, api_key, connections=THREADS)
        self._payers = Payers(places)
        self._api.stop = stopping
        self._stopping = stopping

    def post(self, orders: Sequence[Order]) -> list[Posted]:
        """Post them all, several at a time. Raises OperatorError when the API refuses one."""
        with progress("posting", len(orders)) as advance, ThreadPoolExecutor(THREADS) as pool:

            def post(order: Order) -> Posted:
                posted = self._post(order)
                advance()
                return posted

            return list(pool.map(post, orders))

    def _post(self, order: Order) -> Posted:
        if self._stopping.is_set():
            raise Stopped
        started = time.monotonic()
        reply = self._api.post_payment(order.body, order.key)
        took_ms = (time.monotonic() - started) * 1000
        if not reply.ok:
            raise OperatorError(f"the API refused {order.key} ({order.role}): {reply.status} {reply.reason}")
        replayed = reply.headers.get("Idempotent-Replayed") == "true"
        return Posted(order, reply.body["id"], reply.body["job"]["id"], replayed, took_ms)

    def keep(self, card: Mapping[str, Any], key: str) -> str:
        """Put a card into the vault for later payments; its token. Raises OperatorError when the API refuses it."""
        body = {"card": card, "usage": "kept", "customer": {"id": "cus_vaulted"}}
        reply = self._api.post("/v1/tokens", body, key)
        if not reply.ok:
            raise OperatorError(f"the API refused to keep a card: {reply.status} {reply.reason}")
        return str(reply.body["id"])

    def await_jobs(self, roles: Mapping[str, str], ladder_s: Sequence[float]) -> None:
        """Poll the jobs (with the role of each) until all have ended, or none has for a minute."""
        open_jobs = deque(roles)
        last_end = time.monotonic()
        explained = False
        with progress("results", len(open_jobs)) as advance:
            while open_jobs and time.monotonic() - last_end < _PATIENCE_S:
                looked_at = [open_jobs.popleft() for _ in range(min(_POLL_AT_MOST, len(open_jobs)))]
                jobs = [self._read(f"/v1/jobs/{job_id}") for job_id in looked_at]
                for job in jobs:
                    if job["status"] in ENDED_JOB:
                        last_end = time.monotonic()
                        advance()
                    else:
                        open_jobs.append(job["id"])
                if not explained and jobs and all(job["status"] == "waiting" for job in jobs) and open_jobs:
                    _explain([roles[job_id] for job_id in open_jobs], ladder_s)
                    explained = True
                self._pause()

    def take_steps(self, posted: Sequence[Posted]) -> None:
        """Have each payer act, then order what the payment's steps say, one after the other, each to its end.

        Raises OperatorError when the API refuses one.
        """
        wanted = {one.payment_id: one for one in posted if one.order.steps or one.order.payer}
        with progress("payers and orders", len(wanted)) as advance, ThreadPoolExecutor(THREADS) as pool:

            def take(one: Posted) -> None:
                self._take(one)
                advance()

            list(pool.map(take, wanted.values()))

    def _take(self, posted: Posted) -> None:
        if posted.order.payer:
            self._send_payer(posted)
        payment = self._awaited(f"/v1/payments/{posted.payment_id}", _is_decided)
        if payment is None or State(payment["state"]) not in (State.AUTHORIZED, State.SUCCESS):
            return  # how it ended, or that it did not, is found later
        ordered: list[tuple[str, EntityStatus]] = []
        for number, step in enumerate(posted.order.steps):
            if not step.meanwhile:
                self._await_ends(ordered)
            path = f"/v1/payments/{posted.payment_id}/{step.order}"
            reply = self._api.post(path, _asked(step, payment["amount"]), f"{posted.order.key}-{number}")
            if not reply.ok:
                raise OperatorError(f"POST {path} ({posted.order.role}): {reply.status} {reply.reason}")
            ordered.append((reply.body["links"]["self"], step.ends_as))
        self._await_ends(ordered)

    def _send_payer(self, posted: Posted) -> None:
        payment = self._awaited(f"/v1/payments/{posted.payment_id}", _is_decided_or_waits_for_payer)
        if payment is None or not payment["next_action"]:
            return
        order = posted.order
        brought_back = self._payers.act(payment["next_action"], payment["gateway"], order.payer, order.token)
        if brought_back is not None:
            reply = self._api.confirm(posted.payment_id, brought_back, f"{posted.order.key}-back")
            # A gateway that wants nothing of the payer may have told of them before the shop has.
            if not reply.ok and brought_back:
                raise OperatorError(f"confirm ({posted.order.role}): {reply.status} {reply.reason}")

    def _await_ends(self, ordered: Sequence[tuple[str, EntityStatus]]) -> None:
        for path, ends_as in ordered:
            # What fails although it should succeed has ended too; the comparison tells.
            self._awaited(path, partial(_has_ended, {ends_as, EntityStatus.FAILED}))

    def _awaited(self, path: str, is_there: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any] | None:
        give_up_at = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up_at:
            body = self._read(path)
            if is_there(body):
                return body
            self._pause()
        return None

    def payments(self, payment_ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Each payment as it stands, with its events, captures and refunds."""
        with ThreadPoolExecutor(THREADS) as pool:
            shown = "expand=events,captures,refunds"
            return list(pool.map(lambda id_: self._read(f"/v1/payments/{id_}?{shown}"), payment_ids))

    def close(self) -> None:
        """Close the connections."""
        self._payers.close()
        self._api.close()

    def _read(self, path: str) -> Mapping[str, Any]:
        if self._stopping.is_set():
            raise Stopped
        reply = self._api.get(path)
        if not reply.ok:
            raise OperatorError(f"GET {path} answered {reply.status} {reply.reason}")
        return reply.body

    def _pause(self) -> None:
        if self._stopping.wait(_PAUSE_S):
            raise Stopped


def _is_decided(payment: Mapping[str, Any]) -> bool:
    state = State(payment["state"])
    return state is State.AUTHORIZED or state in TERMINAL


def _is_decided_or_waits_for_payer(payment: Mapping[str, Any]) -> bool:
    return bool(payment["next_action"]) or _is_decided(payment)


def _has_ended(ends: Collection[EntityStatus], order: Mapping[str, Any]) -> bool:
    return EntityStatus(order["status"]) in ends


def _asked(step: Step, amount: int) -> dict[str, Any]:
    part = {} if step.tenths is None else {"amount": amount * step.tenths // 100 * 10}
    return {**part, "final": True} if step.final else part


def _explain(roles: Sequence[str], ladder_s: Sequence[float]) -> None:
    counts = ", ".join(f"{roles.count(role)} {role}" for role in dict.fromkeys(roles))
    steps = " and ".join(f"{step:g} s" for step in ladder_s[:2])
    remark(f"waiting for {len(roles)} payments ({counts}): their gateway is asked again after {steps}")
