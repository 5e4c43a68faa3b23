"""What a crowd is like and does: the rates file, as models. `rates_file.py` reads them, `learning.py` learns them.

contacts: {email: 98%, time_zone: {Europe/Zagreb: 70, Europe/London: 30}, attributes: {orders: 0..12}}
entry: {over: 2 days, data: {value: 10..150}}
events: {purchased: {share: 5%, after: 3 days}}
channels: {email: {opens: {share: 40%, after: 2 hours}, opts_out: 0.3%, price: 0.001}}
elements: {offer: {opens: 55%}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.wall_time import read_date
from tactful.elements.options.written import kind_of
from tactful.engine.simulation.chance import ONE, Choice

_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%\s*", re.ASCII)
_RANGE = re.compile(r"\s*(-?[0-9.:-]+?)\s*\.\.\s*(-?[0-9.:-]+)\s*", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


def _share(written: object) -> float:
    if isinstance(written, str) and (found := _PERCENT.fullmatch(written)):
        share = float(found[1]) / 100
    elif isinstance(written, int | float) and not isinstance(written, bool):
        share = float(written)
        if 1 < share <= 100:
            raise Mistake(f"a share is at most 1: `{written}` is more", hint=f"write `{written}%`", code="bad-share")
    else:
        shown = f"`{written}`" if isinstance(written, str) else kind_of(written)
        hint = f"write `{written}%`" if isinstance(written, str) and _NUMBER.fullmatch(written) else None
        raise Mistake(f"a share is written `35%` or `0.35`, not {shown}", hint=hint, code="bad-share")
    if not 0 <= share <= 1:
        raise Mistake("a share is between 0% and 100%", code="bad-share")
    return share


Share = Annotated[float, BeforeValidator(_share)]
"""How many of all: `35%` or `0.35`."""

Weight = Annotated[float, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)]


class Drawn:
    """A value to be drawn: `5..200` (a number, or a date, between two), `{DE: 60, AT: 40}` (texts by weight),
    `[1, 2, null]` (one of these), or a value that is always the same."""

    __slots__ = ("_draw", "written")

    def __init__(self, written: object) -> None:
        self.written = written
        self._draw = _drawing(written)

    def __call__(self, draw: int) -> Any:
        """The value this draw means."""
        return self._draw(draw)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.written,)

    @classmethod
    def read(cls, written: object) -> Drawn:
        """Read what stands in a file. Raises `Mistake`."""
        return written if isinstance(written, Drawn) else cls(written)


def _drawing(written: object) -> Callable[[int], Any]:
    if isinstance(written, dict):
        for name, weight in written.items():
            if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight <= 1e9:
                raise Mistake(f"`{name}` needs a weight, such as `{name}: 60`", code="bad-weight")
        if not written:
            raise Mistake("there is nothing to draw from", code="empty")
        return Choice(list(written.items()))
    if isinstance(written, list | tuple):
        if not written:
            raise Mistake("there is nothing to draw from", code="empty")
        return Choice([(value, 1) for value in written])
    if isinstance(written, str) and (found := _RANGE.fullmatch(written)):
        return _between(found[1], found[2], written)
    return lambda draw: written


def _between(low: str, high: str, written: str) -> Callable[[int], Any]:
    if _NUMBER.fullmatch(low) and _NUMBER.fullmatch(high):
        digits = max(len(each.partition(".")[2]) for each in (low, high))
        scale = 10**digits
        first, last = round(float(low) * scale), round(float(high) * scale)
        if first > last:
            raise Mistake(f"`{written}` runs backwards", hint=f"write `{high}..{low}`", code="bad-range")
        if digits:
            return lambda draw: (first + draw * (last - first + 1) // ONE) / scale
        return lambda draw: first + draw * (last - first + 1) // ONE
    days = [read_date(each) for each in (low, high)]
    if all(type(day) is date for day in days):
        from_day, to_day = days
        assert from_day is not None
        assert to_day is not None
        span = (to_day - from_day).days + 1
        if span < 1:
            raise Mistake(f"`{written}` runs backwards", hint=f"write `{high}..{low}`", code="bad-range")
        return lambda draw: (from_day + timedelta(days=draw * span // ONE)).isoformat()
    raise Mistake(f"`{written}` is no range", hint="such as `5..200` or `1960-01-01..2005-12-31`", code="bad-range")


OneDrawn = Annotated[Any, BeforeValidator(Drawn.read)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Doing(_Options):
    """Something a share of people does: `35%`, or `{share: 35%, after: 2 hours}`."""

    share: Share = Field(description="How many do it, such as `35%`.")
    after: Duration | None = Field(None, description="Within what time half of those who do it have done it.")

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, written: Any) -> Any:
        return {"share": written} if isinstance(written, str | int | float) else written


class Replying(Doing):
    """Answering."""

    texts: Mapping[str, Weight] = Field(
        default_factory=lambda: {"yes": 1, "no": 1, "STOP": 1}, min_length=1,
        description="What people write, each text with its weight.",
    )  # fmt: skip


class OwnDoing(Doing):
    """An event of your own."""

    data: Mapping[str, OneDrawn] = Field(default_factory=dict, description="What the event carries.")


class Answers(_Options):
    """What people do with a message, and what becomes of it. Shares but those of `fails` and `bounces` are of the
    messages that arrive."""

    fails: Share = Field(0.0, description="How many the provider refuses.")
    bounces: Doing | None = Field(None, description="How many bounce after they were taken.")
    delivered: Doing | None = Field(None, description="How many of those that do not bounce arrive.")
    opens: Doing | None = Field(None, description="How many are opened.")
    clicks: Doing | None = Field(None, description="How many are clicked in; they are opened too, and before.")
    replies: Replying | None = Field(None, description="How many are answered.")
    opts_out: Doing | None = Field(None, description="How many lead to an opt-out by the link.")
    complains: Doing | None = Field(None, description="How many are reported as spam.")
    events: Mapping[str, OwnDoing] = Field(default_factory=dict, description="Own events that follow.")
    price: float = Field(0.0, ge=0, le=1_000_000, allow_inf_nan=False, description="What one message costs.")

    def over(self, other: Answers) -> Answers:
        """These, and where they say nothing, the other's."""
        return other.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


