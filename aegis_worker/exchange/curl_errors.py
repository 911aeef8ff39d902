"""What an error of libcurl means: nothing was sent, or nobody knows (design D4).

The stage decides between the two, not the error: before libcurl says that the request is next (`PREREQFUNCTION`), no byte
of it has left. After that every error is Unknown, also one that sounds like a connection that never came about, because
libcurl may have connected a second time. The tables say of which kind.
"""

from __future__ import annotations

import os

import pycurl

from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.observability.redaction import redact_text

_LONGEST = 200
# CURLE_TOO_LARGE, for which pycurl has no name.
_TOO_LARGE = 100

# Errors after which bytes of an answer are there that can't be read. All others leave no answer.
_UNREADABLE = {
    pycurl.E_UNSUPPORTED_PROTOCOL: "the answer is no HTTP",  # HTTP/0.9
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "the answer is no HTTP",
    pycurl.E_PARTIAL_FILE: "the answer ends before its end",
    pycurl.E_WRITE_ERROR: "the answer is refused",
    pycurl.E_FILESIZE_EXCEEDED: "the answer is too long",
    pycurl.E_BAD_CONTENT_ENCODING: "the body is encoded, which was not asked for",
    _TOO_LARGE: "the head is too long",
}
# What to say of errors whose own message names addresses, or says too little.
_NOT_SENT = {
    pycurl.E_COULDNT_RESOLVE_HOST: "the host can't be resolved",
    pycurl.E_COULDNT_RESOLVE_PROXY: "the proxy can't be resolved",
    pycurl.E_OPERATION_TIMEDOUT: "timed out",
    pycurl.E_URL_MALFORMAT: "the URL is none",
    pycurl.E_UNSUPPORTED_PROTOCOL: "the URL is of another protocol",
}
_UNKNOWN = {
    pycurl.E_OPERATION_TIMEDOUT: "read timeout",
    pycurl.E_GOT_NOTHING: "closed without an answer",
    pycurl.E_SEND_ERROR: "the connection broke while sending",
    pycurl.E_SEND_FAIL_REWIND: "closed without an answer",
    pycurl.E_ABORTED_BY_CALLBACK: "closed without an answer",
}


def not_sent(error: int, message: str, os_error: int) -> NotSent:
    """That of a transfer whose request was not begun. `os_error`: the system's number of what went wrong, or 0."""
    kind = NotSentKind.TIMEOUT if error == pycurl.E_OPERATION_TIMEDOUT else NotSentKind.NETWORK_ERROR
    if error == pycurl.E_COULDNT_CONNECT and os_error:
        # In the words of the system, without the address, which is of no use to merchants.
        return NotSent(f"could not connect: {os.strerror(os_error)}", kind=kind)
    if error == pycurl.E_PEER_FAILED_VERIFICATION:
        message = f"TLS: {message}"
    return NotSent(f"could not connect: {_NOT_SENT.get(error) or _cut(message)}", kind=kind)


def unknown(error: int, message: str, *, head_came: bool) -> Unknown:
    """That of a transfer whose request may have left, in whole or in part. `head_came`: part of an answer is there."""
    if error == pycurl.E_OPERATION_TIMEDOUT:
        return Unknown(_UNKNOWN[error], kind=UnknownKind.ANSWER_TIMEOUT)
    if error in _UNREADABLE:
        return Unknown(f"{_UNREADABLE[error]}: {_cut(message)}", kind=UnknownKind.UNREADABLE)
    if error == pycurl.E_RECV_ERROR and head_came:
        return Unknown(f"the answer breaks off: {_cut(message)}", kind=UnknownKind.UNREADABLE)
    return Unknown(_UNKNOWN.get(error) or f"no answer: {_cut(message)}")


def _cut(message: str) -> str:
    # It may quote what can't be read. Redact before cutting: half a card number would not be recognized as one.
    return redact_text(message)[:_LONGEST]
