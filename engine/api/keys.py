"""API keys: who calls, and what they may do.

Keys stand in environment variables, and the project file says which. Of a key only its digest is kept in memory; what
a caller brings is compared with every one of them, in a time that says nothing of how alike they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from tactful.engine.api.problem import Problem
from tactful.engine.http_options import Http, Scope
from tactful.engine.project import NotSet
from tactful.engine.senders import HOW_TO_MAKE_A_SECRET, SHORTEST_SECRET

if TYPE_CHECKING:
    from starlette.types import Scope as Connection

_BEARER = HTTPBearer(
    scheme_name="key", auto_error=False, description="An API key of the project file: `Authorization: Bearer KEY`."
)


class BadKey(ValueError):
    """A key that cannot be used; the message says which and why, and not the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may be used."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Keys:
    """All keys of a project."""

    def __init__(self, keys: tuple[Key, ...] = ()) -> None:
        self._keys = keys

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, brought: str) -> Key | None:
        """The key that was brought; None where it is none of ours. Every one is looked at, whichever it is."""
        digest = _digest(brought)
        found = None
        for each in self._keys:
            if compare_digest(each.digest, digest):
                found = each
        return found


def keys_of(http: Http, environ: Mapping[str, str] = os.environ) -> Keys:
    """The keys of a project. Raises NotSet and BadKey."""
    found: dict[bytes, Key] = {}
    for each in http.keys:
        key = each.key.value(environ)
        if not key:
            raise NotSet(f"the environment variable {each.key.env}, the API key `{each.name}`, is not set")
        if len(key) < SHORTEST_SECRET:
            short = f"the API key `{each.name}` has fewer than {SHORTEST_SECRET} characters"
            raise BadKey(f"{short}; make one: {HOW_TO_MAKE_A_SECRET}")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise BadKey(f"the API key `{each.name}` has a blank or a letter in it that no HTTP header can carry")
        digest = _digest(key)
        if digest in found:
            raise BadKey(f"the API keys `{found[digest].name}` and `{each.name}` are one and the same")
        found[digest] = Key(each.name, digest, frozenset(each.scopes))
    return Keys(tuple(found.values()))


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def key_in(connection: Connection, keys: Keys) -> Key | None:
    """The key a request was made with; None where it brings none of ours."""
    brought = [value for name, value in connection["headers"] if name == b"authorization"]
    if len(brought) != 1:
        return None
    scheme, _, key = brought[0].decode("latin-1").partition(" ")
    return keys.find(key.strip()) if scheme.lower() == "bearer" and key.strip() else None


def unknown_key() -> Problem:
    """The answer to whoever brings no key of ours."""
    return Problem(401, "bring an API key: `Authorization: Bearer KEY`", headers={"www-authenticate": "Bearer"})


def needs(scope: Scope) -> Any:
    """What an endpoint depends on that only keys with this scope may use."""

    async def check(request: Request) -> None:  # to wait for one of the few threads takes longer than to look
        key: Key = request.state.key
        if scope not in key.scopes:
            allows = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
            raise Problem(403, f"the API key `{key.name}` has not the scope `{scope}`", headers=allows)

    return [Security(_BEARER, scopes=[scope]), Depends(check)]
