"""What a text may hold, and when two names are one name. Below the API and the command line, so that both go by it.

A text may hold what people write: every script, combining marks, emoji with their joiners and selectors, the marks of
writing from right to left. It may not hold what deceives, or what a gateway refuses after the payment was accepted: other
control characters, overrides and isolates of the direction of writing, annotations that are not shown, tag characters
outside a flag, unpaired surrogates, noncharacters. Unassigned characters are taken, for tomorrow's emoji are among them;
those of planes that nobody uses are not.
"""

from __future__ import annotations

import re
import unicodedata

# Written in what the patterns of Python and of ECMA-262 (flag `u`) have in common, so that the OpenAPI document can state
# this very rule. The classes list what is allowed and not what is forbidden, because a document in I-JSON (RFC 7493) can't
# name a surrogate or a noncharacter.
_BASIC = (
    r" -~\u00a0-\u2027\u202f-\u2065\u2070-\ud7ff\ue000-\ufdcf\ufdf0-\ufefe\uff00-\ufff8\ufffc\ufffd"
    # Each further plane that is in use, without its last two code points; of plane 14 only what follows the tags.
    + "".join(
        f"{chr((plane << 16) + (0x80 if plane == 14 else 0))}-{chr((plane << 16) + 0xFFFD)}"
        for plane in (1, 2, 3, 14, 15, 16)
    )
)
_BREAKS = r"\t\n\r\u2028\u2029"
# Flags of regions, such as England's: a black flag, then letters and digits as tags, then the tag that ends them.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
# Characters that nobody sees: soft hyphen, joiners, zero-width spaces, directional marks, selectors, fillers, tags.
_UNSEEN = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff"
)

LINE = rf"^(?:[{_BASIC}]|{_FLAG})*$"
"""A pattern: a text of one line."""
NAME = rf"^(?=.*[^\s{_UNSEEN}])(?:[{_BASIC}]|{_FLAG})*$"
"""A pattern: a text of one line in which something is seen."""
LINES = rf"^(?:[{_BREAKS}{_BASIC}]|{_FLAG})*$"
"""A pattern: a text that may have tabs and line breaks (LF, CR LF, CR, and Unicode's two separators)."""
KEY = r"^ *[!-+\--~][ -+\--~]*$"
"""A pattern: an idempotency key as it may be given; it has at most `LONGEST_NAME` characters."""

LONGEST_NAME = 255
# Cut off at both ends. After NFKC only these are left of Unicode's white space.
_SPACES = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029"
KEY_RULE = "Must be 1 to 255 printable ASCII characters without a comma."


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z")


_whole_line, _whole_name, _whole_lines, _whole_key = map(_whole, (LINE, NAME, LINES, KEY))
_unseen = re.compile(f"[{_UNSEEN}]")


def is_line(text: str) -> bool:
    """Whether `text` may be a text of one line."""
    return (text.isascii() and text.isprintable()) or _whole_line.match(text) is not None


def is_lines(text: str) -> bool:
    """Whether `text` may be a text of several lines."""
    return (text.isascii() and text.isprintable()) or _whole_lines.match(text) is not None


def is_name(text: str) -> bool:
    """Whether `text` may be a name by which a merchant finds a payment: 1 to 255 characters, also in its one form."""
    return _whole_name.match(text) is not None and 0 < len(same_name(text)) <= LONGEST_NAME


def same_name(name: str) -> str:
    """The one form of a merchant's name for a payment (`reference`): two are one name if their forms are equal.

    Without what is not shown, in Unicode's form NFKC, without spaces around it. Case counts, and so do spaces within.
    PostgreSQL's function `aegis_same_name` says the same.
    """
    if name.isascii():
        return name.strip(_SPACES)
    return unicodedata.normalize("NFKC", _unseen.sub("", name)).strip(_SPACES)


def same_key(given: str) -> str | None:
    """The one form of an idempotency key, without spaces around it; None where it is no key.

    A key has no comma: a server joins a header that is sent twice with one, and `K,K` would be another key than `K`.
    """
    if len(given) > LONGEST_NAME or not _whole_key.match(given):
        return None
    return given.strip(" ")
