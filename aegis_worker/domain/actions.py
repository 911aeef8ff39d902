"""What a payer has to do before a gateway goes on, told by what the shop's frontend does about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, to_builtins


class _Action(Struct, frozen=True, tag_field="type", tag=str.lower):
    """Whoever has an action may act as the payer, so its `repr`, which may reach a log, says its type alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    @property
    def type(self) -> str:
        """`redirect`, `sdk` or `qr`: what is not secret of it."""
        return str(self.__struct_config__.tag)

    @property
    def told(self) -> dict[str, Any]:
        """All of it as plain JSON, for the frontend that carries it out."""
        return dict(to_builtins(self))


class Redirect(_Action, frozen=True):
    """Send the payer's browser to `url`; the gateway sends it back to the payment's `return_url`."""

    url: str


class Sdk(_Action, frozen=True):
    """Hand `data` to the gateway's own library in the browser or the app. `sdk`: which one, such as `stripe`."""

    sdk: str
    data: Mapping[str, Any]


class Qr(_Action, frozen=True):
    """Show `content` as a QR code, or the gateway's picture of it at `image_url`; the payer scans it."""

    content: str
    image_url: str | None = None


NextAction = Redirect | Sdk | Qr
ACTIONS: tuple[type[NextAction], ...] = (Redirect, Sdk, Qr)


def texts_of(action: NextAction) -> Iterator[str]:
    """Every text and number in the action, however deep."""
    yield from _leaves(action.told)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
