"""What stands in the address of a pixel and of a click link: signed, so that only we can have written it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tactful.elements.contract import MessageKey

if TYPE_CHECKING:
    from itsdangerous import Signer

    from tactful.engine.keyring import Keyring

LONGEST = 100
"""Characters of the longest token: for what is longer no signature is reckoned."""


@dataclass(frozen=True, slots=True)
class Click:
    """A link of a message: `target` is the id of its address in the table `link_target`."""

    message: MessageKey
    target: int


class Tokens:
    """Makes tokens and reads them: `1204.3.` and a signature of 27 letters for an opening, `1204.3.17.` and one for a
    click. One cannot be made of the other, nor of parts of two."""

    def __init__(self, keyring: Keyring) -> None:
        self._open = keyring.signer("open")
        self._click = keyring.signer("click")

    def open(self, message: MessageKey) -> str:
        """The token of a message's pixel."""
        return self._open.sign(str(message)).decode()

    def click(self, click: Click) -> str:
        """The token of a link."""
        return self._click.sign(f"{click.message}.{click.target}").decode()

    def read_open(self, token: str) -> MessageKey | None:
        """The message whose pixel this is; None where we never wrote this."""
        if (said := _unsigned(self._open, token)) is None:
            return None
        journey, step = said
        return MessageKey(journey, step)

    def read_click(self, token: str) -> Click | None:
        """The link this is; None where we never wrote this."""
        if (said := _unsigned(self._click, token)) is None:
            return None
        journey, step, target = said
        return Click(MessageKey(journey, step), target)


def _unsigned(signer: Signer, token: str) -> list[int] | None:
    from itsdangerous import BadSignature

    if len(token) > LONGEST or not token.isascii():
        return None
    try:
        return [int(number) for number in signer.unsign(token).decode().split(".")]
    except BadSignature:
        return None
