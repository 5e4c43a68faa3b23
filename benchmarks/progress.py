"""What is said on standard error while it is measured."""

from __future__ import annotations

import sys

LONG = 1_000_000
"""Of fewer rows nothing is said: they are there before anybody asks."""


def say(line: str) -> None:
    """Say how it gets on."""
    print(line, file=sys.stderr, flush=True)


def written(before: int, now: int, whole: int) -> None:
    """Say how many of many contacts' rows are written, each time another tenth of them is."""
    if whole >= LONG and now * 10 // whole > before * 10 // whole:
        say(f"  {now:,} of {whole:,} contacts are in")
