"""What may stand in the project file: a model for each part, with its description.

A part that is `Any` in the model of the whole is fitted by itself (see `project_reading.py`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from tactful.elements.contract import Covers, Level
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import HOUR, Duration
from tactful.elements.options.mistake import Mistake, did_you_mean, meant
from tactful.elements.options.words import normalise
from tactful.engine.optout.countries import country_names
from tactful.engine.rules.permission import LONGEST_LIMIT_DAYS, Limit
from tactful.engine.senders import Secret, is_this_machine

_FLOW_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)
_DATABASES = ("sqlite", "postgresql+psycopg")


def _flow_id(flow: str) -> str:
    if not _FLOW_ID.fullmatch(flow):
        raise Mistake(f"`{flow[:60]}` cannot be the id of a flow", code="bad-id")
    return flow


def _channel(channel: str) -> str:
    if channel not in CHANNELS:
        hint = meant(channel, CHANNELS) or f"there are {', '.join(CHANNELS)}"
        raise Mistake(f"there is no channel `{channel[:60]}`", hint=hint, code="unknown-channel")
    return channel


def _country(name: str) -> str:
    if name not in country_names():
        hint = meant(name.lower(), country_names()) or f"there are {', '.join(country_names())}"
        raise Mistake(f"there are no rules of `{name[:60]}`", hint=hint, code="unknown-country")
    return name


_YEARS = re.compile(r"\s*([0-9]{1,2})\s*(years?|y)\s*")
_ONE_UNIT = re.compile(r"\s*[0-9]+\s*([^\W\d_]{3,60})\s*")
_UNITS = ("years", "weeks", "days", "hours", "minutes", "seconds")

SHORTEST_HISTORY_DAYS = 90
"""How long what journeys left behind is kept at least: links in messages lead somewhere for as long. Laws ask for 30
days (15 U.S.C. 7704(a)(3)(A)(ii)) and for 60 (Canada: S.C. 2010, c. 23, s. 11(2))."""


def _in_years(written: Any) -> Any:
    """`5 years` as so many days, leap days included, so that it is never less. Raises Mistake for `yeers`."""
    if isinstance(written, str) and (found := _YEARS.fullmatch(written)) and int(found[1]):
        return f"{-(-int(found[1]) * 1461 // 4)} days"
    if isinstance(written, str) and (found := _ONE_UNIT.fullmatch(written)):
        unit, at = found[1], found.start(1)
        if did_you_mean(unit, _UNITS) == "years" and unit not in ("year", "years"):
            raise Mistake(f"`{unit}` is no unit of time", at, "did you mean `years`?", "unknown-unit")
    return written


def _long_enough(keep: Duration) -> Duration:
    if keep.days + keep.ms / (24 * HOUR) < SHORTEST_HISTORY_DAYS:
        message = f"what journeys left behind is kept for at least {SHORTEST_HISTORY_DAYS} days"
        raise Mistake(message, hint="opt-out links in old messages must lead somewhere", code="too-short")
    return keep


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProjectOptions(_Options):
    """The project file as a whole."""

    database: str | Secret = Field(
        "sqlite:///tactful.db",
        description="Where everything is kept: `sqlite:///tactful.db` (relative to this file) or "
        "`postgresql+psycopg://…`; `{env: NAME}` takes the address from an environment variable.",
    )
    flows: Path = Field(Path("."), description="The folder with the flow files, relative to this file.")
    contact: Any = Field(None, description="The attributes flows may use, each with its type.")
    senders: Any = Field(None, description="Who messages come from, each with its channel and way out.")
    limits: Any = Field(None, description="How many messages a contact gets at most, over all flows.")
    transactional: tuple[Annotated[str, AfterValidator(_flow_id)], ...] = Field(
        (), description="The flows that may send past a block that covers marketing."
    )
    require_consent: tuple[Annotated[str, AfterValidator(_channel)], ...] = Field(
        (), description="The channels on which nobody gets marketing whose consent is not on record."
    )
    countries: tuple[Annotated[str, AfterValidator(_country)], ...] = Field(
        (),
        description="The countries whose rules hold for marketing: quiet hours, keywords, how long a history is kept.",
    )
    keep_journeys: Annotated[Duration, BeforeValidator(_in_years), AfterValidator(_long_enough)] | None = Field(
        None,
        description="How long what a journey that ended left behind is kept, such as `2 years`: its visits, "
        "messages and events. Without it, for ever.",
    )
    opt_out: Any = Field(None, description="How opt-outs are collected: keywords and links.")
    secret: Secret | None = Field(
        None,
        description="What links are signed with: `{env: NAME}`. Without it, a key that is kept in the database.",
    )
    region: str | None = Field(None, description="The country (`HR`) of phone numbers that are written without one.")
    http: Any = Field(None, description="The HTTP API and the public pages: where they listen, whose keys may do what.")
    webhooks: Any = Field(None, description="Who is told of every block and unblock.")

    @field_validator("database", mode="before")
    @classmethod
    def _known_database(cls, written: Any) -> Any:
        if isinstance(written, str):
            scheme, separator, _ = written.partition("://")
            if not separator or scheme not in _DATABASES:
                raise Mistake(
                    "a database is written `sqlite:///…` or `postgresql+psycopg://…`",
                    hint=meant(scheme, _DATABASES) if scheme != "postgres" else "write `postgresql+psycopg`",
                    code="unknown-database",
                )
        return written

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is None:
            return None
        from phonenumbers import SUPPORTED_REGIONS  # large, and few projects need it

        if region not in SUPPORTED_REGIONS:
            code = {"UK": "GB"}.get(region.upper(), region.upper())
            hint = f"write `{code}`" if code in SUPPORTED_REGIONS else "two letters, such as `HR`"
            raise Mistake(f"`{region[:60]}` is not a country's code", hint=hint, code="unknown-region")
        return region


class LimitOptions(_Options):
    """One limit."""

    messages: int = Field(ge=1, le=10_000, description="How many messages at most.")
    per: Duration = Field(description="Within how long.")
    when_limited: Literal["hold", "skip"] = Field(
        "hold",
        description="What becomes of one too many: `hold` keeps it until it may go, `skip` suppresses it.",
    )

    @field_validator("per")
    @classmethod
    def _not_too_long(cls, per: Duration) -> Duration:
        if per.days + per.ms / (24 * HOUR) > LONGEST_LIMIT_DAYS:
            raise Mistake(f"a limit looks back {LONGEST_LIMIT_DAYS} days at most", code="too-long")
        return per

    def limit(self) -> Limit:
        """The same as the rules have it."""
        return Limit(self.messages, self.per, self.when_limited)


class _Rule(_Options):
    sender: str | None = Field(
        None, description="The sender that was answered; without it, every sender that gets replies."
    )
    level: Level = Field(description="`any_sender`, or `this_sender`: the one that was answered.")
    reply: str | None = Field(None, min_length=1, max_length=1_600, description="What to answer, once.")
    enabled: bool = Field(True, description="Whether the rule is in force.")
    forward: bool = Field(
        False, description="Whether waiting journeys see the message too; else it ends with the rule."
    )


class KeywordRule(_Rule):
    """A word people answer with, and what it does to the Do Not Contact list. A block covers everything."""

    keyword: str = Field(description="The word; case, punctuation and words of courtesy around it do not count.")
    action: Literal["block", "unblock"] = Field(description="What it does.")
    conversational: bool = Field(
        False,
        description="For a word of everyday talk, such as YES: it unblocks somebody who is blocked, and else is an "
        "answer like any other.",
    )

    @field_validator("keyword")
    @classmethod
    def _says_something(cls, keyword: str) -> str:
        if not normalise(keyword):
            raise Mistake("a keyword needs a letter or a digit", code="bad-keyword")
        return keyword

    @field_validator("conversational")
    @classmethod
    def _only_unblocks(cls, conversational: bool, info: ValidationInfo) -> bool:
        if conversational and info.data.get("action") == "block":
            raise Mistake("a word that blocks does so wherever it is said", hint="leave it out", code="bad-keyword")
        return conversational


class PackRule(_Rule):
    """A ready-made list of keywords."""

    pack: str = Field(min_length=1, description="Its name, such as `us-fcc`.")
    reply: str | None = Field(
        None, min_length=1, max_length=1_600, description="What to answer to a word that blocks, once."
    )


class Links(_Options):
    """Opt-out links in messages."""

    enabled: bool = Field(True, description="Whether messages carry them.")
    level: Level = Field("any_sender", description="`any_sender`, or `this_sender`: the one who sent the link.")
    covers: Covers = Field(
        "marketing",
        description="What an opt-out covers: `marketing`, or `everything`; always the latter where the message was "
        "transactional itself.",
    )


KEEP_HISTORY = Duration.parse("1827 days")
"""Five years, with up to two leap days: 47 CFR 64.1200(d)(6) wants a company's own list honoured for as long."""


