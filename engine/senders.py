"""What the project file says of its senders: one model for each way out (`via`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.mistake import Mistake, meant
from tactful.engine.addresses import BadAddress, email_address

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_VISIBLE = re.compile(r"[!-~]+")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")

SHORTEST_SECRET = 24
"""Characters that a secret has at least which somebody makes for tactful: an API key, what links are signed with."""

HOW_TO_MAKE_A_SECRET = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"

OnUnknown = Literal["at_most_once", "at_least_once"]


class Secret(BaseModel):
    """Where a secret is found: `{env: NAME}`. The secret itself never stands in a file that people share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = Field(description="The environment variable that holds the secret.")

    @field_validator("env")
    @classmethod
    def _name_of_a_variable(cls, env: str) -> str:
        if not (env.isascii() and env.isidentifier()):
            raise Mistake("this is not the name of a variable", hint="such as `SMTP_PASSWORD`", code="bad-name")
        return env

    @model_validator(mode="before")
    @classmethod
    def _not_the_secret_itself(cls, value: Any) -> Any:
        if isinstance(value, str | int | float):
            raise Mistake(
                "a secret does not belong in a file that is shared and kept for ever",
                hint="put it in an environment variable and write `{env: NAME_OF_THE_VARIABLE}`",
                code="secret-in-file",
            )
        return value

    def value(self, environ: Mapping[str, str]) -> str | None:
        """The secret, or None where the variable is not set."""
        return environ.get(self.env)

    def is_short(self, environ: Mapping[str, str]) -> bool:
        """Whether it is set and too short for one that somebody makes for tactful."""
        return 0 < len(self.value(environ) or "") < SHORTEST_SECRET


class AnySender(BaseModel):
    """What every sender has. The key it stands under is the address or name recipients see."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: ClassVar[frozenset[str] | None] = None
    """The channels this way out carries; None: every one."""

    channel: str = Field(description="What it sends: " + ", ".join(f"`{name}`" for name in CHANNELS) + ".")
    two_way: bool = Field(
        True,
        description="Whether replies reach us. Without it: yes, unless it is push or a name, which nobody can answer.",
    )
    rate: float | None = Field(
        None, gt=0, le=100_000, description="Messages a second at most; without it, as fast as it goes."
    )
    reports: frozenset[str] | None = Field(
        None,
        description="The events the engine learns of its messages; without it, all that its channel can, and over SMTP "
        "none but those in `track`: where something else tells of them (`tactful event opened …`), name them here.",
    )
    on_unknown: OnUnknown = Field(
        "at_most_once",
        description="Where a crash leaves unknown whether a message went out: `at_most_once` holds it for a "
        "person, `at_least_once` sends it again. Without it: again for email, which mail programs show once.",
    )
    name: str | None = Field(
        None, min_length=1, max_length=200, description="The name people see beside an email address."
    )
    reply_to: str | None = Field(None, description="The email address replies go to, where it is another.")

    @field_validator("channel")
    @classmethod
    def _known_channel(cls, channel: str) -> str:
        if channel not in CHANNELS:
            raise Mistake(
                f"there is no channel `{channel}`",
                hint=meant(channel, CHANNELS) or f"there are {', '.join(CHANNELS)}",
                code="unknown-channel",
            )
        if cls.channels is not None and channel not in cls.channels:
            raise Mistake(f"this way carries {' and '.join(sorted(cls.channels))} only", code="wrong-channel")
        return channel

    @field_validator("reports")
    @classmethod
    def _reports_of_the_channel(cls, reports: frozenset[str] | None, info: ValidationInfo) -> frozenset[str] | None:
        channel = info.data.get("channel")  # missing where it was itself wrong
        for event in sorted(reports or ()):
            if channel is None:
                break
            possible = CHANNELS[channel].reports
            if event not in possible:
                raise Mistake(
                    f"{channel} never reports `{event}`",
                    hint=(None if event in MESSAGE_EVENTS else meant(event, possible))
                    or f"it can report {', '.join(sorted(possible))}",
                    code="unknown-report",
                )
        return reports

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str | None) -> str | None:
        if name is not None and not name.isprintable():
            raise Mistake("a name is one line of text", code="bad-name")
        return name

    @field_validator("reply_to")
    @classmethod
    def _address(cls, reply_to: str | None) -> str | None:
        try:
            return None if reply_to is None else email_address(reply_to)
        except BadAddress as error:
            raise Mistake(str(error), code="bad-address") from None

    @model_validator(mode="before")
    @classmethod
    def _repeat_emails(cls, written: Any) -> Any:
        if isinstance(written, dict) and written.get("channel") == "email":
            return {"on_unknown": "at_least_once", **written}
        return written

    @property
    def learns(self) -> frozenset[str] | None:
        """The events the engine learns of this sender's messages; None: all that its channel can."""
        return self.reports


