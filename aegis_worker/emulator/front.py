"""What stands before a wire format's routes: it keeps what is exchanged, and answers what people ask of the emulator."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from .books import Books
from .choosing import Reach
from .control import PREFIX
from .failures import FAILURES
from .page.build import asset, page
from .problems import problem
from .recording import Recorder
from .replies import Reply, json_reply
from .scenarios.reading import WrongScenario, read
from .scenarios.shipping import shipped
from .server import Routes

_ONE = re.compile(r"(exchanges|deliveries)/([0-9]{1,12})(/replay)?")
_NOT_KEPT = problem(404, "not_found", "it is not kept, or no longer")


@dataclass(frozen=True, slots=True)
class Front:
    """`recorder`: None where nothing is kept. `credentials`: the headers of whoever may call the gateway.

    `reaches`: of every wire format, by name: a scenario may have rules for others than this one.
    """

    routes: Routes
    books: Books
    recorder: Recorder | None
    credentials: Mapping[str, str]
    reaches: Mapping[str, Reach]

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        if target.startswith(PREFIX):
            return self._own(method, target, headers, raw) or self.routes.answer(method, target, headers, raw)
        if self.recorder is None or target == "/healthz":
            return self.routes.answer(method, target, headers, raw)
        began = time.perf_counter()
        reply = self.routes.answer(method, target, headers, raw)
        self.recorder.note_exchange(method, target, headers, raw, reply, time.perf_counter() - began)
        return reply

    def _own(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        """None for what the wire format's routes answer."""
        if method != "GET" and _is_of_another_site(headers):
            return problem(403, "other_site", "a page of another site may change nothing here")
        path, _, query = target.removeprefix(PREFIX).partition("?")
        if method == "GET" and path == "":
            return page(self.books, self.recorder)
        if method == "GET" and (found := asset(path)):
            return found
        if method == "GET" and path == "failures":
            here = self.books.reach.wire
            return json_reply(200, {"failures": [one.as_dict() for one in FAILURES if here in one.where]})
        if path == "scenario":
            return self._scenario(method, dict(parse_qsl(query)), raw)
        if path in ("exchanges", "deliveries") and method == "GET":
            return self._kept(path)
        if one := _ONE.fullmatch(path):
            return self._one(method, one[1], int(one[2]), is_replay=bool(one[3]), headers=headers)
        return None

    def _kept(self, kind: str) -> Reply:
        recorder = self.recorder
        kept = recorder.exchanges() if recorder else []
        told = recorder.deliveries() if recorder else []
        shown = [one.as_dict() for one in (kept if kind == "exchanges" else told)]
        return json_reply(200, {kind: shown})

    def _one(
        self, method: str, kind: str, number: int, *, is_replay: bool, headers: Mapping[str, str]
    ) -> Reply:
        if self.recorder is None:
            return _NOT_KEPT
        if not is_replay:
            one = self.recorder.exchange(number) if kind == "exchanges" else self.recorder.delivery(number)
            return json_reply(200, one.as_dict()) if one and method == "GET" else _NOT_KEPT
        if method != "POST":
            return problem(405, "method_not_allowed", "POST it")
        reply = (self._repeat if kind == "exchanges" else self._tell_again)(self.recorder, number)
        is_form = reply.status < 400 and "html" in headers.get("accept", "")
        return Reply(303, b"", {"Location": PREFIX}) if is_form else reply

    def _repeat(self, recorder: Recorder, number: int) -> Reply:
        """Send a request that is kept once more, with the gateway's own key in place of the one that is not kept."""
        kept = recorder.exchange(number)
        if kept is None:
            return _NOT_KEPT
        if not kept.is_whole:
            detail = "a part of its body was taken out or cut off, so it can't be sent as it was"
            return problem(409, "not_whole", detail)
        began = time.perf_counter()
        raw, headers = kept.body.encode(), {**kept.headers, **self.credentials}
        reply = self.routes.answer(kept.method, kept.target, headers, raw)
        took_s = time.perf_counter() - began
        again = recorder.note_exchange(kept.method, kept.target, headers, raw, reply, took_s, number)
        return json_reply(200, again.as_dict())

    def _tell_again(self, recorder: Recorder, number: int) -> Reply:
        """Put an event that was sent in the queue once more, to be sent as it should be."""
        kept = recorder.delivery(number)
        if kept is None:
            return _NOT_KEPT
        with self.books.transaction() as tx:
            tx.queue_webhook(kept.event_id, kept.event, self.books.now())
        return json_reply(202, {"event_id": kept.event_id})

    def _scenario(self, method: str, query: Mapping[str, str], raw: bytes) -> Reply:
        if method == "DELETE":
            self.books.choice.play(None)
        elif method == "PUT":
            refused = self._play(query, raw)
            if refused is not None:
                return refused
        elif method != "GET":
            return problem(405, "method_not_allowed", "GET, PUT or DELETE it")
        running = self.books.choice.running
        return json_reply(200, {"scenario": running.as_dict() if running else None})

    def _play(self, query: Mapping[str, str], raw: bytes) -> Reply | None:
        """None once the scenario runs."""
        toml, seed = raw.decode("utf-8", "replace"), query.get("seed", "")
        if seed and not (seed.isascii() and seed.isdecimal() and len(seed) < 19):
            return problem(400, "invalid_seed", "seed: a whole number")
        if "shipped" in query:
            known = shipped(self.reaches)
            if query["shipped"] not in known:
                return problem(404, "no_such_scenario", f"shipped: one of {', '.join(known)}")
            toml = known[query["shipped"]].text
        try:
            self.books.choice.play(read(toml, self.reaches, int(seed) if seed else None))
        except WrongScenario as wrong:
            return problem(422, "invalid_scenario", "the scenario is not what it should be", wrong.problems)
        return None


def _is_of_another_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page from elsewhere sends this."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
