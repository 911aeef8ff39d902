"""How a process of ours asks hooks, and what it is told. Whoever asks knows this module and no other of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from .points import Point, Policy

Done = Callable[[tuple["Said", ...]], None]


class Said(Struct, frozen=True):
    """What one hook said.

    `hook`: its name, such as `our_shop:fraud_check`. `answer`: of the point's type (`points.ABOUT`), or None where it had
    nothing to say or failed. `failed`: why it gave no answer, in words without personal data ("timed out after 500 ms",
    "raised KeyError", "its breaker is open"); `policy` says what holds then. `took_ms`: how long it ran. `crowded_out`: it
    failed only because other payments were before this one: asked again a moment later, it may well answer.
    """

    hook: str
    answer: Any
    failed: str | None
    took_ms: float
    policy: Policy
    crowded_out: bool = False


class Hooks(Protocol):
    """Asks the hooks that are loaded and switched on. Nothing of it raises because of what a hook does; where hooks can't
    be loaded, all but `close` raise ConfigurationError.
    """

    def has(self, point: Point) -> bool:
        """Whether any hook is to be asked at this point; so cheap that every payment may ask."""

    def names(self, point: Point) -> tuple[str, ...]:
        """The hooks of this point, in the order in which they are asked."""

    def within_s(self, point: Point) -> float:
        """How long to wait for all hooks of this point, in seconds.

        At the points of the API, where a merchant waits, it is the sum of the hooks' limits, at most `most_within_ms`. In a
        worker it is `most_within_ms`, because a payment may also wait until the hooks of other payments have run.
        """

    def begin(
        self, point: Point, context: Struct, done: Done, *, within_s: float, only: str | None = None
    ) -> None:
        """Ask every hook of the point, or `only` the one of that name, in order of priority. Returns at once.

        `done` is called once, at the latest after `within_s` (seconds), from a thread of the hooks' own, for which it must
        not wait for anything: it gets a `Said` of each hook, in order. A hook may be asked more than once about the same.
        """

    def ask(
        self, point: Point, context: Struct, *, within_s: float, only: str | None = None
    ) -> tuple[Said, ...]:
        """As `begin`, but wait for the answers and return them."""

    def close(self) -> None:
        """End the processes that hooks run in. Questions under way fail, and later ones are not answered."""


class InstalledHooks(Hooks, Protocol):
    """The hooks of an installation, as a process holds them."""

    def load(self) -> object:
        """Load them, which otherwise happens at the first question. Waits for the plug-ins to be imported."""

    def beside(self, *, processes: int) -> Hooks:
        """The same hooks in another pool, which has its own breakers and at most so many processes."""


class _NoHooks:
    """No hooks: nobody is asked and nothing started."""

    def load(self) -> object:
        return None

    def has(self, point: Point) -> bool:
        return False

    def names(self, point: Point) -> tuple[str, ...]:
        return ()

    def within_s(self, point: Point) -> float:
        return 0.0

    def begin(
        self, point: Point, context: Struct, done: Done, *, within_s: float, only: str | None = None
    ) -> None:
        done(())

    def ask(
        self, point: Point, context: Struct, *, within_s: float, only: str | None = None
    ) -> tuple[Said, ...]:
        return ()

    def beside(self, *, processes: int) -> Hooks:
        return self

    def close(self) -> None:
        return


NO_HOOKS: InstalledHooks = _NoHooks()