class TrackingSender(AnySender):
    """A sender whose messages can be tracked by us, where its way out tells of no opening."""

    track: frozenset[Literal["opened", "clicked"]] = Field(
        frozenset(),
        description="What tactful itself finds out about its emails: `opened` by a pixel, `clicked` by links that lead "
        "over `base_url` of `opt_out`. Without it nothing is put into them.",
    )
    count_prefetched: bool = Field(
        False,
        description="Whether images that a mail program fetches of all mail, looked at or not (Apple's does), count "
        "as openings. Without it they are marked as a machine's.",
    )

    @field_validator("track")
    @classmethod
    def _only_emails(cls, track: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if track and info.data.get("channel", "email") != "email":
            raise Mistake("only emails can be tracked", hint="leave it out", code="wrong-channel")
        return track

    @property
    def learns(self) -> frozenset[str] | None:
        return None if self.reports is None else self.reports | self.track


class ConsoleSender(TrackingSender):
    """Shows messages instead of sending them: on the screen, or as files in a folder."""

    via: Literal["console"]
    folder: Path | None = Field(
        None, description="Where to write `.eml` and `.txt` files; without it, messages are printed."
    )


class SmtpSender(TrackingSender):
    """Hands email to a mail server."""

    channels: ClassVar[frozenset[str] | None] = frozenset({"email"})

    via: Literal["smtp"]
    host: str = Field(description="The mail server.")
    port: int = Field(0, ge=1, le=65_535, description="Without it: 587, or 465 with `tls: implicit`, 25 with `none`.")
    username: str | None = Field(None, min_length=1, description="Who to log in as; without it, no login.")
    password: Secret | None = Field(None, description="Where the password is: `{env: NAME}`.")
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls",
        description="`starttls` (the default), `implicit` (the default on port 465), or `none` (the default "
        "for a server on this machine).",
    )
    timeout_seconds: float = Field(30, gt=0, le=600, description="How long to wait for any one answer of the server.")
    connections: int = Field(1, ge=1, le=50, description="How many connections may be open side by side.")

    @field_validator("host")
    @classmethod
    def _name_of_a_host(cls, host: str) -> str:
        if not _HOST.fullmatch(host):
            raise Mistake("this is not the name of a server", hint="such as `mail.example.com`", code="bad-host")
        return host

    @model_validator(mode="before")
    @classmethod
    def _usual_port_and_tls(cls, written: Any) -> Any:
        if not isinstance(written, dict):
            return written
        found = {"reports": [], **written}  # a mail server tells of nothing once it took a message
        if found.get("tls") is None:
            here = is_this_machine(found.get("host"))
            found["tls"] = "implicit" if found.get("port") == 465 else "none" if here else "starttls"
        if found.get("port") is None:
            found["port"] = {"implicit": 465, "none": 25}.get(str(found["tls"]), 587)
        return found

    @model_validator(mode="after")
    def _login_is_whole_and_safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            raise Mistake(f"to log in, `{missing}` is needed too", code="half-a-login")
        if self.password is not None and self.tls == "none" and not is_this_machine(self.host):
            raise Mistake(
                "without TLS the password would cross the network in the clear",
                hint="write `tls: starttls` or `tls: implicit`",
                code="password-in-the-clear",
            )
        return self


class HttpSender(AnySender):
    """What senders over a provider's HTTP API have."""

    channels: ClassVar[frozenset[str] | None] = frozenset({"sms"})

    timeout_seconds: float = Field(30, gt=0, le=600, description="How long to wait for any one answer of the provider.")
    public_url: str | None = Field(
        None,
        description="Where the provider reaches `tactful serve` from outside, such as `https://go.acme.example`: there "
        "it tells what became of messages. Without it, nobody learns that.",
    )

    @field_validator("public_url")
    @classmethod
    def _reached(cls, url: str | None) -> str | None:
        return None if url is None else web_address(url, "https://go.acme.example")


class InfobipSender(HttpSender):
    """SMS through Infobip's HTTP API."""

    via: Literal["infobip"]
    base_url: str | None = Field(
        None, description="Your account's address at Infobip, such as `https://xyz123.api.infobip.com`."
    )
    api_key: Secret | None = Field(None, description="Where the API key is: `{env: NAME}`.")
    webhook_secret: Secret | None = Field(
        None,
        description="Where the secret is that Infobip shows when it tells us something: `{env: NAME}`. Choose one that "
        "nobody guesses.",
    )

    @field_validator("base_url")
    @classmethod
    def _safe(cls, url: str | None) -> str | None:
        return None if url is None else web_address(url, "https://xyz123.api.infobip.com")


class TwilioSender(HttpSender):
    """SMS through Twilio's HTTP API."""

    via: Literal["twilio"]
    account_sid: str = Field(description="Your account at Twilio: AC and 32 letters and digits.")
    auth_token: Secret = Field(description="Where the auth token is: `{env: NAME}`.")
    base_url: str = Field("https://api.twilio.com", description="Another address of Twilio's, for accounts elsewhere.")

    @field_validator("account_sid")
    @classmethod
    def _sid(cls, sid: str) -> str:
        if not _ACCOUNT_SID.fullmatch(sid):
            hint = "AC and 32 digits and letters a to f, as the console of Twilio shows it"
            raise Mistake("this is not the SID of an account", hint=hint, code="bad-account")
        return sid

    @field_validator("base_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return web_address(url, "https://api.twilio.com")


Sender = Annotated[ConsoleSender | SmtpSender | InfobipSender | TwilioSender, Field(discriminator="via")]
"""A sender's settings, told apart by `via`."""


def web_address(url: str, example: str) -> str:
    """An address that requests are sent to, without a slash at its end: https, or this machine. Raises Mistake."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise Mistake("this is not the address of a server", hint=f"such as `{example}`", code="bad-address")
    if "@" in parts.netloc or parts.query or parts.fragment or not _VISIBLE.fullmatch(url):
        raise Mistake(
            "only a server, and perhaps a path, may stand here", hint=f"such as `{example}`", code="bad-address"
        )
    if parts.scheme == "http" and not is_this_machine(host):
        raise Mistake(
            "without TLS secrets and addresses would cross the network in the clear",
            hint="write `https://`",
            code="secrets-in-the-clear",
        )
    return url.rstrip("/")


def tracks(sender: AnySender) -> frozenset[str]:
    """What we find out of a sender's messages by a pixel and links of our own."""
    return sender.track if isinstance(sender, TrackingSender) else frozenset()


def is_this_machine(host: object) -> bool:
    """Whether a host is this very machine, so that nothing crosses a network."""
    if not isinstance(host, str):
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
