"""What stands above the elements: who comes in, what takes them out again, and the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from tactful.elements.contract import CONTACT_CHANGED, Purpose, QuietHours, Send, Settings
from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.moment import TimeOfDay
from tactful.elements.options.written import kind_of
from tactful.flows.fit import Owner, fit
from tactful.flows.model import Again, ByEvent, ByHand, BySchedule, BySegment, Entry, StopRule
from tactful.flows.pieces import Entry as Written
from tactful.flows.pieces import ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Report, quoted
from tactful.flows.text import Spot

AGAIN_EXAMPLES = ("never", "always", "after 30 days")
CRON_EXAMPLE = "0 9 * * MON"


def read_again(value: object) -> Again:
    """Read `never`, `always` or `after <duration>`. Raises `Mistake`."""
    text = value.strip() if isinstance(value, str) else ""
    if text == "never":
        return "never"
    if text == "always":
        return "always"
    word, _, rest = text.partition(" ")
    if word == "after" and rest.strip():
        assert isinstance(value, str)
        begin = value.index(rest)
        try:
            return Duration.parse(rest)
        except Mistake as mistake:
            at = begin + (mistake.at or 0)
            raise Mistake(mistake.message, at, mistake.hint, mistake.code) from None
    hint = "`never`, `always`, or `after` and a duration, as in `after 30 days`"
    raise Mistake(f"{_shown(value)} does not say when somebody may enter again", None, hint, "bad-again")


def read_cron(value: object) -> str:
    """Read a cron line of five fields. Raises `Mistake`."""
    hint = f"minute, hour, day, month and weekday: `{CRON_EXAMPLE}` is Mondays at nine"
    if not isinstance(value, str):
        raise Mistake(f"{_shown(value)} is not a cron line", None, hint, "bad-cron")
    if len(value) > 200 or len(value.split()) != 5:
        raise Mistake(f"{_shown(value)} does not have the five fields of a cron line", None, hint, "bad-cron")
    try:
        CronSim(value, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        what = str(error).replace("Bad ", "a wrong ").replace("day-of-", "day of the ")
        raise Mistake(f"{_shown(value)} has {what}", None, hint, "bad-cron") from None
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError):
        # Some nonsense, such as `5L/2`, it did not expect itself.
        raise Mistake(f"{_shown(value)} is not a cron line", None, hint, "bad-cron") from None
    return value


def read_zone(value: object) -> str:
    """Read the name of a time zone, such as `Europe/Zagreb`. Raises `Mistake`."""
    name = value if isinstance(value, str) else ""
    if not _is_zone(name):
        hint = meant(name, _zones()) if 0 < len(name) <= 40 else None
        hint = hint or "a name of the tz database, such as `Europe/Zagreb`"
        raise Mistake(f"{_shown(value)} is no time zone", None, hint, "unknown-zone")
    return name


@lru_cache(maxsize=256)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there; no such name can be (`../x`); a folder (`Europe`)
        return False
    return True


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _shown(value: object) -> str:
    return quoted(value) if isinstance(value, str) and value else kind_of(value)


def _text(read: Callable[[object], Any], **schema: Any) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(read), WithJsonSchema({"type": "string", **schema})


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)


class EntryOptions(_Options):
    """Who comes in, and how often. Without any of `event`, `segment` and `schedule`: only by hand."""

    event: str | None = Field(None, min_length=1, description="An event of the contact's own that brings them in.")
    where: Condition | None = Field(None, description="An extra condition on the event and the contact.")
    segment: Condition | None = Field(
        None, description="A condition on the contact; they come in when it starts to hold."
    )
    schedule: Annotated[str, *_text(read_cron, format="tactful-cron", examples=[CRON_EXAMPLE])] | None = Field(
        None, description="A cron line (minute, hour, day, month, weekday) in the flow's time zone."
    )
    audience: Condition | None = Field(None, description="Who comes in at the times of the schedule.")
    again: Annotated[Again, *_text(read_again, format="tactful-again", examples=list(AGAIN_EXAMPLES))] = Field(
        "never",
        description="May a contact enter again? `never`, `always` (also in parallel) or `after 30 days`, counted from "
        "the last entry.",
    )


class StopRuleOptions(_Options):
    """What takes a contact out of the flow, wherever they stand, the moment it happens."""

    event: str | None = Field(None, min_length=1, description="An event of the contact's own.")
    where: Condition | None = Field(None, description="An extra condition on the event.")
    when: Condition | None = Field(None, description="A condition on the contact.")
    goal: bool = Field(False, description="Whether this also counts as the flow's goal.")


class QuietHoursOptions(_Options):
    """A daily span in the contact's own time zone in which messages are held."""

    start: TimeOfDay = Field(alias="from", description="When it begins, such as `21:00`.")
    end: TimeOfDay = Field(alias="until", description="When it is over, such as `08:00`.")


