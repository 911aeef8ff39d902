"""A libcurl handle that carries one transfer after another, and what libcurl tells about the transfer under way."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

import certifi
import pycurl

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.kit.flows import HttpAnswer

from .connections import Connection, Connections
from .curl_errors import not_sent, unknown
from .heads import Head, MalformedAnswer, read_head
from .transfers import Peer, Result, Transfer

MAX_HEAD_BYTES = 65_536
# The name of a server is resolved again, and its address looked at again, at least this often.
_LONGEST_LIFE_S = 300
_UPLOAD_BUFFER_BYTES = 16_384
# libcurl adds these by itself. `Expect` would have it send a request twice, to a server that answers 417.
_OUR_FIELDS = ("Accept-Encoding: identity", "Expect:")
# CURLOPT_SUPPRESS_CONNECT_HEADERS, for which pycurl has no name: the head of a proxy's answer is not the server's.
_SUPPRESS_CONNECT_HEADERS = 265
# What callbacks tell libcurl.
_GO_ON: int = pycurl.PREREQFUNC_OK
_ABORT: int = pycurl.PREREQFUNC_ABORT
_NO_SOCKET: int = pycurl.SOCKET_BAD
_SOCKET_OK: int = pycurl.SOCKOPT_OK
_REWOUND: int = pycurl.SEEKFUNC_OK
_NO_REWIND: int = pycurl.SEEKFUNC_FAIL
_END = (b"\r\n", b"\n")
# Options that a handle's transfers differ in: URL, method, length of the body (None: a GET), times, over a new connection.
_Options: TypeAlias = tuple[str | None, str, int | None, tuple[int, int], bool]
_NONE: _Options = (None, "", -1, (0, 0), False)


class Handle:
    """For one peer and one thread. `begin` prepares a transfer, libcurl calls back while it runs, `result` ends it.

    The walls against a request that leaves twice, because libcurl resends by itself when a kept connection dies before a
    byte of the answer, or when an HTTP/2 server refuses a stream or goes away:

    - `_request_is_next` is called before each sending, also the second, and refuses that;
    - the body is read by `_read`, and `_rewind` refuses to begin it anew: the second sending fails with error 65;
    - a request without a body goes over a new connection, because libcurl resends only what went over a kept one.
    """

    def __init__(self, peer: Peer, connections: Connections, leaves: Callable[[Handle], None]) -> None:
        self.peer, self._connections, self._leaves = peer, connections, leaves
        self.curl = _prepared(peer)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._request_is_next)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head_line)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._body_bytes)
        self.curl.setopt(pycurl.READFUNCTION, self._read)
        self.curl.setopt(pycurl.SEEKFUNCTION, self._rewind)
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened_socket)
        if peer.refuses_address is not None:
            self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        self.transfer: Transfer | None = None
        self._last: _Options = _NONE
        self._forget()

    def _forget(self) -> None:
        self.transfer = None
        self._sendings = 0
        self._opened: list[int] = []
        self._used: list[Connection] = []
        self._met_noise = self._is_fresh = False
        self._refused: NotSent | None = None
        self._malformed: str | None = None
        self._head: Head | None = None
        self._lines: list[bytes] = []
        self._head_bytes = self._received = 0
        self._is_cut = False
        self._body: list[bytes] = []
        self._sent_to, self._to_send = 0, b""

    def begin(self, transfer: Transfer, connect_s: float, total_s: float, *, fresh: bool) -> pycurl.Curl:
        """Prepare the transfer, whose connection has to stand after `connect_s`, and which may take `total_s`.

        `fresh`: over a new connection.
        """
        self.transfer, self._is_fresh = transfer, fresh
        curl, body, headers = self.curl, transfer.body, transfer.headers
        if transfer.known_addresses:
            curl.setopt(pycurl.RESOLVE, list(transfer.known_addresses))
        self._to_send = body or b""
        self._set_what_changed(
            transfer.url,
            transfer.method,
            None if body is None and transfer.method == "GET" else len(self._to_send),
            (max(int(connect_s * 1000), 1), max(int(total_s * 1000), 1)),
            fresh or not (transfer.may_repeat or body),
        )
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
        if not ("Content-Type" in headers or any(name.lower() == "content-type" for name in headers)):
            lines.append("Content-Type:")
        lines += _OUR_FIELDS
        curl.setopt(pycurl.HTTPHEADER, lines)
        return curl

    def _set_what_changed(
        self, url: str, method: str, length: int | None, times: tuple[int, int], is_fresh: bool
    ) -> None:
        """Set the options that differ from those of the handle's last transfer. `length`: None for a GET without a body."""
        curl, (last_url, last_method, last_length, last_times, was_fresh) = self.curl, self._last
        self._last = url, method, length, times, is_fresh
        if url != last_url:
            curl.setopt(pycurl.URL, url)
        if times != last_times:
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, times[0])
            curl.setopt(pycurl.TIMEOUT_MS, times[1])
        if (method, length) != (last_method, last_length):
            if length is None:
                curl.setopt(pycurl.HTTPGET, 1)
            else:
                curl.setopt(pycurl.POST, 1)
                curl.setopt(pycurl.POSTFIELDSIZE_LARGE, length)
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        if is_fresh != was_fresh:
            curl.setopt(pycurl.FRESH_CONNECT, is_fresh)

    @property
    def may_begin_again(self) -> bool:
        """Whether nothing was sent because a kept connection was not silent. A new one may be."""
        return self._met_noise and not self._sendings and not self._is_fresh

    def result(self, error: int, message: str) -> Result:
        """How the transfer ended, by libcurl's error (0: it has an answer). The handle is free then."""
        result = self._result(error, message)
        for connection in self._used:
            self._connections.end(connection)
        self._forget()
        return result

    def given_up(self) -> Result:
        """The transfer's time was over before libcurl said how it ended. The handle is free then."""
        return self.result(pycurl.E_OPERATION_TIMEDOUT, "")

    def _result(self, error: int, message: str) -> Result:
        if not self._sendings:
            if self._refused is not None:
                return self._refused
            if self._met_noise:
                return NotSent("the server sends what nobody asked for")
            return not_sent(error, message, self.curl.getinfo(pycurl.OS_ERRNO) if error else 0)
        if self._malformed is not None:
            return Unknown(f"MalformedAnswer: {self._malformed}", kind=UnknownKind.UNREADABLE)
        head = self._head
        if head is not None and (not error or self._is_cut):
            return HttpAnswer(head.status, head.headers, b"".join(self._body))
        if error == pycurl.E_FILESIZE_EXCEEDED and head is not None:
            return Unknown(f"HTTP {head.status} with an answer too long", kind=UnknownKind.UNREADABLE)
        return unknown(error, message, head_came=bool(self._head_bytes))

    def _request_is_next(self, address: str, own_address: str, _port: int, own_port: int) -> int:
        """A connection stands, and libcurl would send the request next."""
        transfer = self.transfer
        if transfer is None or (self._sendings and not transfer.may_repeat):
            return _ABORT
        ends = own_address, own_port
        if not self._connections.may_carry(ends, self._opened, is_tls=self._begins_with_tls(transfer)):
            self._met_noise = True
            return _ABORT
        if self._refused is None and self.peer.refuses_address is not None:
            self._look_at(address)
        if self._refused is None and transfer.may_leave is not None and not transfer.may_leave():
            self._refused = NotSent("it was too late to send it", kind=NotSentKind.TIMEOUT)
        if self._refused is not None:
            return _ABORT
        self._used.append(self._connections.begin(ends))
        self._sendings += 1
        if self._sendings == 1:
            self._leaves(self)
        self._sent_to = 0
        return _GO_ON

    def _begins_with_tls(self, transfer: Transfer) -> bool:
        return transfer.url.startswith("https:") or self.peer.proxy.startswith("https:")

    def _opened_socket(self, fd: int, _purpose: int) -> int:
        self._opened.append(fd)
        return _SOCKET_OK

    def _open(self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        family, kind, protocol, place = address
        self._look_at(place[0])
        return _NO_SOCKET if self._refused is not None else socket.socket(family, kind, protocol)

    def _look_at(self, address: str) -> None:
        why = self.peer.refuses_address(address) if self.peer.refuses_address is not None else None
        if why is not None:
            self._refused = NotSent(why)

    def _read(self, size: int) -> bytes:
        begin, self._sent_to = self._sent_to, self._sent_to + size
        return self._to_send[begin : self._sent_to]

    def _rewind(self, offset: int, _origin: int) -> int:
        if self.transfer is None or not self.transfer.may_repeat:
            return _NO_REWIND
        self._sent_to = offset
        return _REWOUND

    def _head_line(self, line: bytes) -> int | None:
        self._head_bytes += len(line)
        if self._head_bytes > MAX_HEAD_BYTES:
            return self._is_malformed("the head is too long")
        if self._head is not None:
            return None  # a trailer, which nobody asks for
        if line not in _END:
            self._lines.append(line)
            return None
        try:
            head = read_head(self._lines)
        except MalformedAnswer as problem:
            return self._is_malformed(str(problem))
        self._lines = []
        if not head.is_interim:
            self._head = head
        return None

    def _body_bytes(self, piece: bytes) -> int | None:
        self._received += len(piece)
        too_long = self._received - self.peer.max_answer_bytes
        if too_long <= 0:
            self._body.append(piece)
            return None
        if self.peer.cuts_answers:
            self._body.append(piece[: len(piece) - too_long])
            self._is_cut = True
            return 0
        return self._is_malformed(f"HTTP {self._head.status if self._head else 0} with an answer too long")

    def _is_malformed(self, why: str) -> int:
        """Have libcurl break the transfer off and close the connection, so that nothing on it is taken for an answer."""
        self._malformed = why
        return 0


def _prepared(peer: Peer) -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.PATH_AS_IS, 1)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    curl.setopt(pycurl.MAXLIFETIME_CONN, _LONGEST_LIFE_S)
    curl.setopt(pycurl.UPLOAD_BUFFERSIZE, _UPLOAD_BUFFER_BYTES)
    trusted = str(peer.ca_bundle) if peer.ca_bundle else certifi.where()
    curl.setopt(pycurl.CAINFO, trusted)
    # Empty: no proxy, and none that is gone round; nothing of either is taken from the environment.
    curl.setopt(pycurl.PROXY, peer.proxy)
    curl.setopt(pycurl.NOPROXY, "")
    if peer.proxy:
        # A tunnel also for plain HTTP, so that what a proxy says of itself is never taken for the server's answer.
        curl.setopt(pycurl.HTTPPROXYTUNNEL, 1)
        curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)
        curl.setopt(pycurl.PROXY_CAINFO, trusted)
    if peer.certificate is not None:
        curl.setopt(pycurl.SSLCERT, str(peer.certificate))
        curl.setopt(pycurl.SSLKEY, str(peer.certificate_key or peer.certificate))
    if peer.known_addresses:
        curl.setopt(pycurl.RESOLVE, list(peer.known_addresses))
    if not peer.cuts_answers:
        curl.setopt(pycurl.MAXFILESIZE, peer.max_answer_bytes)
    return curl
