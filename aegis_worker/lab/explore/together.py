"""Several configurations explored side by side, each in a process of its own, one for each core."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from aegis_worker.errors import AegisError

from . import configurations as _configurations  # noqa: F401  # its scenarios, in the processes too
from .checkpoint import load, save
from .search import Explored, Search
from .setups import Configuration

_SAVED_EVERY_S = 300.0
_LOOKS_EVERY_S = 0.2


class ExplorationLost(AegisError):
    """A process of the exploration was killed."""


class Task(NamedTuple):
    """One exploration. `file`: where it is kept, if anywhere. `ends_at`: when it stops, of `time.monotonic`, which all
    processes of a machine share.
    """

    configuration: Configuration
    faults: int
    file: Path | None
    ends_at: float
    drops: bool


def explore(task: Task, is_stopped: Callable[[], bool], told: Callable[[int], None]) -> Explored:
    """Explore it, or go on with what is in its file, until it is over or has to stop. Raises BadCheckpoint, OSError."""
    configuration, faults, file = task.configuration, task.faults, task.file
    if file is not None and file.exists():
        search = load(file, configuration, faults, drops=task.drops)
    else:
        search = Search(configuration, faults, drops=task.drops)
    is_over = False
    while not is_over and not _has_to_stop(task, is_stopped):
        saves_at = time.monotonic() + (_SAVED_EVERY_S if file is not None else float("inf"))
        is_over = search.run(
            lambda: _has_to_stop(task, is_stopped) or time.monotonic() > saves_at,  # noqa: B023
            told,
        )
        if file is not None:
            save(search, file)
    return search.explored


def _has_to_stop(task: Task, is_stopped: Callable[[], bool]) -> bool:
    return is_stopped() or time.monotonic() > task.ends_at


def explore_all(
    tasks: Sequence[Task], processes: int, is_stopped: Callable[[], bool], told: Callable[[int], None]
) -> list[Explored]:
    """Explore them in so many processes, and give what came of each, in their order.

    Raises what `explore` does, and ExplorationLost.
    """
    if processes == 1 or len(tasks) == 1:
        return [_explored(task, is_stopped, told) for task in tasks]
    return _side_by_side(tasks, processes, is_stopped, told)


def _side_by_side(
    tasks: Sequence[Task], processes: int, is_stopped: Callable[[], bool], told: Callable[[int], None]
) -> list[Explored]:
    context = get_context("spawn")
    stopping, looked_at = context.Event(), context.Value("Q", 0)
    shared = (os.getpid(), stopping, looked_at)
    pool = ProcessPoolExecutor(min(processes, len(tasks)), context, _begin, shared)
    try:
        futures = [pool.submit(_in_the_pool, task) for task in tasks]
        _wait(futures, stopping, looked_at, is_stopped, told)
        explored = [_result(task, future, is_stopped) for task, future in zip(tasks, futures, strict=True)]
    finally:
        stopping.set()
        pool.shutdown(cancel_futures=True)
    return explored


def _result(task: Task, future: Future[Explored], is_stopped: Callable[[], bool]) -> Explored:
    try:
        return future.result()
    except BrokenProcessPool as broken:
        if is_stopped():  # Ctrl-C reached one that had only begun
            return _not_begun(task)
        raise ExplorationLost(
            "a process of the exploration was killed; fewer --processes need less memory"
        ) from broken


def _wait(
    futures: Iterable[Future[Any]],
    stopping: Any,
    looked_at: Any,
    is_stopped: Callable[[], bool],
    told: Callable[[int], None],
) -> None:
    left, known = set(futures), 0
    while left:
        done, left = wait(left, timeout=_LOOKS_EVERY_S, return_when=FIRST_COMPLETED)
        if is_stopped() or any(future.exception() for future in done):
            stopping.set()
        now = looked_at.value
        told(now - known)
        known = now


# What a process of the pool shares with its parent: whether to stop, and how many moments were looked at.
_SHARED: list[Any] = []


def _begin(parent: int, *shared: Any) -> None:
    _SHARED[:] = shared
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent is told, and says when to stop
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """A process whose parent was killed would wait for its next task for ever."""
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY_S)
    os._exit(1)


def _in_the_pool(task: Task) -> Explored:
    stopping, looked_at = _SHARED

    def is_stopped() -> bool:
        return bool(stopping.is_set())

    def told(states: int) -> None:
        with looked_at.get_lock():
            looked_at.value += states

    return _explored(task, is_stopped, told)


def _explored(task: Task, is_stopped: Callable[[], bool], told: Callable[[int], None]) -> Explored:
    return _not_begun(task) if _has_to_stop(task, is_stopped) else explore(task, is_stopped, told)


def _not_begun(task: Task) -> Explored:
    return Explored(task.configuration.name, task.configuration.operation, task.faults)
