"""How long to wait before something that failed is tried again. Pure."""

from __future__ import annotations

MINUTE = 60_000

BACKOFF = tuple(MINUTE * each for each in (1, 5, 15, 60, 180, 360, 720))
"""Milliseconds after each failure in a row. What comes after the last is up to whoever tries: a message has failed
then, a webhook is tried again after as long, for ever."""
