"""Between instants, the core's whole milliseconds, and what people read and write. Nothing asks the time."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.wall_time import EPOCH, MILLISECOND, instant_of_date, read_date

if TYPE_CHECKING:
    from tactful.elements.contract import Instant


def instant(when: datetime) -> Instant:
    """The instant of a datetime that knows its zone, the rest of a millisecond cut off.

    Raises ValueError for one without zone: whose nine o'clock it means nobody could say later.
    """
    if when.utcoffset() is None:
        raise ValueError(f"{when.isoformat()} has no time zone")
    return (when - EPOCH) // MILLISECOND


def moment(at: Instant, zone: tzinfo = UTC) -> datetime:
    """An instant as a datetime of a zone. Raises ValueError outside the years 1 to 9999."""
    try:
        return (EPOCH + at * MILLISECOND).astimezone(zone)
    except OverflowError:
        raise ValueError(f"{at} ms is outside the years 1 to 9999") from None


def iso(at: Instant, zone: tzinfo = UTC) -> str:
    """ISO 8601 with the offset: `2026-03-02T08:00:00Z`, or `2026-03-02T09:00:00+01:00` in a zone.

    Milliseconds are written only where there are any. `parse_instant` reads it back.
    """
    when = moment(at, zone)
    written = when.isoformat(timespec="milliseconds" if at % 1000 else "seconds")
    return written.removesuffix("+00:00") + "Z" if zone is UTC else written


def parse_instant(text: str, zone: ZoneInfo) -> Instant:
    """Read `2026-03-02 09:00` (in the zone), `2026-03-02` (its first moment), or one with `Z` or offset.

    A time skipped when the clocks go forward is the first one after; one that comes twice is the first.
    Raises Mistake.
    """
    written = read_date(text.strip())
    at = None if written is None else instant_of_date(written, zone)
    if at is None or not _FIRST <= at <= _LAST:
        raise Mistake(f"`{text}` is not a time", hint="write `2026-03-02 09:00`, or `2026-03-02`", code="bad-time")
    return at


_FIRST, _LAST = instant(datetime.min.replace(tzinfo=UTC)), instant(datetime.max.replace(tzinfo=UTC))


def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name such as `Europe/Zagreb`. Raises Mistake, with the name probably meant."""
    if name not in zone_names():  # ZoneInfo itself would open files, and take `europe/zagreb` on some systems
        hint = _zone_meant(name) if len(name) <= 64 else None
        raise Mistake(
            f"`{name[:64]}` is not a time zone",
            hint=hint or "for example `Europe/Zagreb`",
            code="unknown-zone",
        )
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names of all zones: those of the tzdata package, which are the same on every machine.

    They are read 200 times faster than `available_timezones` looks for files.
    """
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


@lru_cache(maxsize=256)
def _zone_meant(name: str) -> str | None:
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zone_names()) if "/" in zone}
    if zone := cities.get(name.strip().replace(" ", "_").title()):  # just the city: `zagreb`
        return f"did you mean `{zone}`?"
    return meant(name, zone_names())
