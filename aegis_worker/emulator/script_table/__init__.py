"""What each test token, and each test amount, makes a gateway do: one table, by who behaves so."""

from __future__ import annotations

from .bank import BANK
from .bank import OK as OK
from .gateway import GATEWAY
from .later import LATER
from .payer import PAYER
from .telling import TELLING

# Minor amounts 900,001 … 900,099 choose a script for the methods that carry no token: 9,000.01 and up in a
# currency with two decimals, rare enough that no ordinary test amount meets one by accident.
AMOUNT_BASE = 900_000

FAMILIES = {
    "the bank": BANK,
    "the payer": PAYER,
    "the gateway": GATEWAY,
    "webhooks": TELLING,
    "later": LATER,
}
TABLE = tuple(script for scripts in FAMILIES.values() for script in scripts)
SCRIPTS = {script.name: script for script in TABLE}
BY_AMOUNT = {AMOUNT_BASE + script.amount_suffix: script for script in TABLE if script.amount_suffix}
