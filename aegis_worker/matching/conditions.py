"""Conditions: one field of a payment compared with one value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aegis_worker.domain.metadata import is_key

from .kinds import ANYTHING, Kind
from .operators import Test

METADATA, FACTS = "metadata.", "facts."


class Field(NamedTuple):
    """How a field is read, and what its values look like."""

    read: Callable[[Any], Any]
    kind: Kind


class Vocabulary:
    """The fields that conditions may look at, besides metadata.KEY; `metadata` reads all of that. `facts` reads what
    facts.KEY stands for, where there are any.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        metadata: Callable[[Any], Mapping[str, Any]],
        facts: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> None:
        self._fields = fields
        self._keyed = {METADATA: metadata} | ({} if facts is None else {FACTS: facts})

    def __iter__(self) -> Iterator[str]:
        """The names of the fields."""
        return iter(self._fields)

    @property
    def known(self) -> str:
        """What may be asked for, in words."""
        return ", ".join((*self._fields, *(f"{prefix}KEY" for prefix in self._keyed)))

    def field(self, name: Any) -> Field | None:
        """The field of that name; None where there is none."""
        if not isinstance(name, str):
            return None
        for prefix, read in self._keyed.items():
            if name.startswith(prefix):
                return _of_key(read, name.removeprefix(prefix))
        return self._fields.get(name)


def _of_key(read: Callable[[Any], Mapping[str, Any]], key: str) -> Field | None:
    return Field(lambda subject: read(subject).get(key), ANYTHING) if is_key(key) else None


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field with a value; amounts in minor units of whatever currency they are in.

    `met_by`: whether what the vocabulary reads meets it. Raises ValueError for a field that the vocabulary doesn't have.
    """

    field: str
    operator: str
    value: Any
    vocabulary: Vocabulary = dataclasses.field(compare=False, repr=False)
    met_by: Test = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        known = self.vocabulary.field(self.field)
        if known is None:
            raise ValueError(f"there is no field {self.field}")
        read, test = known.read, known.kind.test(self.operator, self.value)
        object.__setattr__(self, "met_by", lambda subject: test(read(subject)))


def condition_document(condition: Condition) -> dict[str, Any]:
    """The table that describes a condition."""
    value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
    return {"field": condition.field, "operator": condition.operator, "value": value}


def all_of(tests: Sequence[Test]) -> Test:
    """One test that makes all of these in order, and stops at the first that fails, as most of hundreds of rules do."""
    if not tests:
        return lambda subject: True
    first, *others = tests
    if not others:
        return first
    rest = all_of(others)
    return lambda subject: first(subject) and rest(subject)