class SettingsOptions(_Options):
    """What holds for all elements of the flow."""

    sender: dict[str, str] = Field({}, description="The sender of each channel: `{email: news@acme.example}`.")
    quiet_hours: QuietHoursOptions | None = Field(
        None,
        description="When messages are held, in the contact's own time zone: `{from: 21:00, until: 08:00}`.",
    )
    time_zone: Annotated[str, *_text(read_zone, format="tactful-zone", examples=["Europe/Zagreb"])] | None = Field(
        None, description="The time zone of contacts who have none."
    )
    purpose: Purpose = Field(
        "marketing", description="`transactional` only where the project file allows this flow to."
    )


def read_entry(written: Written | None, report: Report) -> tuple[Entry, Again] | None:
    """`entry:` as the engine knows it; None when it is at fault."""
    if written is None:
        return ByHand(), "never"
    piece = mapping(written.piece, "`entry`", written.spot, report, "for a flow entered by hand, leave it out")
    if piece is None:
        return None
    before = report.count
    _refuse_empty(piece, report)
    kinds = [key for key in ("event", "segment", "schedule") if key in piece.entries]
    for key in kinds[1:]:
        message = f"a flow is entered by `{kinds[0]}` or by `{key}`, not by both"
        report.error(piece.entries[key].spot, "entry-twice", message, "make a flow of each")
    for option, needed in (("where", "event"), ("audience", "schedule")):
        if option in piece.entries and needed not in piece.entries:
            hint = "put the condition into `segment`" if kinds == ["segment"] else None
            message = f"`{option}` belongs to `{needed}`"
            report.error(piece.entries[option].spot, "misplaced-option", message, hint)
    options = fit(EntryOptions, piece, Owner("entry", written.spot), report)
    if options is None or report.count > before:
        return None
    entry: Entry = ByHand()
    if options.event is not None:
        _warn_of_what_is_never_told(options.event, piece, report)
        entry = ByEvent(options.event, options.where)
    elif options.segment is not None:
        entry = BySegment(options.segment)
    elif options.schedule is not None:
        entry = BySchedule(options.schedule, options.audience)
    return entry, options.again


def read_stop_when(written: Written | None, report: Report) -> list[tuple[StopRule, MapPiece]]:
    """The rules of `stop_when:` that are without fault, with what they were read from."""
    if written is None or _is_empty(written.piece):
        return []
    if not isinstance(written.piece, ListPiece):
        message = f"`stop_when` is a list of rules, not {kind_of(written.piece.plain())}"
        hint = "begin each with `-`: `- {event: purchased}`"
        report.error(value_spot(written.piece, written.spot), "wrong-type", message, hint)
        return []
    rules = []
    for item in written.piece.items:
        piece = mapping(item, "a rule of `stop_when`", item.spot, report, "for example `{event: purchased}`")
        if piece is not None and (rule := _stop_rule(piece, report)) is not None:
            rules.append((rule, piece))
    return rules


