"""Name resolution that is given up in time. The system's can't be interrupted: whoever asked leaves it behind."""

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
    """Asks about at most `most` names at once, those that were left behind included. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    def ask(self, host: str, question: Callable[[], T], deadline: float) -> T:
        """What `question()` finds for `host`. Raises what it raises, TimeoutError, and OSError for what is no host name."""
        if is_numeric(host):
            return question()  # no name: the system asks nobody
        if not self._free.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            raise TimeoutError("timed out: too many names are being resolved")
        answer: Future[T] = Future()
        threading.Thread(target=self._answer, args=(question, answer), name="resolver", daemon=True).start()
        return answer.result(timeout=max(deadline - time.monotonic(), 0.0))

    def _answer(self, question: Callable[[], T], answer: Future[T]) -> None:
        try:
            answer.set_result(question())
        except UnicodeError:  # IDNA has no form for it, so nobody can know it
            answer.set_exception(socket.gaierror(socket.EAI_NONAME, "the host has no valid name"))
        except BaseException as error:
            answer.set_exception(error)
        finally:
            self._free.release()


def is_numeric(host: str) -> bool:
    """Whether the host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def addresses(host: str, port: int) -> list[tuple[int, str]]:
    """Family and numeric address of every answer for the host. Raises OSError, and UnicodeError for what is no name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(int(family), str(address[0])) for family, _, _, _, address in found]
