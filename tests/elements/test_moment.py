"""Moments: the next one, in the contact's own time."""

from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import Contact
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.moment import WEEKDAYS, Moment, TimeOfDay
from tactful.elements.options.wall_time import wall_of

from .reading import ZONES

ZAGREB = ZoneInfo("Europe/Zagreb")
DAY = 86_400_000
zones = st.sampled_from(ZONES)
instants = st.integers(0, 2_200_000_000_000)  # 1970 to 2039


def ana(**attributes):
    return Contact(1, "ana", attributes)


@pytest.mark.parametrize(
    ("text", "now", "then"),
    [
        ("09:00", "2026-03-02 08:00", "2026-03-02 09:00"),
        ("9:00", "2026-03-02 08:00", "2026-03-02 09:00"),
        ("09:00", "2026-03-02 09:00", "2026-03-03 09:00"),  # this very moment has begun
        ("09:00", "2026-03-02 09:01", "2026-03-03 09:00"),
        ("monday 09:00", "2026-03-02 08:00", "2026-03-02 09:00"),  # a Monday
        ("monday 09:00", "2026-03-02 10:00", "2026-03-09 09:00"),
        ("Sunday", "2026-03-02 10:00", "2026-03-08 00:00"),
        ("tuesday", "2026-03-03 00:00", "2026-03-10 00:00"),
        ("2026-12-24", "2026-03-02 10:00", "2026-12-24 00:00"),
        ("2026-12-24 18:00", "2026-03-02 10:00", "2026-12-24 18:00"),
        ("2026-12-24T18:00", "2026-03-02 10:00", "2026-12-24 18:00"),
        ("2025-12-24", "2026-03-02 10:00", "2025-12-24 00:00"),  # past: as it is
        ("02:30", "2026-03-29 00:00", "2026-03-29 03:00"),  # skipped
        ("02:30", "2026-03-28 12:00", "2026-03-29 03:00"),
        ("02:30", "2026-10-25 00:00", "2026-10-25 02:30"),  # comes twice: once is enough
        ("02:30", "2026-10-25 02:30", "2026-10-26 02:30"),
    ],
)
def test_the_moment_meant(at, text, now, then):
    assert Moment.parse(text).next(at(now), ZAGREB, ana()) == at(then)


def test_a_time_beside_a_day(at):
    nine = TimeOfDay.parse("09:00")
    now = at("2026-03-02 10:00")
    assert Moment.parse("monday").next(now, ZAGREB, ana(), nine) == at("2026-03-09 09:00")
    assert Moment.parse("2026-12-24").next(now, ZAGREB, ana(), nine) == at("2026-12-24 09:00")


@pytest.mark.parametrize(
    ("attribute", "value", "now", "then"),
    [
        ("birthday", "1990-05-17", "2026-03-02 10:00", "2026-05-17 09:00"),
        ("birthday", "1990-03-02", "2026-03-02 08:00", "2026-03-02 09:00"),
        ("birthday", "1990-03-02", "2026-03-02 09:00", "2027-03-02 09:00"),
        ("birthday", "1992-02-29", "2026-01-01 00:00", "2026-02-28 09:00"),
        ("birthday", "1992-02-29", "2028-01-01 00:00", "2028-02-29 09:00"),
        ("birthday", "1990-05-17T23:30:00Z", "2026-03-02 10:00", "2026-05-17 09:00"),
        ("wedding_anniversary", "2001-06-09", "2026-03-02 10:00", "2026-06-09 09:00"),
        ("joined every year", "2020-01-10", "2026-03-02 10:00", "2027-01-10 09:00"),
        ("trial_ends", "2026-03-20", "2026-03-02 10:00", "2026-03-20 09:00"),
        ("trial_ends", "2026-02-20", "2026-03-02 10:00", "2026-02-20 09:00"),  # past: as it is
        ("trial_ends", "2026-03-20T23:30:00Z", "2026-03-02 10:00", "2026-03-21 09:00"),  # their day, not UTC's
    ],
)
def test_a_date_of_the_contact_at_nine(at, attribute, value, now, then):
    moment = Moment.parse(f"contact.{attribute}")
    contact = ana(**{attribute.split()[0]: value})
    assert moment.next(at(now), ZAGREB, contact, TimeOfDay.parse("09:00")) == at(then)


