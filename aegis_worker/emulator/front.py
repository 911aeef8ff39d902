"""What stands before a wire format's routes: it keeps what is exchanged, and answers what people ask of the emulator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from .books import Books
from .choosing import Reach
from .control import PREFIX
from .failures import FAILURES
from .kept import Kept
from .page.build import asset, page
from .problems import problem
from .replies import Reply, json_reply
from .scenarios.reading import WrongScenario, read
from .scenarios.shipping import shipped
from .server import Routes


@dataclass(frozen=True, slots=True)
class Front:
    """`reaches`: of every wire format, by name: a scenario may have rules for others than this one."""

    routes: Routes
    books: Books
    kept: Kept
    reaches: Mapping[str, Reach]

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""
        if target.startswith(PREFIX):
            return self._own(method, target, headers, raw) or self.routes.answer(method, target, headers, raw)
        if self.kept.recorder is None or target == "/healthz":
            return self.routes.answer(method, target, headers, raw)
        began = time.perf_counter()
        reply = self.routes.answer(method, target, headers, raw)
        self.kept.recorder.note_exchange(method, target, headers, raw, reply, time.perf_counter() - began)
        return reply

    def _own(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply | None:
        """None for what the wire format's routes answer."""
        if method != "GET" and _is_of_another_site(headers):
            return problem(403, "other_site", "a page of another site may change nothing here")
        path, _, query = target.removeprefix(PREFIX).partition("?")
        if method == "GET" and path == "":
            return page(self.books, self.kept.recorder)
        if method == "GET" and (found := asset(path)):
            return found
        if method == "GET" and path == "failures":
            here = self.books.reach.wire
            return json_reply(200, {"failures": [one.as_dict() for one in FAILURES if here in one.where]})
        if path == "scenario":
            return self._scenario(method, dict(parse_qsl(query)), raw)
        return self.kept.answer(method, path, headers)

    def _scenario(self, method: str, query: Mapping[str, str], raw: bytes) -> Reply:
        if method == "DELETE":
            self.books.conduct.choice.play(None)
        elif method == "PUT":
            refused = self._play(query, raw)
            if refused is not None:
                return refused
        elif method != "GET":
            return problem(405, "method_not_allowed", "GET, PUT or DELETE it")
        running = self.books.conduct.choice.running
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
            self.books.conduct.choice.play(read(toml, self.reaches, int(seed) if seed else None))
        except WrongScenario as wrong:
            return problem(422, "invalid_scenario", "the scenario is not what it should be", wrong.problems)
        return None


def _is_of_another_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page from elsewhere sends this."""
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