def _stop_rule(piece: MapPiece, report: Report) -> StopRule | None:
    _refuse_empty(piece, report)
    sound = not any(_is_empty(entry.piece) for entry in piece.entries.values())
    if "event" in piece.entries and "when" in piece.entries:
        message = "a rule stops by `event` or by `when`, not by both"
        report.error(piece.entries["when"].spot, "stop-twice", message, "make two rules, or `where` of it")
        sound = False
    elif "event" not in piece.entries and "when" not in piece.entries:
        report.error(piece.spot, "missing-option", "a rule of `stop_when` needs `event` or `when`")
        sound = False
    elif "where" in piece.entries and "event" not in piece.entries:
        hint = "put the condition into `when`"
        report.error(piece.entries["where"].spot, "misplaced-option", "`where` belongs to `event`", hint)
        sound = False
    options = fit(StopRuleOptions, piece, Owner("stop_when", piece.spot), report)
    if options is None or not sound:
        return None
    if options.event is not None:
        _warn_of_what_is_never_told(options.event, piece, report)
    return StopRule(options.event, options.where, options.when, options.goal)


def read_settings(written: Written | None, report: Report) -> Settings | None:
    """`settings:` as the engine knows them; None when they are at fault."""
    if written is None or _is_empty(written.piece):
        return Settings()
    piece = mapping(written.piece, "`settings`", written.spot, report)
    if piece is None:
        return None
    options = fit(SettingsOptions, piece, Owner("settings", written.spot), report)
    if options is None:
        return None
    quiet = None
    if options.quiet_hours is not None:
        quiet = QuietHours(options.quiet_hours.start.minutes, options.quiet_hours.end.minutes)
        if quiet.start == quiet.end:
            entry = piece.entries["quiet_hours"]
            hint = "leave them out for none; all day long nothing could be sent"
            report.error(
                value_spot(entry.piece, entry.spot),
                "bad-quiet-hours",
                "quiet hours begin when they end",
                hint,
            )
            return None
    return Settings(options.sender, quiet, options.time_zone, options.purpose)


def mapping(piece: Piece, name: str, key: Spot, report: Report, hint: str | None = None) -> MapPiece | None:
    """The piece as a mapping; where it is something else, that is reported, and the answer None.

    `name` is what the message calls it, with its backticks.
    """
    if isinstance(piece, MapPiece):
        return piece
    spot = value_spot(piece, key)
    if _is_empty(piece):
        report.error(spot, "empty", f"{name} is empty", hint)
    else:
        kind = kind_of(piece.plain())
        report.error(spot, "wrong-type", f"{name} is a mapping (`key: value`), not {kind}", hint)
    return None


def _warn_of_what_is_never_told(event: str, piece: MapPiece, report: Report) -> None:
    """A warning: flows that were published with it must load."""
    if event not in (*Send.exits, CONTACT_CHANGED):
        return
    written = piece.entries["event"]
    what, hint = "how a send ends", f"every send has an exit `{event}`: name it in its `next`"
    if event == CONTACT_CHANGED:
        what, hint = "known to the engine alone", "a condition on the contact says it: `segment`, or `when` of a rule"
    message = f"{quoted(event)} is {what}, and no event that is ever told"
    report.warning(value_spot(written.piece, written.spot), "never-told", message, hint)


def _refuse_empty(piece: MapPiece, report: Report) -> None:
    for entry in piece.entries.values():
        if _is_empty(entry.piece):
            report.error(entry.spot, "empty", f"{quoted(entry.key)} is empty")


def _is_empty(piece: Piece) -> bool:
    return isinstance(piece, ScalarPiece) and piece.value is None


def header_fields() -> Mapping[str, type[BaseModel]]:
    """The models of the parts, by the key they stand under, for the schema."""
    return {"entry": EntryOptions, "stop_when": StopRuleOptions, "settings": SettingsOptions}
