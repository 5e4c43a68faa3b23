"""Durations: what is read, what is refused, and calendar time across clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from tactful.elements.options.duration import Duration, Within
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.wall_time import instant_of, wall_of

from .reading import ZONES, read_or_refused

HOUR = 3_600_000
zones = st.sampled_from(ZONES)
instants = st.integers(0, 2_200_000_000_000)  # 1970 to 2039
durations = st.builds(
    lambda days, ms: Duration.parse(f"{days} days {ms} seconds"), st.integers(0, 400), st.integers(1, 10**6)
)


@pytest.mark.parametrize(
    ("text", "days", "ms"),
    [
        ("48 hours", 0, 48 * HOUR),
        ("1 hours", 0, HOUR),
        ("47 hours 59 minutes", 0, 48 * HOUR - 60_000),
        ("1 week 2 days 3 hours", 9, 3 * HOUR),
        ("90 seconds", 0, 90_000),
        ("24h", 0, 24 * HOUR),
        ("1h30m", 0, HOUR + HOUR // 2),
        ("7d", 7, 0),
        ("2w", 14, 0),
        ("30m", 0, HOUR // 2),
        ("PT24H", 0, 24 * HOUR),
        ("P7D", 7, 0),
        ("P1W", 7, 0),
        ("P1DT12H30M", 1, 12 * HOUR + HOUR // 2),
        ("  3 Days ", 3, 0),
    ],
)
def test_a_duration_is_read(text, days, ms):
    duration = Duration.parse(text)
    assert (duration.days, duration.ms) == (days, ms)
    assert duration.text == str(duration) == text


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("", None, "a duration is missing", "48 hours"),
        ("48", None, "`48` has no unit", "`48 hours` or `48 days`"),
        ("-3 days", None, "is negative", None),
        ("\u22123 days", None, "is negative", None),
        ("0 minutes", None, "no time at all", None),
        ("3 dayz", 2, "`dayz` is no unit of time", "did you mean `days`?"),
        ("3 months", 2, "no fixed length", "days or weeks"),
        ("1.5 hours", 0, "not a whole number", "1 hour 30 minutes"),
        ("two days", 0, "a number must stand before `two`", None),
        ("1 day 12", 6, "`12` has no unit", None),
        ("1 hour 1 hour", 9, "`hours` stand here twice", None),
        ("3 days!", 6, "is not a duration", None),
        ("11 years", 3, "no fixed length", None),
        ("4000 days", None, "longer than ten years", None),
        ("99999999999999999999 days", 0, "longer than ten years", None),
        ("PT", None, "is not a duration", "PT24H"),
        ("P1M", None, "is not a duration", "PT24H"),
        ("P1.5D", None, "is not a duration", None),
        ("forever", 0, "a number must stand before `forever`", None),
    ],
)
def test_a_mistake_says_where_and_what_instead(text, at, message, hint):
    with pytest.raises(Mistake) as caught:
        Duration.parse(text)
    mistake = caught.value
    assert message in mistake.message
    assert mistake.at == at
    assert hint is None or hint in (mistake.hint or "")


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(text):
    duration, at = read_or_refused(Duration.parse, text)
    assert at is None or 0 <= at <= len(text)
    assert duration is None or duration.days + duration.ms > 0


@pytest.mark.parametrize("value", [48, 4.5, True, None, ["1 day"], {"days": 1}])
def test_only_text_is_a_duration(value):
    with pytest.raises(Mistake):
        Duration.read(value)


# --- Calendar time -------------------------------------------------------------------------------------

ZAGREB = ZoneInfo("Europe/Zagreb")


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ("2026-03-28 09:00", "1 day", "2026-03-29 09:00"),  # 23 hours long
        ("2026-03-28 09:00", "24 hours", "2026-03-29 10:00"),
        ("2026-10-24 09:00", "1 day", "2026-10-25 09:00"),  # 25 hours long
        ("2026-10-24 09:00", "24 hours", "2026-10-25 08:00"),
        ("2026-03-28 02:30", "1 day", "2026-03-29 03:00"),  # 02:30 is skipped
        ("2026-10-24 02:30", "1 day", "2026-10-25 02:30"),  # comes twice: the first
        ("2026-03-22 02:15", "1 week 1 hour", "2026-03-29 04:00"),
    ],
)
def test_days_keep_the_wall_time_and_hours_do_not(at, start, text, end):
    assert Duration.parse(text).after(at(start), ZAGREB) == at(end)


def test_a_time_shown_twice_is_the_first(at):
    first = at("2026-10-25 02:30")
    assert Duration.parse("1 day").after(at("2026-10-24 02:30"), ZAGREB) == first
    assert wall_of(first + HOUR, ZAGREB) == wall_of(first, ZAGREB)


def test_a_day_the_calendar_skipped_is_not_waited_for_backwards():
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    start = instant_of(datetime(2011, 12, 29, 9), apia)  # noqa: DTZ001 - a wall time
    assert wall_of(Duration.parse("1 day").after(start, apia), apia).isoformat() == "2011-12-31T00:00:00"


@given(instants, zones)
def test_wall_time_there_and_back(instant, zone):
    wall = wall_of(instant, zone)
    again = instant_of(wall, zone)
    assert wall_of(again, zone) == wall
    assert again <= instant, "of two, the first"


@given(st.datetimes(datetime(1970, 1, 2), datetime(2039, 1, 1)), zones)  # noqa: DTZ001 - wall times
def test_a_skipped_wall_time_is_the_first_moment_after_it(wall, zone):
    instant = instant_of(wall, zone)
    shown = wall_of(instant, zone)
    assert shown >= wall - timedelta(microseconds=999)
    if shown > wall:
        assert wall_of(instant - 1, zone) < wall


@given(durations, instants, instants, zones)
def test_a_later_start_never_ends_earlier_and_the_end_lies_after_the_start(duration, one, other, zone):
    first, second = sorted((one, other))
    assert duration.after(first, zone) <= duration.after(second, zone)
    assert duration.after(first, zone) > first


@given(durations, instants, zones)
def test_it_never_lasts_longer_or_shorter_than_it_says(duration, instant, zone):
    moved = datetime.fromtimestamp(instant / 1000, UTC)
    if zone.key == "Pacific/Apia" and 2010 <= moved.year <= 2012:
        return  # the day they skipped is the one exception
    lasted = duration.after(instant, zone) - instant
    assert duration.shortest_ms <= lasted <= duration.longest_ms


@given(durations, durations, instants, zones)
def test_what_is_at_most_another_never_ends_later(one, other, instant, zone):
    if one.at_most(other):
        assert one.after(instant, zone) <= other.after(instant, zone) or zone.key == "Pacific/Apia"


def test_days_and_hours_are_compared_only_where_it_is_certain():
    day, exact = Duration.parse("1 day"), Duration.parse("24 hours")
    assert not day.at_most(exact)
    assert not exact.at_most(day)
    assert day.at_most(Duration.parse("2 days"))
    assert day.at_most(Duration.parse("26 hours"))
    assert Duration.parse("22 hours").at_most(day)
    assert day.at_most(day)


# --- As a field ----------------------------------------------------------------------------------------


class Options(BaseModel):
    within: Within
    valid_for: Duration | None = None


def test_forever_is_a_word_of_its_own():
    assert Options.model_validate({"within": "forever"}).within == "forever"
    assert Options.model_validate({"within": "2 days"}).within == Duration.parse("2 days")
    assert Options(within=Duration.parse("2 days")).model_dump(mode="json") == {"within": "2 days", "valid_for": None}


def test_a_mistake_is_reported_once():
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"within": "2 dayz", "valid_for": 5})
    assert [error["loc"] for error in caught.value.errors()] == [("within",), ("valid_for",)]


def test_the_schema_tells_an_editor_what_it_is():
    assert TypeAdapter(Within).json_schema()["examples"][-1] == "forever"
    assert TypeAdapter(Duration).json_schema()["format"] == "tactful-duration"
