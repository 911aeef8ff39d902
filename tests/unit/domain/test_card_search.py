"""Card data is found however it is written, ordinary orders are left alone, and looking costs in step with the length."""

from __future__ import annotations

import random
import time
import uuid

import pytest
from support.disguised_card_numbers import DISGUISED_NUMBERS, NUMBERS
from support.disguised_security_codes import DISGUISED_CODES
from support.ordinary_orders import ordinary_orders

from aegis_worker.domain import card_search, security_codes
from aegis_worker.domain.card_numbers import is_card_number, luhn_valid
from aegis_worker.domain.card_pointers import pointers_to
from aegis_worker.domain.card_search import card_data_in, holds_card_data


@pytest.mark.parametrize("number", NUMBERS)
def test_the_number_of_a_network_is_a_card_number_and_its_neighbour_is_none(number: str) -> None:
    assert is_card_number(number)
    assert not is_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("text", [*DISGUISED_NUMBERS, *DISGUISED_CODES])
def test_card_data_is_found_in_every_disguise(text: str) -> None:
    assert holds_card_data(text)
    assert holds_card_data(f"Two tickets, {text}; thanks!")


@pytest.mark.parametrize("text", [*DISGUISED_NUMBERS, *DISGUISED_CODES])
def test_nothing_is_found_any_more_in_what_is_left_when_card_data_is_cut_out(text: str) -> None:
    left, end_before = "", 0
    for start, end in card_data_in(text):
        left += text[end_before:start] + "[hidden]"
        end_before = end
    assert not holds_card_data(left + text[end_before:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "order-1042",
        "4111111111111112",  # fails the Luhn check
        "411111111111",  # 12 digits
        "9111111111111111",  # no network's
        "20261121090000123",
        "2611261802520042"[:12] + "0042",  # yymmddhhmmss and a counter
        "+49 30 901820 12345",
        "+4915112345678",
        "0000000000000000",
        "41111111111111110000000000",  # a longer number is not a card number
        "4006381333931",  # an article number, which begins as Visa's old ones did
        "1764180172123-4711",
        "4711-20261126-0042",
        "4711-2026-1126-1042",
        "412345 1764180172",
        "41234567 20261126",
        "0.4111111111111111",
        "DE89 3704 0044 0532 0130 00",
        "1Z12345E0205271688",
        "9400 1118 9922 3344 5566 77",
        "4111 11** **** 1111",  # as receipts show it
        "411111******1111",
        "Visa ending in 1111, 12/29",
        "52:54:00:12:34:56",
        "cvv: yes",
        "cvv check: pass, 12345",
        "cvv2 is not here, 737 is",
        "CSCART-123",
        "the code is 1234",
        "zip code 12345",
    ],
)
def test_what_is_no_card_data_is_left_alone(text: str) -> None:
    assert card_data_in(text) == []
    assert not holds_card_data(text)


@pytest.mark.slow
def test_of_10_000_ordinary_orders_fewer_than_one_in_a_thousand_is_refused() -> None:
    orders = list(ordinary_orders(10_000))
    refused = [(order, found) for order in orders if (found := pointers_to(order))]
    assert len(orders) == 10_000
    assert len(refused) < 10, refused


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_of_ordinary_orders_with_a_card_in_them_every_one_is_refused(count: int) -> None:
    rng = random.Random(9)
    disguises = [*DISGUISED_NUMBERS, *DISGUISED_CODES]
    for order in ordinary_orders(count):
        place = rng.choice(("idempotency_key", "reference", "description"))
        card = rng.choice(disguises)
        assert f"/{place}" in pointers_to(order | {place: f"{order[place]}; {card}"}), (order, card)


def test_a_uuid_or_hash_is_never_refused_so_a_key_that_looks_like_a_card_can_be_sent_as_one() -> None:
    rng = random.Random(20261121)
    for _ in range(20_000):
        one = uuid.UUID(int=rng.getrandbits(128), version=4)
        assert not holds_card_data(f"{one} {one.hex} {rng.getrandbits(256):064x}")
    for number in NUMBERS:
        assert not holds_card_data(str(uuid.uuid5(uuid.NAMESPACE_URL, number)))


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "5-",
            "5555-",
            "5555 ",
            "4 ",
            "41111111 ",
            "5",
            "5a",
            "0",
            "12-",
            "123 ",
            "4\n",
            "5\u200b",
            "\uff14 ",
        ),
        *("a", "4111 1111 1111 111", "1z", "de89", "abcdef0123456789" * 2, "%34", "\\u0034", "&#52;"),
        *("cvv 12", "cvv ", "c.v.v", "is 123 "),
    ],
)
@pytest.mark.slow
def test_the_time_that_a_search_takes_grows_in_step_with_the_text(piece: str) -> None:
    """Sixteen times the text takes about sixteen times as long; a quadratic search would take 256 times."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        taken = []
        for _ in range(3):
            started = time.process_time()
            holds_card_data(text)
            taken.append(time.process_time() - started)
        return min(taken)

    assert seconds(64_000) < 80 * max(seconds(4_000), 0.0005)


def test_a_quick_first_look_finds_nothing_only_where_a_search_finds_nothing() -> None:
    chance, quick = random.Random(1), 0
    disguised = [
        *NUMBERS,
        *DISGUISED_NUMBERS,
        *DISGUISED_CODES,
        "cvv",
        "C.V.V",
        "cvc2 ",
        "code",
        "  ",
        "\n",
        "\x00",
    ]
    escapes = [
        "%34",
        "\\u0034",
        "&#52;",
        "&",
        "é",
        "٤",
        "3f9d0a3b-7c0e-4a53-b8c1-1f2a3b4c5d6e",
        "a" + "4" * 31,
    ]
    plain = [
        "pay_",
        "job_",
        "cvc_",
        "num_",
        "_1",
        " ",
        "-",
        ".",
        "x",
        "cv",
        "cod",
        "ff",
        "7",
        "12",
        "737",
        "paid",
        "now",
    ]
    for _ in range(2000):
        pieces = chance.choices([disguised, escapes, plain], [1, 1, 12], k=chance.randint(1, 3))
        text = "".join(map(chance.choice, pieces))
        if chance.random() < 0.3:
            text += f"{chance.getrandbits(128):032x}"
        assert card_data_in(text) == card_search._searched(text), text
        quick += card_search._plainly_holds_none(text)
    assert 800 < quick < 1600


def test_the_luhn_check() -> None:
    assert luhn_valid("4242424242424242")
    assert not luhn_valid("4242424242424241")


def test_every_name_of_a_security_code_is_known_in_text_and_as_a_field() -> None:
    names = [name.strip() for line in security_codes._NAMES.strip().splitlines() for name in line.split("|")]
    assert len(names) > 60
    for name in names:
        assert holds_card_data(f"{name}: 123"), name
        assert security_codes.names_a_code(name), name
