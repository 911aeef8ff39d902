"""The XML of gateways: what is read of it, what is refused, and what is written."""

from __future__ import annotations

import pytest
from braintree.util.xml_util import XmlUtil
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_worker.gateways.kit.reading import Unreadable
from aegis_worker.gateways.kit.xml import DEEPEST, MOST_BYTES, MOST_ELEMENTS, parsed_xml, written_xml

_NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
_TEXTS = st.text("a<&>'\"];Ä🌍7-", min_size=1, max_size=12)


def test_a_record_a_list_and_what_is_absent() -> None:
    body = b'<sale><id> abc </id><ids type="array"><item>r1</item><item>r2</item></ids><x nil="true"/><y/></sale>'
    assert parsed_xml(body) == {"sale": {"id": "abc", "ids": ["r1", "r2"], "x": None, "y": ""}}


def test_a_collection_is_its_records() -> None:
    body = b'<all type="collection"><page type="integer">1</page><sale><id>a</id></sale><sale><id>b</id></sale></all>'
    assert parsed_xml(body) == {"all": [{"id": "a"}, {"id": "b"}]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a><b></a>",
        b"<a/><a/>",
        b"<a><b/><b/></a>",
        b"<a>text<b/></a>",
        b"<a>&undeclared;</a>",
        b"<?php echo 1 ?><a/>",
        b'<?xml version="1.0" encoding="no-such-one"?><a/>',
        b"<a>\xff</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY e "10">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "http://127.0.0.1/">]><a>&e;</a>',
        b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
        b"<a>" + b"<b/>" * MOST_ELEMENTS + b"</a>",
        b"<a>" + b" " * MOST_BYTES + b"</a>",
    ],
    ids=lambda body: body[:40].decode(errors="replace"),
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parsed_xml(body)


def test_what_is_none_is_left_out_and_what_may_not_stand_in_xml_is_dropped() -> None:
    written = written_xml(
        "sale", {"a": None, "b": True, "c": "<&>\x00\ud800Ä", "d": ["1", "2"], "e": {"f": "g"}}
    )
    assert parsed_xml(written) == {"sale": {"b": "true", "c": "<&>Ä", "d": ["1", "2"], "e": {"f": "g"}}}


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(_NAMES, st.one_of(_TEXTS, st.dictionaries(_NAMES, _TEXTS, min_size=1)), min_size=1))
def test_what_is_written_reads_as_the_sdk_reads_it(fields: dict[str, object]) -> None:
    written = written_xml("sale", fields)
    assert parsed_xml(written) == {"sale": fields} == XmlUtil.dict_from_xml(written)
