"""Posts what was measured and traced to a collector, by libcurl: within a time in all, from finding its address to the last
byte of its answer, so that a collector which answers a byte at a time holds nobody for longer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import certifi
import pycurl

# Of an answer, nothing but its status is of use.
_MOST_ANSWER_BYTES = 65_536
_FOR_NOW = frozenset({408, 429, 502, 503, 504})


class NotTaken(NamedTuple):
    """A collector did not take a post. `for_now`: it may take the same a moment later."""

    reason: str
    for_now: bool


class Poster:
    """For one URL; used by one thread at a time. A child process connects anew."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = [f"{name}: {value}" for name, value in headers.items()]
        self._headers += ["Content-Type: application/x-protobuf", "Expect:"]
        self._curl: pycurl.Curl | None = None
        self._pid = 0
        self._received = 0

    def post(self, body: bytes, within_s: float) -> NotTaken | None:
        """Post it once; None: the collector took it."""
        curl = self._handle()
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(within_s * 1000)))
        self._received = 0
        try:
            curl.perform()
        except pycurl.error as error:
            return NotTaken(str(error.args[-1]), for_now=True)
        status = int(curl.getinfo(pycurl.RESPONSE_CODE))
        return None if 200 <= status < 300 else NotTaken(f"status {status}", status in _FOR_NOW)

    def _handle(self) -> pycurl.Curl:
        if self._curl is None or self._pid != os.getpid():
            self._curl, self._pid = self._prepared(), os.getpid()
        return self._curl

    def _prepared(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, self._url)
        curl.setopt(pycurl.HTTPHEADER, self._headers)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.WRITEFUNCTION, self._take)
        return curl

    def _take(self, more: bytes) -> int | None:
        self._received += len(more)
        return None if self._received <= _MOST_ANSWER_BYTES else 0  # 0 ends the transfer
