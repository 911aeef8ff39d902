"""Card numbers as people, forms, files and programs write them. All of them belong to nobody."""
# ruff: noqa: RUF001 (letters and digits that look like others are what this is about)

from __future__ import annotations

import json
from urllib.parse import quote

VISA, MASTERCARD, AMEX, DINERS = "4111111111111111", "5555341244441115", "378282246310005", "30569309025904"

NUMBERS = (
    VISA,
    MASTERCARD,
    AMEX,
    DINERS,
    "4222222222222",
    "2223003122003222",
    "6011000990139424",
    "3530111333300000",
    "3056930009020004",
    "36227206271667",
    "6200000000000005",
    "6205500000000000004",
    "6759649826438453",
    "6304000000000000",
    "5019717010103742",
    "5066991111111118",
    "2200000000000004",
    "9792030394440796",
    "6071000000000001",
    "4000000000000000006",
)


def _in_fours(separator: str, number: str = VISA) -> str:
    return separator.join(number[at : at + 4] for at in range(0, len(number), 4))


def _with_zero(first_digit: int, number: str = VISA) -> str:
    """The number in the digits of another script, given by its zero."""
    return number.translate({ord("0") + digit: chr(first_digit + digit) for digit in range(10)})


DISGUISED_NUMBERS = (
    *NUMBERS,
    # Characters between groups.
    *map(
        _in_fours,
        (
            " ",
            "-",
            "_",
            ".",
            "/",
            "\\",
            ",",
            ":",
            ";",
            "*",
            "+",
            "|",
            "~",
            "#",
            "=",
            "'",
            '"',
            "·",
            "•",
            "–",
            "—",
        ),
    ),
    *map(_in_fours, ("  ", "   ", "      ", " - ", "--", " / ", ". ", ", ", "...", "-\n", ") (", "][")),
    # White space and invisible characters.
    *map(
        _in_fours,
        (
            "\n",
            "\r\n",
            "\t",
            "\v",
            "\f",
            "\x85",
            "\u2028",
            "\u2029",
            "\u00a0",
            "\u2002",
            "\u2009",
            "\u202f",
            "\u3000",
        ),
    ),
    *map(
        _in_fours,
        (
            "\u200b",
            "\u200c",
            "\u200d",
            "\u2060",
            "\ufeff",
            "\u00ad",
            "\u200e",
            "\u202a",
            "\u180e",
            "\u2800",
            "\u3164",
        ),
    ),
    *map(_in_fours, ("\x00", "\x08", "\x1b", "\x7f", "\u0301", "\ufe0f", " \u200b ", "\u200b-\u200b")),
    # Letters and words between groups.
    *map(
        _in_fours,
        (
            "x",
            "X",
            "xx",
            "abc",
            " x ",
            " and ",
            " then ",
            "&nbsp;",
            "&#160;",
            "<br>",
            "\\n",
            "\\t",
            "\\u0020",
            "%20",
            "%2D",
            "%C2%A0",
            "%2520",
        ),
    ),
    "4111a1111b1111c1111",
    "41111111a11111111",
    "411111X1111111111",
    "41x11x11x11x11x11x11x11",
    "4111 (1111) 1111 [1111]",
    _in_fours("\uff0d", _with_zero(0xFF10)),
    _in_fours("\u2212"),
    # Digits of other scripts and forms.
    *map(
        _with_zero,
        (0xFF10, 0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0x1D7CE, 0x1D7D8, 0x1D7EC, 0x1D7F6, 0x2080, 0x1FBF0),
    ),
    VISA.translate({ord("4"): "④", ord("1"): "①"}),
    VISA.translate({ord("4"): "四", ord("1"): "一"}),
    VISA.translate({ord("4"): "⁴", ord("1"): "¹"}),
    "4111１１１１١١١١1111",
    _in_fours(" ", _with_zero(0xFF10)),
    # Grouped otherwise.
    *(separator.join(VISA) for separator in (" ", "-", ".", ", ", "\u200b", "\n", "x", "_")),
    "4a1b1c1d1e1f1g1h1i1j1k1l1m1n1o1",
    " ".join(VISA[at : at + 2] for at in range(0, 16, 2)),
    "-".join(VISA[at : at + 2] for at in range(0, 16, 2)),
    " ".join(VISA[at : at + 3] for at in range(0, 16, 3)),
    "41111111 11111111",
    "41111111\n11111111",
    "4111111\r\n111111111",
    "411111 1111111111",
    "411111111111 1111",
    "4111 1111 11111111",
    "4111 111111111111",
    "3782 822463 10005",
    "3782-822463-10005",
    "3782.822463.10005",
    "3782/8224/6310/005",
    "3056 930902 5904",
    "3056-9309-0259-04",
    "4000 0000 0000 0000 006",
    "4222-2222-2222-2",
    # Between other text.
    "order 12 4111 1111 1111 1111 12 29",
    "1042-4111-1111-1111-1111-1229",
    "4111-1111-1111-1111 exp 12/29 cvv 123",
    f"card{VISA}",
    f"cafe{VISA}",
    f"deadbeef{VISA}",
    f"order-{VISA}",
    f"tok_{VISA}",
    f"PAN:{VISA}.",
    f"({VISA})",
    f"{VISA}/1229",
    f"{VISA}|12|29|123",
    f"{VISA},123",
    f"0000{VISA}",
    f"https://shop.example/?card={VISA}&x=1",
    f"https://shop.example/?card={quote(_in_fours(' '))}",
    f"mailto:{VISA}@shop.example",
    f"%B{VISA}^ROE/JANE^29121010000000000000?",
    f";{VISA}=29121010000000000000?",
    f"{VISA}D29121010000000000000F",
    json.dumps({"card": VISA}),
    json.dumps(json.dumps({"card": _in_fours(" ")})),
    json.dumps({"card": [4111, 1111, 1111, 1111]}),
    "".join(f"\\u00{ord(digit):02x}" for digit in VISA),
    "".join(f"%{ord(digit):02X}" for digit in VISA),
    "".join(f"&#{ord(digit)};" for digit in VISA),
    "".join(f"&#x{ord(digit):x};" for digit in VISA),
    f"<pan>{VISA}</pan>",
)
