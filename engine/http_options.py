"""What the project file says of HTTP: where to listen, whose keys may do what, and who is told of opt-outs."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tactful.elements.options.mistake import Mistake, meant
from tactful.engine.senders import Secret, is_this_machine

Scope = Literal[
    "inbound", "do-not-contact:read", "do-not-contact:write", "events", "contacts", "journeys:read", "journeys:write"
]  # fmt: skip
"""What a key may do. Each is its own: whoever may write the list cannot read it."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_LOOPBACK = "127.0.0.1"


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise Mistake("this is no address to listen on", hint="such as `127.0.0.1` or `0.0.0.0`", code="bad-host")
    return host


class Listen(_Options):
    """An address to listen on."""

    host: str = Field(_LOOPBACK, description="The address; `0.0.0.0` for every one of this machine.")
    port: int = Field(ge=1, le=65_535, description="The port.")

    _named = field_validator("host")(_host)


class HttpLimits(_Options):
    """How much is taken from whom."""

    per_key: int = Field(6_000, ge=1, le=1_000_000, description="Requests a minute with one key.")
    per_address: int = Field(
        3_000, ge=1, le=1_000_000, description="Requests a minute from one address: public pages, and wrong keys."
    )
    megabytes: int = Field(4, ge=1, le=64, description="How large a request may be.")


class KeyOptions(_Options):
    """An API key and what it may do."""

    name: str = Field(min_length=1, max_length=60, description="Whose it is; what it did is kept under this name.")
    key: Secret = Field(description="Where the key is: `{env: NAME}`.")
    scopes: tuple[str, ...] = Field(min_length=1, description="What it may do: " + ", ".join(SCOPES) + ".")

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise Mistake("a name is one line of text", code="bad-name")
        return name

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        for scope in scopes:
            if scope not in SCOPES:
                hint = meant(scope, SCOPES) or f"there are {', '.join(SCOPES)}"
                raise Mistake(f"there is no scope `{scope[:60]}`", hint=hint, code="unknown-scope")
        return scopes


class HttpOptions(_Options):
    """The HTTP API and the public pages."""

    host: str = Field(_LOOPBACK, description="The address to listen on; `0.0.0.0` for every one of this machine.")
    port: int = Field(8080, ge=1, le=65_535, description="The port to listen on.")
    public: Any = Field(None, description="Another address, for the public pages alone: opt-out and tracking links.")
    watch: Any = Field(None, description="Another address, for probes and figures alone: /healthz, /readyz, /metrics.")
    keys: Any = Field(None, description="The API keys.")
    limits: Any = Field(None, description="How much is taken from whom.")

    _named = field_validator("host")(_host)


class Http(_Options):
    """The HTTP API, the public pages and the probes, checked. Without `public` and `watch`, all have one address."""

    host: str = _LOOPBACK
    port: int = 8080
    public: Listen | None = None
    watch: Listen | None = None
    keys: tuple[KeyOptions, ...] = ()
    limits: HttpLimits = HttpLimits()


class Webhook(_Options):
    """Somebody who is told of every block and unblock."""

    url: str = Field(max_length=2_000, description="Where to.")
    secret: Secret = Field(description="Where the secret is that signs what is told: `{env: NAME}`.")

    @field_validator("url")
    @classmethod
    def _safe_address(cls, written: str) -> str:
        try:
            url = urlsplit(written)
            host, port = url.hostname, url.port
        except ValueError:
            url, host, port = urlsplit(""), None, None
        if not host or port == 0 or not written.isascii() or not written.isprintable() or " " in written:
            hint = "such as `https://crm.acme.example/hooks`"
            raise Mistake("this is not an address to send to", hint=hint, code="bad-url")
        if url.username or url.password:
            raise Mistake("a password does not belong in a file that is shared and kept", code="secret-in-file")
        if url.scheme != "https" and not (url.scheme == "http" and is_this_machine(host)):
            raise Mistake("it must be `https://`: addresses of people are in it", code="bad-url")
        return written
