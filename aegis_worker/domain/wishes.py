"""What a hook asks for around a call to a gateway, and what came of it: the core may refuse it. Plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert, to_builtins

Ask = Literal["nothing", "go_on", "retry", "delay", "other_gateway", "refund", "review", "cancel"]

HEARD = "hooks"
"""Under which name an attempt's decision keeps what hooks said of its call beforehand that changed nothing."""

LONGEST_DELAY_S = 3600.0
"""The longest that a hook may put off what is next, in seconds."""

# What `Wish.because` writes, and all that stands behind it: a hook's words may hold anything.
_BECAUSE = re.compile(r"\bhook \S+ asks for it\b.*", re.DOTALL)


class Wish(Struct, frozen=True, omit_defaults=True):
    """What one hook asks for. `source`: which, such as `hook our_shop:on_error`.

    `refused`: why the core does not do it; None where it does, or where nothing was judged yet. `failed`: why the hook gave
    no answer; `ask` is then that of its failure policy. `reason` and `failed` hold no personal data. `in_doubt`: it was
    asked for while the call was in doubt, and is moot once that is over.
    """

    source: str
    ask: Ask
    reason: str | None = None
    delay_s: float | None = None
    gateway: str | None = None
    failed: str | None = None
    refused: str | None = None
    in_doubt: bool = False

    @property
    def because(self) -> str:
        """Who asks for it and why, in words."""
        why = self.failed or self.reason
        return f"{self.source} asks for it" + (f": {why}" if why else "")


def without_hooks_words(reason: str) -> str:
    """A reason as merchants get it: that a hook asked for it, and neither which nor why (see `screening.for_merchants`)."""
    return _BECAUSE.sub("a hook asked for it", reason) if " asks for it" in reason else reason


def granted(wishes: Iterable[Wish]) -> Wish | None:
    """The one that is done; None where none is."""
    return next(
        (wish for wish in wishes if wish.refused is None and wish.ask not in ("nothing", "go_on")), None
    )


def standing(wishes: Iterable[Wish]) -> Wish | None:
    """The one that holds after a refusal, whoever takes the payment up; None where none does."""
    return granted(wish for wish in wishes if not wish.in_doubt)


def wishes_from(kept: Any) -> tuple[Wish, ...]:
    """What `wishes_to_json` wrote. Raises ValueError for anything else."""
    try:
        return convert(kept, tuple[Wish, ...])
    except ValidationError as error:
        raise ValueError(str(error)) from error


def wishes_to_json(wishes: Sequence[Wish]) -> list[dict[str, Any]]:
    """As an attempt's outcome keeps them."""
    return [to_builtins(wish) for wish in wishes]
