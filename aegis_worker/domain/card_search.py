"""Finds card numbers and security codes in text, however they are written, and little else (design D8). Pure.

The text is first brought into one spelling (`plain`). Then a card number is a number of a card network (`is_card_number`)
whose digits stand together, or in groups as people write them:

- in a card's own groups (4-4-4-4, 4-6-5, …) or one, two or three digits at a time, whatever stands between them: a few
  letters or signs, or the same words each time;
- in two or three groups of any length with nothing but white space between them, which also covers a line that was broken,
  or, as a whole word, in two with one letter between them.

Not in any other groups: keys and references are full of counters and dates between dashes, and of all strings of 16 digits
one in thirty passes the checks. For the same reason what explains itself is passed over: UUIDs and hashes, IBANs and UPS
numbers by their own check digits, groups that are dates, times since 1970 or counters with leading zeros.

Time is linear in the text's length: each start is looked at with a bounded number of groups, each of bounded length.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .card_numbers import LONGEST, SHORTEST, is_card_number
from .plain_text import plain, unescaped
from .security_codes import codes_in, may_name_a_code

Span = tuple[int, int]

_GROUP = re.compile(r"\d+")
_THREE_DIGITS = re.compile(r"\A(?:\D*+\d){3}")
_ENOUGH_DIGITS = re.compile(rf"\A(?:\D*+\d){{{SHORTEST}}}")
_HAS_LETTER = re.compile(r"[^\W\d_]")
# Text without these is in one spelling, and nothing is hidden in it by escapes.
_NOT_PLAIN = re.compile(r"[^ -~]|  |[%\\&]")
# In a card's own groups.
_LAYOUTS = ("44443", "4444", "4443", "4442", "4441", "465", "464")
# In groups that are no card's own, only these lengths are searched for, because others are rare among cards and common
# among counters.
_USUAL_LENGTHS = {15, 16, 19}
_TWO_AND_A_LETTER = re.compile(r"(?<![^\W_])(\d{4,15})[^\W\d_]\d{4,15}(?![^\W_])")
_MOST_SIGNS, _MOST_LETTERS, _LONGEST_WORDS = 4, 3, 16

_ID = re.compile(
    r"(?<![^\W_])(?:"
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?=\d{0,31}[a-f])(?:(?:[0-9a-f]{8}){4,8}|[0-9a-f]{96}|[0-9a-f]{128})"  # a hash, or 16 to 32 random bytes
    r"|9[1-5]\d\d(?: \d{4}){4} \d\d"  # a parcel of USPS, longer than any card number
    r")(?![^\W_])"
)
_ID_OF_OURS = re.compile(r"(?:[a-z]{3}_)?(?=\d{0,31}[a-f])[0-9a-f]{32}")
_IBAN = re.compile(r"(?<![^\W_])[a-z]{2}\d\d(?: ?[0-9a-z]{4}){2,7}(?: ?[0-9a-z]{1,3})?(?![^\W_])")
_UPS = re.compile(r"(?<![^\W_])1z[0-9a-z]{16}(?![^\W_])")
_EXPLAINED = re.compile(
    r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d*"  # 20261126…
    r"|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])20\d\d"  # 26112026
    r"|1[4-9]\d{8}(?:\d{3}){0,3}"  # seconds and parts of them since 1970, from 2014 on
    r"|000\d{3,}"
)
_YEAR, _MONTH_AND_DAY = re.compile(r"20[1-4]\d"), re.compile(r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def holds_card_data(text: str) -> bool:
    """Whether `text` holds what looks like a card number, or a security code with its name."""
    if text.isascii() and _THREE_DIGITS.match(text) is None:
        return False  # too few digits, and nothing that names a security code: so it is with most texts
    if next(_found(plain(text).text), None) is not None:
        return True
    inner = unescaped(text)
    return inner is not None and next(_found(plain(inner).text), None) is not None


def card_data_in(text: str) -> list[Span]:
    """Where card numbers and security codes stand in `text`: disjoint, in order. All of it where only escapes hide one."""
    return [] if _plainly_holds_none(text) else _searched(text)


def _plainly_holds_none(text: str) -> bool:
    """A quick first look: True is certain. Most texts are short words and ids of ours."""
    if _NOT_PLAIN.search(text) is not None:
        return False
    if _ENOUGH_DIGITS.match(text) is not None and _ID_OF_OURS.fullmatch(text) is None:
        return False
    return _THREE_DIGITS.match(text) is None or not may_name_a_code(text.lower())


def _searched(text: str) -> list[Span]:
    read = plain(text)
    spans = _merged(read.span(*span) for span in _found(read.text))
    inner = unescaped(text)
    if inner is not None and not spans and holds_card_data(inner):
        return [(0, len(text))]
    return spans


def _found(text: str) -> Iterator[Span]:
    yield from codes_in(text)
    if _ENOUGH_DIGITS.match(text) is not None:
        rest = _without_known_forms(text)
        if _ENOUGH_DIGITS.match(rest) is not None:
            yield from _numbers_in(rest)


def _numbers_in(text: str) -> Iterator[Span]:
    groups = [found.span() for found in _GROUP.finditer(text)]
    for start, end in groups:
        if end - start >= SHORTEST and _is_whole_number(text, start, end):
            yield start, end
    if len(groups) > 1:
        for first, last in _windows(text, groups):
            if _is_in_groups(text, groups[first : last + 1]):
                yield groups[first][0], groups[last][1]


def _is_whole_number(text: str, start: int, end: int) -> bool:
    if end - start <= LONGEST and is_card_number(text[start:end]):
        is_fraction = text.startswith("0.", max(start - 2, 0), start)
        is_telephone = end - start == SHORTEST and text.startswith("+", max(start - 1, 0), start)
        return not is_fraction and not is_telephone
    digits = text[start:end].lstrip("0")
    return SHORTEST + 2 <= len(digits) < end - start <= 2 * LONGEST and is_card_number(digits)


def _is_in_groups(text: str, groups: Sequence[Span]) -> bool:
    words = [text[start:end] for start, end in groups]
    return is_card_number("".join(words)) and not _explained(words)


def _explained(words: Sequence[str]) -> bool:
    if any(map(_EXPLAINED.fullmatch, words)):
        return True
    return any(_YEAR.fullmatch(year) and _MONTH_AND_DAY.fullmatch(day) for year, day in pairwise(words))


def _windows(text: str, groups: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """The first and last of groups that may be one number."""
    lengths = [end - start for start, end in groups]
    layout_of_all = "".join(str(min(length, 9)) for length in lengths)
    between = [text[end:start] for (_, end), (start, _) in pairwise(groups)]
    for first in range(len(groups) - 1):
        if lengths[first] == 4:
            for layout in _LAYOUTS:
                last = first + len(layout) - 1
                if layout_of_all.startswith(layout, first) and _joined(between[first:last]):
                    yield first, last
        for last in range(first + 1, min(first + 3, len(groups))):
            if sum(lengths[first : last + 1]) in _USUAL_LENGTHS and set(between[first:last]) == {" "}:
                yield first, last
    for word in _TWO_AND_A_LETTER.finditer(text):
        first = bisect_left(groups, word.span(1))
        yield first, first + 1
    yield from _evenly_spaced(lengths, between)


def _joined(between: Sequence[str]) -> bool:
    """Whether groups with this between them may be one number: a few signs or letters each, or the same words each time."""
    if len(set(between)) == 1 and len(between[0]) <= _LONGEST_WORDS:
        return True
    return all(
        len(words) <= (_MOST_LETTERS if _HAS_LETTER.search(words) else _MOST_SIGNS) for words in between
    )


def _evenly_spaced(lengths: Sequence[int], between: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of groups of one, two or three digits, as long as they are: more digits than a card has are no card number.

    Between them the same stands each time; between single digits it may be other letters. The last group may be shorter.
    """
    first = 0
    while first < len(between):
        length, words, last = lengths[first], between[first], first
        while last < len(between) and lengths[last + 1] <= length == lengths[last] <= 3:
            if between[last] != words and not (length == 1 and _are_letters(words, between[last])):
                break
            last += 1
        if last - first >= 4:
            yield first, last
        first = max(last, first + 1)


def _are_letters(*words: str) -> bool:
    return all(len(word) <= 2 and _HAS_LETTER.search(word) for word in words)


def _without_known_forms(text: str) -> str:
    """`text` with what is known to be something else blotted out, in place."""
    text = _ID.sub(_blot, text)
    if _ENOUGH_DIGITS.match(text) is None:
        return text
    text = _IBAN.sub(lambda found: _blot(found) if _is_iban(found.group()) else found.group(), text)
    return _UPS.sub(lambda found: _blot(found) if _is_ups(found.group()) else found.group(), text)


def _blot(found: re.Match[str]) -> str:
    # As many letters as were found: more than may stand between the groups of one number, so that none is joined across.
    return "x" * len(found.group())


def _is_iban(text: str) -> bool:
    """Whether the check digits are right (ISO 13616)."""
    word = text.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in word[4:] + word[:4])) % 97 == 1


def _is_ups(text: str) -> bool:
    """Whether the check digit is right."""
    values = [int(one) if one.isdigit() else (ord(one) - 95) % 10 for one in text[2:]]
    return (sum(values[0:15:2]) + 2 * sum(values[1:15:2]) + values[15]) % 10 == 0


def _merged(spans: Iterator[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
