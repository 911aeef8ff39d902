"""Name resolution with a deadline. The system's resolver can't be interrupted, so a late lookup is left behind."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Resolver:
    """Resolves at most `most` names at once, counting those left behind. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def ask(self, host: str, question: Callable[[], T], deadline: float) -> T:
        """What `question()` finds for `host`. Raises what it raises, TimeoutError, and OSError for an invalid name."""
        if is_numeric(host):
            return question()  # not a name, so the system asks no resolver
        if not self._free.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise TimeoutError("timed out: too many names are being resolved")
        answer: Future[T] = Future()
        threading.Thread(target=self._answer, args=(question, answer), name="resolver", daemon=True).start()
        return answer.result(timeout=max(deadline - time.monotonic(), 0.0))

    def _answer(self, question: Callable[[], T], answer: Future[T]) -> None:
        try:
            answer.set_result(question())
        except UnicodeError:  # IDNA has no form for the name, so it can't exist
            answer.set_exception(socket.gaierror(socket.EAI_NONAME, "the host has no valid name"))
        except BaseException as error:
            answer.set_exception(error)
        finally:
            self._free.release()


def is_numeric(host: str) -> bool:
    """Whether the host is already an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def addresses(host: str, port: int) -> list[tuple[int, str]]:
    """Family and numeric address of every answer for the host. Raises OSError, and UnicodeError for an invalid name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(int(family), str(address[0])) for family, _, _, _, address in found]
