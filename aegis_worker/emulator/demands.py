"""A merchant's demand that the payer be authenticated by 3-D Secure, whatever the token says. Pure."""

from __future__ import annotations

from dataclasses import replace

from .authentication import UNSUPPORTED
from .script_table import SCRIPTS
from .scripts import Script

# The payer's bank authenticates them without asking, also where the merchant demands it, or can't authenticate anybody.
_ASKS_NOTHING = frozenset({"3ds_frictionless", UNSUPPORTED})


def demanded(script: Script, of_payer: Script | None = None) -> Script:
    """What a call's script becomes under the demand: before anything else the payer has to act, as by `tok_3ds`. A card
    that is declined is declined as before. `of_payer`: the script of who pays, where the call has another.
    """
    if script.payer_must_act or (of_payer or script).name in _ASKS_NOTHING:
        return script
    return replace(script, payer_must_act=True, payer_s=SCRIPTS["3ds"].payer_s)
