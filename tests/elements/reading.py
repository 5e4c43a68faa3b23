"""What tests of the types of options share."""

from collections.abc import Callable
from typing import TypeVar
from zoneinfo import ZoneInfo

from tactful.elements.options.mistake import Mistake

Value = TypeVar("Value")

# Zones that differ: none, an hour, half an hour, no change, over midnight, a skipped day, two hours.
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Zagreb", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago",
        "Pacific/Apia", "Antarctica/Troll", "Africa/Casablanca", "America/Sao_Paulo",
    )
]  # fmt: skip


def read_or_refused(read: Callable[[str], Value], text: str) -> tuple[Value | None, int | None]:
    """What a text is read as, or where it was refused; fails for whatever else the reader raises."""
    try:
        return read(text), None
    except Mistake as mistake:
        return None, mistake.at
