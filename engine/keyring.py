"""Keys: links are signed with them, and erased addresses are known by them.

A key is made with every database and kept in it, so links keep working wherever a backup is brought back. A project
may bring a secret of its own (`secret: {env: NAME}`), which then does all that is new; what the database's key did
stays good.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import select

from tactful.engine.senders import HOW_TO_MAKE_A_SECRET, SHORTEST_SECRET
from tactful.engine.store.statements import insert_or, table
from tactful.engine.store.tables import KeyRow

if TYPE_CHECKING:
    from itsdangerous import Signer

    from tactful.engine.store.database import Store

_KEY = table(KeyRow)
_DATABASE = "database"

ERASED = "#"
"""What the names of erased destinations begin with, and no address does."""


class Keyring:
    """The keys of a project, the one in use first. What is derived from them differs by purpose."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def signer(self, purpose: str) -> Signer:
        """Signs texts for one purpose: what is signed for another is refused, and so is what no key of ours signed."""
        from itsdangerous import Signer  # few commands sign anything

        return Signer(list(reversed(self._keys)), salt=f"tactful {purpose}", sep=".", key_derivation="hmac")

    def digest(self, purpose: str, text: str) -> bytes:
        """32 bytes nobody can tell beforehand who does not have the key; always the same for the same text."""
        return _digest(self._keys[0], purpose, text)

    def erased(self, destination: str) -> list[str]:
        """The names under which a destination may stand on the Do Not Contact list once its contact was erased, the
        one for new entries first. Nothing leads back from them to the address."""
        return [ERASED + _digest(key, "erased", destination)[:20].hex() for key in self._keys]


def is_erased(destination: str) -> bool:
    """Whether this is such a name, and no address."""
    return destination.startswith(ERASED)


class ShortSecret(ValueError):
    """A project's secret that is too easily guessed to begin with; the message says how to make one."""


def keyring_of(store: Store, secret: str | None = None) -> Keyring:
    """The keyring of a database, with the project's own secret before the database's key, which is made where there is
    none yet. Raises ShortSecret for a secret to begin a database with.

    With one that is in use it stays so: links that were sent must lead somewhere, and erased addresses be known.
    """
    made = _made(store)
    if made is None:
        if secret is not None and len(secret) < SHORTEST_SECRET:
            short = f"the project's secret has fewer than {SHORTEST_SECRET} characters, and links are signed with it"
            raise ShortSecret(f"{short}; make one: {HOW_TO_MAKE_A_SECRET}")
        with store.write() as tx:
            new = insert_or(tx.dialect.name, _KEY).values(name=_DATABASE, value=token_hex(32))
            tx.execute(new.on_conflict_do_nothing())  # another process may have been quicker
        made = _made(store)
        assert made is not None
    return Keyring([made] if secret is None else [sha256(secret.encode()).digest(), made])


def _made(store: Store) -> bytes | None:
    with store.read() as tx:
        found = tx.scalar(select(_KEY.c.value).where(_KEY.c.name == _DATABASE))
    return None if found is None else bytes.fromhex(found)


def _digest(key: bytes, purpose: str, text: str) -> bytes:
    return hmac.digest(key, f"{purpose}\0{text}".encode(), "sha256")
