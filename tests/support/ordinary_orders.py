"""Orders as shops write them, made by a seeded generator: full of counters, times and ids, but without cards."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_IBAN_LENGTHS = {
    "DE": 22,
    "AT": 20,
    "DK": 18,
    "FI": 18,
    "NO": 15,
    "BE": 16,
    "CH": 21,
    "ES": 24,
    "PL": 28,
    "FR": 27,
}


def _time(rng: random.Random) -> datetime:
    return _FIRST + timedelta(seconds=rng.randrange(3 * 365 * 86_400), microseconds=rng.randrange(10**6))


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _ulid(rng: random.Random) -> str:
    return "01" + "".join(rng.choices(_CROCKFORD, k=24))


def _iban(rng: random.Random) -> str:
    country, length = rng.choice([*_IBAN_LENGTHS.items()])
    account = _digits(rng, length - 4)
    check = 98 - int("".join(str(int(one, 36)) for one in account + country + "00")) % 97
    text = f"{country}{check:02}{account}"
    return text if rng.random() < 0.5 else " ".join(text[at : at + 4] for at in range(0, length, 4))


def _ups(rng: random.Random) -> str:
    body = "".join(rng.choices(string.digits + string.ascii_uppercase, k=6)) + _digits(rng, 9)
    values = [int(one) if one.isdigit() else (ord(one) - 63) % 10 for one in body]
    return f"1Z{body}{-(sum(values[0::2]) + 2 * sum(values[1::2])) % 10}"


def _phone(rng: random.Random) -> str:
    return rng.choice(
        [
            f"+49 17{rng.randrange(10)} {_digits(rng, 8)}",
            f"+4915{_digits(rng, 9)}",
            f"004915{_digits(rng, 9)}",
            f"4915{_digits(rng, 9)}",
            f"+1 ({rng.randrange(200, 999)}) {_digits(rng, 3)}-{_digits(rng, 4)} x{_digits(rng, 4)}",
            f"+44 7{_digits(rng, 3)} {_digits(rng, 6)}",
            f"+91 {rng.randrange(6, 10)}{_digits(rng, 4)} {_digits(rng, 5)}",
            f"06 {' '.join(_digits(rng, 2) for _ in range(4))} / 01 {' '.join(_digits(rng, 2) for _ in range(4))}",
            f"+86 13{_digits(rng, 9)}",
        ]
    )


def _parcel(rng: random.Random) -> str:
    return rng.choice(
        [
            _ups(rng),
            f"94{_digits(rng, 20)}",
            "9400 " + " ".join(_digits(rng, 4) for _ in range(4)) + f" {_digits(rng, 2)}",
            _digits(rng, 12),
            f"00340434{_digits(rng, 12)}",
            f"JD01{_digits(rng, 14)}",
            f"RR{_digits(rng, 9)}DE",
            f"015{_digits(rng, 11)}",
        ]
    )


# Keys made from a counter that grows with each order, as those of shops do.
_KEYS: tuple[Callable[[random.Random, datetime, int], str], ...] = (
    lambda rng, at, n: f"order-{n}",
    lambda rng, at, n: f"order-{n:012}",
    lambda rng, at, n: f"order-{at:%Y%m%d}-{n:06}",
    lambda rng, at, n: f"{at:%Y-%m-%d}-{n}",
    lambda rng, at, n: f"{at:%Y%m%d%H%M%S}-{n:05}",
    lambda rng, at, n: f"{at:%Y%m%d%H%M%S%f}",
    lambda rng, at, n: f"{at:%y%m%d%H%M%S}{n % 10_000:04}",
    lambda rng, at, n: f"{at:%y%m%d}-{at:%H%M%S}-{n % 10_000:04}",
    lambda rng, at, n: f"{at:%d%m%Y%H%M%S}/{n}",
    lambda rng, at, n: at.isoformat() + f"_{n}",
    lambda rng, at, n: f"{at.timestamp():.0f}-{n:06}",
    lambda rng, at, n: f"{at.timestamp() * 1000:.0f}{n % 1000:03}",
    lambda rng, at, n: f"{n}-{at.timestamp() * 1000:.0f}",
    lambda rng, at, n: f"{n}_{at.timestamp() * 1e6:.0f}",
    lambda rng, at, n: f"cust{rng.randrange(10**6)}-{at.timestamp():.0f}-{rng.randrange(10**4)}",
    lambda rng, at, n: f"{rng.randrange(10**4):04}-{at:%Y%m%d}-{n % 10_000:04}",
    lambda rng, at, n: f"{rng.randrange(10**6):06}-{n:06}-{rng.randrange(10**4):04}",
    lambda rng, at, n: f"{rng.randrange(10**4):04}-{at:%Y}-{at:%m%d}-{n % 10_000:04}",
    lambda rng, at, n: f"inv/{at:%Y/%m}/{n:07}",
    lambda rng, at, n: f"{rng.randrange(100, 999)}-{_digits(rng, 7)}-{_digits(rng, 7)}",
    lambda rng, at, n: f"INV{at:%Y}.{n:08}.{rng.randrange(100)}",
    lambda rng, at, n: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    lambda rng, at, n: uuid.UUID(int=rng.getrandbits(128), version=4).hex,
    lambda rng, at, n: f"pay:{uuid.UUID(int=rng.getrandbits(128), version=4)}:{n}",
    lambda rng, at, n: _ulid(rng),
    lambda rng, at, n: f"{rng.getrandbits(96):024x}",
    lambda rng, at, n: f"file_{rng.getrandbits(192):048x}",
    lambda rng, at, n: f"{rng.getrandbits(80):020x}",
    lambda rng, at, n: f"{rng.getrandbits(64):016x}",
    lambda rng, at, n: f"{rng.getrandbits(256):064x}",
    lambda rng, at, n: "".join(rng.choices(string.ascii_letters + string.digits, k=22)),
    lambda rng, at, n: f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01",
    lambda rng, at, n: str((int(at.timestamp() * 1000) - 1_288_834_974_657) << 22 | rng.getrandbits(22)),
)

_TEXTS: tuple[Callable[[random.Random, datetime, int], str], ...] = (
    lambda rng, at, n: f"Order {n} of {at:%d.%m.%Y %H:%M:%S}, {rng.randrange(1, 9)} items",
    lambda rng, at, n: f"Invoice {at:%Y%m%d} {n} for {rng.randrange(10**5)}",
    lambda rng, at, n: f"Call {_phone(rng)} or {_phone(rng)}",
    lambda rng, at, n: f"Refund to {_iban(rng)}",
    lambda rng, at, n: f"Parcel {_parcel(rng)}, box {rng.randrange(9999)}",
    lambda rng, at, n: (
        f"Table {rng.randrange(99)}, {at:%H:%M} - {at + timedelta(hours=2):%H:%M}, till {rng.randrange(9999)}"
    ),
    lambda rng, at, n: (
        f"{rng.randrange(9)} x {rng.randrange(1999)}, {rng.randrange(9)} x {rng.randrange(9999)}\nTotal: {n}"
    ),
    lambda rng, at, n: (
        f"Discount code {rng.randrange(1000, 9999)}; the code of the door is {rng.randrange(1000, 9999)}"
    ),
    lambda rng, at, n: f"{rng.uniform(-90, 90):.7f}, {rng.uniform(-180, 180):.7f}",
    lambda rng, at, n: f"Card ending in {rng.randrange(10**4):04}, exp {at:%m/%y}",
    lambda rng, at, n: (
        f"Flight LH{rng.randrange(9999)} {at:%d%b} seat {rng.randrange(60)}A, ticket 220-{_digits(rng, 10)}"
    ),
    lambda rng, at, n: "Two tickets",
)

_METADATA: dict[str, Callable[[random.Random, datetime, int], Any]] = {
    "cart": lambda rng, at, n: rng.choice(_KEYS)(rng, at, n),
    "phone": lambda rng, at, n: _phone(rng),
    "iban": lambda rng, at, n: _iban(rng),
    "tracking": lambda rng, at, n: _parcel(rng),
    "created_ms": lambda rng, at, n: int(at.timestamp() * 1000),
    "created_us": lambda rng, at, n: str(int(at.timestamp() * 1e6)),
    "created_ns": lambda rng, at, n: int(at.timestamp() * 1e9),
    "score": lambda rng, at, n: rng.random(),
    "customer_no": lambda rng, at, n: rng.randrange(10**8),
    "ean": lambda rng, at, n: f"40{_digits(rng, 6)}",
    "promo_code": lambda rng, at, n: rng.randrange(1000, 10_000),
    "trace": lambda rng, at, n: f"{rng.getrandbits(128):032x}",
    "ip": lambda rng, at, n: ".".join(str(rng.randrange(256)) for _ in range(4)),
    "session": lambda rng, at, n: _ulid(rng),
    "card_last4": lambda rng, at, n: _digits(rng, 4),
    "when": lambda rng, at, n: at.isoformat(),
}


def ordinary_orders(count: int, seed: int = 20261126) -> Iterator[dict[str, Any]]:
    """`count` orders: an idempotency key, and a body with a reference, a description and metadata."""
    rng = random.Random(seed)
    for number in range(1_000_000, 1_000_000 + count):
        at = _time(rng)
        names = rng.sample(sorted(_METADATA), 5)
        yield {
            "idempotency_key": rng.choice(_KEYS)(rng, at, number),
            "reference": rng.choice(_KEYS)(rng, at, number),
            "description": rng.choice(_TEXTS)(rng, at, number),
            "metadata": {name: _METADATA[name](rng, at, number) for name in names},
        }