def test_a_date_with_a_time_keeps_it(at):
    moment, now = Moment.parse("contact.appointment"), at("2026-03-02 10:00")
    assert moment.next(now, ZAGREB, ana(appointment="2026-03-20 15:30")) == at("2026-03-20 15:30")
    assert moment.next(now, ZAGREB, ana(appointment="2026-03-20T14:30Z")) == at("2026-03-20 15:30")


@pytest.mark.parametrize("value", [None, "", "soon", "2026-02-30", 20260320, True, ["2026-03-20"], "0000-01-01"])
def test_what_is_no_date_is_no_moment(at, value):
    for attribute in ("birthday", "trial_ends"):
        moment = Moment.parse(f"contact.{attribute}")
        assert moment.next(at("2026-03-02 10:00"), ZAGREB, ana(**{attribute: value})) is None
        assert moment.next(at("2026-03-02 10:00"), ZAGREB, ana()) is None


def test_what_comes_back_is_known():
    back = {"09:00", "monday", "contact.birthday", "contact.date_of_birth", "contact.joined every year"}
    once = {"2026-12-24", "2026-12-24 18:00", "contact.trial_ends", "contact.birthday_voucher_ends"}
    assert {text for text in back | once if Moment.parse(text).repeats} == back
    assert Moment.parse("contact.birthday").attribute == "birthday"
    assert Moment.parse("monday").attribute is None
    assert {text for text in ("09:00", "monday", "monday 09:00", "2026-12-24") if Moment.parse(text).has_time} == {
        "09:00",
        "monday 09:00",
    }


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("mondey 09:00", "is not a moment", "did you mean `monday`?"),
        ("25:00", "is not a time of day", "from 00:00 to 23:59"),
        ("monday 9", "is not a time of day", None),
        ("2026-02-30", "there is no 2026-02-30 in the calendar", None),
        ("2026-12-24 18:00+01:00", "is not a time of day", None),
        ("tomorrow", "is not a moment", "monday 09:00"),
        ("contact.", "is not a moment", None),
        ("contact.a.b", "is not a moment", None),
        ("", "is not a moment", None),
    ],
)
def test_a_mistake_says_what_instead(text, message, hint):
    with pytest.raises(Mistake) as caught:
        Moment.parse(text)
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@given(st.text(max_size=30))
def test_no_text_breaks_the_reader(text):
    for kind in (Moment, TimeOfDay):
        with suppress(Mistake):
            kind.parse(text)


times = st.builds(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}", st.integers(0, 1439))


@given(instants, zones, times)
def test_a_time_of_day_is_the_next_one_everywhere(now, zone, time):
    then = Moment.parse(time).next(now, zone, ana())
    assert then is not None
    assert now < then <= now + 2 * DAY + 3_600_000 * 2
    shown = wall_of(then, zone)
    hour, minute = map(int, time.split(":"))
    if (shown.hour, shown.minute) != (hour, minute):  # skipped: the first moment after the gap
        assert (wall_of(then - 1, zone).hour, wall_of(then - 1, zone).minute) < (hour, minute) or shown.hour == 0
    assert Moment.parse(time).next(then, zone, ana()) != then


@given(instants, zones, times, st.sampled_from(WEEKDAYS))
def test_a_weekday_is_the_next_one_everywhere(now, zone, time, weekday):
    then = Moment.parse(f"{weekday} {time}").next(now, zone, ana())
    assert then is not None
    assert now < then <= now + 8 * DAY
    assert WEEKDAYS[wall_of(then, zone).weekday()] == weekday or zone.key == "Pacific/Apia"


@given(instants, zones, st.dates(), times)
def test_a_birthday_is_the_next_one_everywhere(now, zone, born, time):
    then = Moment.parse("contact.birthday").next(now, zone, ana(birthday=born.isoformat()), TimeOfDay.parse(time))
    assert then is not None
    assert now < then <= now + 367 * DAY
    shown = wall_of(then, zone)
    assert (shown.month, shown.day) in {(born.month, born.day), (2, 28)} or time < "03:00" or zone.key == "Pacific/Apia"


@given(st.text(max_size=30), instants, zones)
def test_no_attribute_breaks_a_moment(value, now, zone):
    for attribute in ("birthday", "trial_ends"):
        Moment.parse(f"contact.{attribute}").next(now, zone, ana(**{attribute: value}), None)
