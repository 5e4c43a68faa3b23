"""Between instants and what a clock on the wall shows in a zone: the only arithmetic with zones there is."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = EPOCH.replace(tzinfo=None)
MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)

_WRITTEN_DATE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)


def wall_of(instant: int, zone: ZoneInfo) -> datetime:
    """What the wall clock shows at an instant: a datetime without zone. OverflowError outside years 1 to
    9999."""
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=4096)  # a batch asks for the same few walls again and again
def instant_of(wall: datetime, zone: ZoneInfo) -> int:
    """The instant at which the wall clock shows this, in milliseconds since the epoch.

    A time the clock shows twice (autumn) is the first of the two. A time it skips (spring) is the first valid
    moment after it, so the answer never runs backwards while `wall` goes forward. `wall` has no zone.
    OverflowError outside years 1 to 9999.
    """
    earlier = wall.replace(tzinfo=zone, fold=0).utcoffset()
    later = wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert earlier is not None
    assert later is not None
    since = wall - _WALL_EPOCH
    if earlier >= later:  # an ordinary time, or one shown twice, of which `fold=0` is the first
        return (since - earlier) // MILLISECOND
    # Skipped: the clock jumps between the two readings, where the offset changes. The jump is a whole second.
    low, high = (since - later) // SECOND - 1, (since - earlier) // SECOND + 1
    while high - low > 1:
        middle = (low + high) // 2
        if (EPOCH + timedelta(seconds=middle)).astimezone(zone).utcoffset() == earlier:
            low = middle
        else:
            high = middle
    return high * 1000


@lru_cache(maxsize=4096)
def read_date(text: str) -> date | datetime | None:
    """Read `2026-12-24` (a date), `2026-12-24 18:00`, `…T18:00:30` (a wall time, no zone) or `…T18:00Z`,
    `…+01:00` (with zone); None for everything else."""
    if not _WRITTEN_DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None


def instant_of_date(value: date, zone: ZoneInfo) -> int | None:
    """The instant of what `read_date` read: a date is its first moment in the zone. None where out of
    range."""
    try:
        if not isinstance(value, datetime):
            return instant_of(datetime.combine(value, time.min), zone)
        if value.tzinfo is None:
            return instant_of(value, zone)
        return (value - EPOCH) // MILLISECOND
    except OverflowError:
        return None


def day_of_date(value: date, zone: ZoneInfo) -> date | None:
    """The day of what `read_date` read, as the zone counts days. None where out of range."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        return value.date()
    try:
        return value.astimezone(zone).date()
    except OverflowError:
        return None
