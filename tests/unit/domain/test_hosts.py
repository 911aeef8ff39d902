"""Which texts are addresses: the pattern that the API's document states, held to the standard library."""

from __future__ import annotations

import re
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.hosts import IP_ADDRESS

_PIECES = st.sampled_from(
    ["", "0", "7", "f0", "FFFF", "12345", "::", ":", ".", "203.0.113.7", "255", "256", "g", "%1"]
)


@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.ip_addresses(v=6).map(lambda address: address.exploded),
        st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
        st.lists(_PIECES, max_size=9).map("".join),
        st.lists(_PIECES, max_size=9).map(":".join),
        st.lists(_PIECES, max_size=5).map(".".join),
    )
)
def test_the_pattern_of_ip_addresses_takes_what_the_standard_library_takes(text: str) -> None:
    try:
        is_one = ip_address(text).version > 0 and "%" not in text
    except ValueError:
        is_one = False
    assert (re.fullmatch(IP_ADDRESS, text) is not None) == is_one
