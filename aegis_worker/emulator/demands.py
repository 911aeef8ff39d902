"""A merchant's demand that the payer be authenticated by 3-D Secure, whatever the token says. Pure."""

from __future__ import annotations

from dataclasses import replace

from .script_table import SCRIPTS
from .scripts import Script

# The payer's bank authenticates them without asking, also where the merchant demands it.
_ASKS_NOTHING = "3ds_frictionless"


def demanded(script: Script) -> Script:
    """What the script becomes under the demand: before anything else the payer has to act, as by `tok_3ds`. A card that is
    declined is declined as before.
    """
    if script.payer_must_act or script.name == _ASKS_NOTHING:
        return script
    return replace(script, payer_must_act=True, payer_s=SCRIPTS["3ds"].payer_s)
