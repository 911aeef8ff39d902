"""Leader and followers: one writes at a time, and whoever comes meanwhile goes with the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.intake.together import Together

# A limit for a busy machine.
_SOON_S = 20.0


class Writer:
    """Answers each with its name in capitals. The first group waits for `go_on`; `fails` is what a group may raise."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.fails: Callable[[Sequence[str]], BaseException | None] = lambda asked: None
        self._busy = threading.Lock()

    def write(self, asked: Sequence[str]) -> list[str | None]:
        assert self._busy.acquire(blocking=False), "two write at the same time"
        try:
            self.groups.append(list(asked))
            self.begun.set()
            assert self.go_on.wait(_SOON_S)
            if error := self.fails(asked):
                raise error
            return [None if one == "apart" else one.upper() for one in asked]
        finally:
            self._busy.release()


@pytest.fixture
def writer() -> Writer:
    return Writer()


def line_of(writer: Writer, *, most: int = 100) -> Together[str, str]:
    return Together(writer.write, size=len, most=most)


def ask(line: Together[str, str], name: str, *, within_s: float = _SOON_S) -> str | None:
    return line.ask(name, until=time.monotonic() + within_s)


def asked(pool: ThreadPoolExecutor, line: Together[str, str], *names: str) -> list[Future[str | None]]:
    """Each name asked for in a thread of its own, in this order."""
    futures = []
    for name in names:
        before = len(line._line)
        futures.append(pool.submit(ask, line, name))
        until(lambda before=before: len(line._line) > before)  # type: ignore[misc]
    return futures


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + _SOON_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


def begun(
    pool: ThreadPoolExecutor, line: Together[str, str], writer: Writer, name: str
) -> Future[str | None]:
    """The first, who leads and is writing now."""
    first = pool.submit(ask, line, name)
    assert writer.begun.wait(_SOON_S)
    return first


def test_who_is_alone_goes_at_once(writer: Writer) -> None:
    writer.go_on.set()
    line = line_of(writer)
    assert [ask(line, "a"), ask(line, "b")] == ["A", "B"]
    assert writer.groups == [["a"], ["b"]]


def test_who_comes_while_another_writes_goes_with_the_next_and_is_told_its_own(writer: Writer) -> None:
    line = line_of(writer)
    with ThreadPoolExecutor(5) as pool:
        first = begun(pool, line, writer, "a")
        others = asked(pool, line, "b", "apart", "c")
        writer.go_on.set()
        assert first.result(_SOON_S) == "A"
        assert [other.result(_SOON_S) for other in others] == ["B", None, "C"]
    assert writer.groups == [["a"], ["b", "apart", "c"]]


def test_a_group_is_bounded_and_what_is_larger_goes_alone(writer: Writer) -> None:
    line = line_of(writer, most=3)
    with ThreadPoolExecutor(8) as pool:
        first = begun(pool, line, writer, "a")
        others = asked(pool, line, "b", "cc", "d", "eeeee", "f")
        writer.go_on.set()
        assert [each.result(_SOON_S) for each in [first, *others]] == ["A", "B", "CC", "D", "EEEEE", "F"]
    assert writer.groups == [["a"], ["b", "cc"], ["d"], ["eeeee"], ["f"]]


def test_where_a_group_fails_each_is_tried_by_itself_and_the_line_goes_on(writer: Writer) -> None:
    line = line_of(writer)
    writer.fails = lambda asked: ValueError() if len(asked) > 1 else None
    with ThreadPoolExecutor(5) as pool:
        begun(pool, line, writer, "a")
        others = asked(pool, line, "b", "c", "d")
        writer.go_on.set()
        assert [other.result(_SOON_S) for other in others] == [None, None, None]
    assert ask(line, "e") == "E"


def test_who_leads_nobody_else_gets_its_own_error(writer: Writer) -> None:
    writer.go_on.set()
    writer.fails = lambda asked: ValueError(asked[0])
    line = line_of(writer)
    with pytest.raises(ValueError, match="a"):
        ask(line, "a")
    writer.fails = lambda asked: None
    assert ask(line, "b") == "B"


def test_a_leader_whose_thread_ends_leaves_nobody_waiting(writer: Writer) -> None:
    line = line_of(writer)
    writer.fails = lambda asked: SystemExit() if "b" in asked else None
    with ThreadPoolExecutor(5) as pool:
        begun(pool, line, writer, "a")
        leader, *followers = asked(pool, line, "b", "c", "d")
        writer.go_on.set()
        assert isinstance(leader.exception(_SOON_S), SystemExit)
        assert [follower.result(_SOON_S) for follower in followers] == [None, None]
    assert ask(line, "e") == "E"


def test_a_follower_waits_only_so_long_and_is_not_written_afterwards(writer: Writer) -> None:
    line = line_of(writer)
    with ThreadPoolExecutor(5) as pool:
        first = begun(pool, line, writer, "a")
        with pytest.raises(DatabaseUnavailable):
            ask(line, "b", within_s=0.05)
        writer.go_on.set()
        assert first.result(_SOON_S) == "A"
    assert ask(line, "c") == "C"
    assert writer.groups == [["a"], ["c"]]


def test_however_many_ask_each_is_told_its_own(writer: Writer) -> None:
    writer.go_on.set()
    line = line_of(writer, most=40)
    names = [f"n{number}" for number in range(2000)]
    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(partial(ask, line), names)) == [name.upper() for name in names]
    assert sorted(name for group in writer.groups for name in group) == sorted(names)