class OptOutOptions(_Options):
    """How opt-outs are collected."""

    base_url: str | None = Field(None, description="Where opt-out, click and open links lead.")
    keywords: Any = Field(None, description="What answers mean: keywords, and ready-made lists of them.")
    links: Any = Field(None, description="Opt-out links in messages.")
    keep_history: Annotated[Duration, BeforeValidator(_in_years)] = Field(
        KEEP_HISTORY,
        description="How long the history of those who are off the list again is kept, such as `5 years`, and messages "
        "that came in. Entries on the list keep theirs.",
    )

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, written: str | None) -> str | None:
        if written is None:
            return None
        try:
            url = urlsplit(written)
            host = url.hostname
        except ValueError:
            url, host = urlsplit(""), None
        if not host or not written.isprintable() or " " in written or url.query or url.fragment:
            raise Mistake("this is not the address of a site", hint="such as `https://go.acme.example`", code="bad-url")
        if url.scheme != "https" and not (url.scheme == "http" and is_this_machine(host)):
            # Mail programs follow a one-click opt-out over HTTPS only (RFC 8058).
            raise Mistake("links must lead to `https://`", code="bad-url")
        return written.rstrip("/")


class OptOut(_Options):
    """How opt-outs are collected, checked. `base_url` has no `/` at its end."""

    base_url: str | None = None
    keywords: tuple[KeywordRule | PackRule, ...] = ()
    links: Links = Links(enabled=False)
    keep_history: Duration = KEEP_HISTORY
