"""Twins: charges under one reference of ours, of which a gateway should have made one. Pure.

A call that is repeated under its key may freeze between the last look at the clock and its first byte. If it leaves when
its gateway has forgotten the key, it charges a second time. No client can rule that out, so twins are looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from .gateway_keys import parse_gateway_key
from .outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Outcome,
    Pending,
    Twin,
    Unknown,
    UnknownKind,
)

_FURTHEST_FIRST = (Approved, Pending, ActionRequired, Unknown, Declined, NotFound)


def of_several(found: Sequence[Lookup]) -> Lookup:
    """What a look-up by our reference says, by the outcomes of all charges that carry it: the one that got furthest, with
    the others as its twins.
    """
    if not found:
        return NotFound()
    first = min(found, key=_rank)
    twins = tuple(twin for one in found if one is not first and (twin := _as_twin(one)) is not None)
    return _with(first, twins)


def beside(said: Lookup, listed: Lookup) -> Lookup:
    """What a look-up by the gateway's id `said`, with everything else as twins that one by our reference `listed`."""
    if not isinstance(said, Approved | Declined):
        return said
    if isinstance(listed, Unknown):
        return listed
    twins = (_as_twin(listed), *twins_of(listed))
    return _with(
        said, tuple(twin for twin in twins if twin is not None and twin.gateway_ref != said.gateway_ref)
    )


def twins_of(said: Outcome | Lookup) -> tuple[Twin, ...]:
    """The twins that a look-up shows."""
    return said.twins if isinstance(said, Approved | Declined) else ()


def new_twins(said: Outcome | Lookup, known: Collection[str | None]) -> list[Twin]:
    """Those that no attempt stands for; `known`: the references that the payment's attempts have at that gateway."""
    return [twin for twin in twins_of(said) if twin.gateway_ref not in known]


def is_of_another(said: Outcome | Lookup, known: str | None) -> bool:
    """Whether a gateway has told of another charge than the one that it is asked about, whose reference is `known` by its
    answer. Both may carry our reference, and neither says anything of the other.
    """
    return (
        isinstance(said, Approved | Declined)
        and known is not None
        and parse_gateway_key(known) is None
        and said.gateway_ref not in (None, known)
    )


def of_known(said: Lookup, known: str | None) -> Lookup:
    """What a look-up says of the charge whose reference is `known` by its answer: nothing, where it tells of another."""
    if not is_of_another(said, known):
        return said
    shown = said.gateway_ref if isinstance(said, Approved | Declined) else None
    reason = f"an answer about something else: it shows {shown}, asked was about {known}"
    return Unknown(reason, kind=UnknownKind.MISMATCH)


def _rank(one: Lookup) -> tuple[int, bool]:
    return _FURTHEST_FIRST.index(type(one)), isinstance(one, Approved) and one.given_back


def _as_twin(one: Lookup) -> Twin | None:
    if isinstance(one, Approved) and not one.given_back:
        return Twin(one.gateway_ref, one.captured)
    return Twin(one.gateway_ref, pending=True) if isinstance(one, Pending | ActionRequired) else None


def _with(said: Lookup, twins: tuple[Twin, ...]) -> Lookup:
    if not twins or not isinstance(said, Approved | Declined):
        return said
    return replace(said, twins=twins)
