"""Braintree's XML: the emulator reads what the official SDK writes, and the SDK reads what the emulator writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from braintree.util.xml_util import XmlUtil
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_worker.emulator.braintree.xml import Malformed, Many, Moment, document, parse

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
NAMES = st.sampled_from(["order_id", "amount", "credit_card", "options", "number"])
TREES = st.recursive(TEXT, lambda inner: st.dictionaries(NAMES, inner, min_size=1), max_leaves=10)


@settings(max_examples=30)
@given(st.dictionaries(NAMES, TREES, min_size=1))
def test_it_reads_what_the_sdk_writes(tree: dict[str, Any]) -> None:
    assert parse(XmlUtil.xml_from_dict({"transaction": tree}).encode()) == {"transaction": tree}


@settings(max_examples=30)
@given(st.dictionaries(NAMES, TREES, min_size=1))
def test_the_sdk_reads_what_it_writes(tree: dict[str, Any]) -> None:
    assert XmlUtil.dict_from_xml(document("transaction", tree).decode()) == {"transaction": tree}


def test_types_are_attributes() -> None:
    tree = {"at": Moment(0.0), "ids": Many("item", ["a", "b"]), "none": None, "number": 3, "true": True}
    assert XmlUtil.dict_from_xml(document("x", tree).decode()) == {
        "x": {
            "at": datetime.fromtimestamp(0, UTC).replace(tzinfo=None),
            "ids": ["a", "b"],
            "none": None,
            "number": 3,
            "true": True,
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"<a><b></a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>" * 30 + b"</a>" * 30,
    ],
)
def test_what_is_none_of_it_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)
