"""Phrases that the summaries of several elements share."""

from __future__ import annotations

from typing import Literal

from tactful.elements.options.duration import Duration


def up_to(within: Duration | Literal["forever"]) -> str:
    """How long a wait lasts: "up to 48 hours", "without limit"."""
    return "without limit" if within == "forever" else f"up to {within}"


def on_channel(channel: str, level: str, sender: str | None, covers: str) -> str:
    """Which entry of the Do Not Contact list is meant: "email, any sender"."""
    whose = (sender or "this sender") if level == "this_sender" else "any sender"
    what = "all channels" if channel == "all" else channel
    return f"{what}, {whose}" if covers == "marketing" else f"{what}, {whose}, everything"