class People(_Options):
    """Who the crowd is."""

    email: Share = Field(1.0, description="How many have an email address.")
    phone: Share = Field(1.0, description="How many have a phone number.")
    time_zone: OneDrawn = Field(None, description="Their time zone: a name, or names with weights.")
    attributes: Mapping[str, OneDrawn] = Field(default_factory=dict, description="Their attributes.")
    tags: Mapping[str, Share] = Field(default_factory=dict, description="How many have each tag.")
    consent: Mapping[str, Share] = Field(
        default_factory=dict, description="How many have agreed to be written to, channel by channel."
    )


class Coming(_Options):
    """How they come into the flow."""

    over: Duration = Field(Duration.parse("1 day"), description="The time over which they come, evenly.")
    again: Duration | None = Field(
        None, description="After what time half of them do once more what brings them in; left out: once only."
    )
    data: Mapping[str, OneDrawn] = Field(default_factory=dict, description="What the event that begins it carries.")


class Rates(_Options):
    """A whole rates file."""

    contacts: People = Field(default_factory=People, description="Who the crowd is.")
    entry: Coming = Field(default_factory=Coming, description="How they come in.")
    events: Mapping[str, OwnDoing] = Field(
        default_factory=dict, description="Own events, counted from when a contact came."
    )
    channels: Mapping[str, Answers] = Field(default_factory=dict, description="What people do, channel by channel.")
    elements: Mapping[str, Answers] = Field(
        default_factory=dict, description="What they do with one element's message, where it differs."
    )
    currency: str = Field("", max_length=10, description="What prices are in, such as `EUR`.")

    def of(self, element: str, channel: str) -> Answers:
        """What people do with a message of an element."""
        of_channel = self.channels.get(channel) or USUAL.get(channel) or Answers()
        of_element = self.elements.get(element)
        return of_channel if of_element is None else of_element.over(of_channel)


def _doing(share: float, after: str) -> Doing:
    return Doing(share=share, after=Duration.parse(after))


USUAL: Mapping[str, Answers] = {
    "email": Answers(
        bounces=_doing(0.01, "1 minute"), delivered=_doing(0.99, "5 seconds"), opens=_doing(0.35, "3 hours"),
        clicks=_doing(0.04, "5 minutes"), opts_out=_doing(0.003, "5 minutes"), complains=_doing(0.0003, "3 hours"),
    ),
    "sms": Answers(
        bounces=_doing(0.02, "1 minute"), delivered=_doing(0.98, "5 seconds"), clicks=_doing(0.06, "15 minutes"),
        replies=Replying(share=0.05, after=Duration.parse("15 minutes")), opts_out=_doing(0.005, "15 minutes"),
    ),
    "whatsapp": Answers(
        delivered=_doing(0.97, "5 seconds"), opens=_doing(0.7, "15 minutes"), clicks=_doing(0.08, "15 minutes"),
        replies=Replying(share=0.06, after=Duration.parse("20 minutes")), opts_out=_doing(0.005, "15 minutes"),
    ),
    "push": Answers(delivered=_doing(0.9, "5 seconds"), opens=_doing(0.05, "30 minutes")),
}  # fmt: skip
"""What people do where no file says: round numbers, to try a flow with; nobody's in particular."""
