"""A mail server on loopback that takes every mail and keeps it: enough of SMTP (RFC 5321) for smtplib."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

# A limit for a busy machine.
_MAIL_S = 60.0


class Mailbox:
    """The mails that came, in order. `refuses`: the next so many are answered with a failure for now (451)."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = 0
        self.port = 0
        self._came = threading.Condition()

    def take(self, raw: bytes) -> bool:
        """Keep a mail, or refuse it; returns whether it is kept."""
        with self._came:
            if self.refuses:
                self.refuses -= 1
                return False
            self.mails.append(message_from_bytes(raw, policy=policy.default))
            self._came.notify_all()
            return True

    def wait_for(self, count: int) -> None:
        """Wait until so many mails have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.mails) >= count, timeout=_MAIL_S), self.mails


@contextmanager
def a_mail_server() -> Iterator[Mailbox]:
    """A mail server on a free port of 127.0.0.1."""
    mailbox = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        timeout = 30

        def handle(self) -> None:
            self._say(220)
            for line in self.rfile:
                command = line[:4].upper()
                if command == b"DATA":
                    self._say(354)
                    self._say(250 if mailbox.take(self._mail()) else 451)
                elif command == b"QUIT":
                    self._say(221)
                    return
                else:
                    self._say(250)

        def _say(self, code: int) -> None:
            self.wfile.write(b"%d ok\r\n" % code)

        def _mail(self) -> bytes:
            lines = iter(self.rfile.readline, b".\r\n")
            return b"".join(line[1:] if line.startswith(b".") else line for line in lines)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
