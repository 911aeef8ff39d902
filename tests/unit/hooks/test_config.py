"""config/hooks.toml: what holds for each hook, and what is refused with file, line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.checkout import CHECKOUT

from aegis_worker.errors import ConfigurationError
from aegis_worker.hooks import Point
from aegis_worker.hooks.config import HooksConfig, configured, load_config
from aegis_worker.hooks.loading import Offered

CHECK = Offered("our_shop:fraud_check", Point.FRAUD_CHECK, "our-shop 1.0")
LISTENER = Offered("our_shop:listen", Point.LISTEN, "our-shop 1.0")


def config(tmp_path: Path, text: str) -> HooksConfig:
    path = tmp_path / "hooks.toml"
    path.write_text(text)
    return load_config(path)


def test_without_a_file_and_with_the_one_that_ships_the_defaults_hold(tmp_path: Path) -> None:
    shipped = load_config(CHECKOUT / "config" / "hooks.toml")
    absent = load_config(tmp_path / "hooks.toml")
    assert (shipped.pool, shipped.breaker) == (absent.pool, absent.breaker)
    check, listener = configured([CHECK, LISTENER], absent)
    assert (check.policy, check.timeout_ms, check.enabled) == ("closed", 500, True)
    assert (listener.policy, listener.timeout_ms) == ("open", 5000)


def test_a_hook_has_what_its_table_says_and_the_lowest_priority_is_asked_first(tmp_path: Path) -> None:
    read = config(
        tmp_path,
        '[hooks."our_shop:listen"]\npriority = 1\nenabled = false\n'
        '[hooks."our_shop:fraud_check"]\ntimeout_ms = 50\non_failure = "open"\n',
    )
    listener, check = configured([CHECK, LISTENER], read)
    assert (listener.offered, listener.enabled) == (LISTENER, False)
    assert (check.timeout_ms, check.policy) == (50, "open")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[pool]\nprocesses = 0", 2, "processes must be a whole number from 1 to 64"),
        ("[pool]\n\nprocesses = true", 3, "processes must be a whole number"),
        ("[pool]\nmemory_mb = 1.5", 2, "memory_mb must be a whole number"),
        ("[breaker]\nopen_ms = 10\n", 2, "open_ms must be a whole number from 100"),
        ("[breakers]\n", 1, "breakers is unknown; known are pool, breaker, hooks"),
        ('[hooks."our_shop:fraud_check"]\ntimeout_ms = 40000', 2, "timeout_ms must be a whole number"),
        ('[hooks."our_shop:fraud_check"]\nenabled = 1', 2, "enabled must be true or false"),
        ('[hooks."our_shop:fraud_check"]\non_failure = "shut"', 2, 'on_failure must be "closed" or "open"'),
        ('[hooks."our_shop:fraud_check"]\non_failure = []', 2, 'on_failure must be "closed" or "open"'),
        ('[hooks."our_shop:fraud_check"]\ntimeout = 40', 2, "timeout is unknown"),
        ("hooks = 3", 1, "hooks must be a table"),
        ('[pool]\n[hooks."our_shop:fraudcheck"]', 2, "did you mean our_shop:fraud_check?"),
        ('[hooks."our_shop:listen"]\non_failure = "closed"', 1, "it never fails a payment"),
        ("[pool", 1, "Expected"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_reason(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        configured([CHECK, LISTENER], config(tmp_path, text))
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'hooks.toml'}: line {line}")
    assert why in said
    assert "\n" not in said
