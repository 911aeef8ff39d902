"""Why a job waits for a person, as a kind: what may be decided follows from it. Pure."""

from __future__ import annotations

from typing import Literal, get_args

ReviewKind = Literal["doubt", "fraud"]
"""`doubt`: what happened at a gateway has to be found out. `fraud`: nothing was sent; a person says whether it may be."""

REVIEW_KINDS: tuple[ReviewKind, ...] = get_args(ReviewKind)
