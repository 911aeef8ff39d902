"""The places that a peer has for transfers, and the transfers that wait for one."""

from __future__ import annotations

from collections import defaultdict, deque

from msgspec import Struct

from .transfers import Done, Peer, Transfer


class Asked(Struct, frozen=True, eq=False, weakref=True):
    """A transfer that somebody asked for. It waits for a place until `connect_by` (monotonic) at the latest."""

    transfer: Transfer
    done: Done
    connect_by: float


class Places:
    """At most `peer.most` transfers to a peer are under way; more wait in the order in which they came."""

    def __init__(self) -> None:
        self._taken: defaultdict[Peer, int] = defaultdict(int)
        self._waiting: defaultdict[Peer, deque[Asked]] = defaultdict(deque)

    def take(self, asked: Asked) -> bool:
        """Whether it got a place. If not, it waits for one."""
        peer = asked.transfer.peer
        if self._taken[peer] < peer.most:
            self._taken[peer] += 1
            return True
        self._waiting[peer].append(asked)
        return False

    def give_back(self, peer: Peer) -> Asked | None:
        """A place is free. Returns who waited longest for it, and has it now."""
        if waiting := self._waiting.get(peer):
            return waiting.popleft()
        self._taken[peer] -= 1
        if not self._taken[peer]:
            del self._taken[peer]
            self._waiting.pop(peer, None)
        return None

    def gives_up(self, asked: Asked) -> bool:
        """It waits no longer. Returns whether it still did."""
        try:
            self._waiting[asked.transfer.peer].remove(asked)
        except ValueError:
            return False
        return True

    def empty(self) -> list[Asked]:
        """Everybody who waits, who shall not wait any more."""
        waiting = [asked for queue in self._waiting.values() for asked in queue]
        self._waiting.clear()
        return waiting
