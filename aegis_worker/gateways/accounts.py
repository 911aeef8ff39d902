"""Whether a gateway's table still names the account that a call was made with (design D13). Pure.

A look-up under another account finds nothing, and would have a charge that happened taken for one that never did. So where
the table names another account, or the other mode, nothing is asked or sent about the call until the table names its own.
"""

from __future__ import annotations

from aegis_worker.domain.modes import Mode

from .config import GatewayConfig


def out_of_reach(gateway: str, config: GatewayConfig | None, account: str | None, mode: Mode) -> str | None:
    """Why nothing may be asked or sent about a call made at `gateway` with `account` for a payment of `mode`, and what to
    do. None where it may. `config`: the gateway's table as it is now, None without one.
    """
    if config is None:
        return f"gateway {gateway} is no longer configured"
    if config.mode != mode:
        return (
            f"gateway {gateway} is for {config.mode} payments now, and this is a {mode} one: "
            f'put mode = "{mode}" back into its table, and give what is new a table of its own'
        )
    if config.account != account:
        back = "take its account out again" if account is None else f'put account = "{account}" back'
        return (
            f"gateway {gateway} is {_named(config.account)} now, and this was sent with {_named(account)}: "
            f"{back}, and give the other account a table of its own"
        )
    return None


def _named(account: str | None) -> str:
    return "an account without a name" if account is None else f"the account {account}"
