"""What is kept of requests and webhooks, as others may read it, and the repetition of one."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .books import Books
from .control import PREFIX
from .problems import problem
from .recording import Delivery, Exchange, Recorder
from .replies import Reply, json_reply
from .server import Routes

_PATH = re.compile(r"(exchanges|deliveries)(?:/([0-9]{1,12})(/replay)?)?")
_NOT_KEPT = problem(404, "not_found", "it is not kept, or no longer")


@dataclass(frozen=True, slots=True)
class Kept:
    """`recorder`: None where nothing is kept. `credentials`: the headers of whoever may call the gateway at `routes`."""

    routes: Routes
    books: Books
    recorder: Recorder | None
    credentials: Mapping[str, str]

    def answer(self, method: str, path: str, headers: Mapping[str, str]) -> Reply | None:
        """The answer to a call of what is kept; None for a path that is none of it."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        kind, number, is_replay = found.groups()
        if method != ("POST" if is_replay else "GET"):
            return problem(405, "method_not_allowed", "GET it, or POST its replay")
        kept: list[Exchange] | list[Delivery] = []
        if self.recorder is not None:
            kept = self.recorder.exchanges() if kind == "exchanges" else self.recorder.deliveries()
        if number is None:
            return json_reply(200, {kind: [one.as_dict() for one in kept]})
        one = next((one for one in kept if one.number == int(number)), None)
        if one is None:
            return _NOT_KEPT
        if not is_replay:
            return json_reply(200, one.as_dict())
        reply = self._repeat(one) if isinstance(one, Exchange) else self._tell_again(one)
        is_form = reply.status < 400 and "html" in headers.get("accept", "")
        return Reply(303, b"", {"Location": PREFIX}) if is_form else reply

    def _repeat(self, kept: Exchange) -> Reply:
        """Make a request once more, with the gateway's own key in place of the one that is not kept."""
        if not kept.is_whole:
            detail = "a part of its body was taken out or cut off, so it can't be sent as it was"
            return problem(409, "not_whole", detail)
        began = time.perf_counter()
        raw, headers = kept.body.encode(), {**kept.headers, **self.credentials}
        reply = self.routes.answer(kept.method, kept.target, headers, raw)
        if self.recorder is None:
            raise AssertionError("unreachable: something is kept")
        again = self.recorder.note_exchange(
            kept.method, kept.target, headers, raw, reply, time.perf_counter() - began, kept.number
        )
        return json_reply(200, again.as_dict())

    def _tell_again(self, kept: Delivery) -> Reply:
        """Put an event in the queue once more, to be sent as it should be."""
        with self.books.transaction() as tx:
            tx.queue_webhook(kept.event_id, kept.event, self.books.now())
        return json_reply(202, {"event_id": kept.event_id})
