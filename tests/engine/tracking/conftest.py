"""Shops for the tests of tracking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.tracking.shop import NOTE, WIN_BACK, Shop


@pytest.fixture
def shop(tmp_path: Path, url: str) -> Iterator[Shop]:
    """A shop that sends Ana one message; it was sent a minute ago."""
    shop = Shop(tmp_path, NOTE, url=url)
    try:
        shop.happens("began")
        shop.clock.advance(60_000)
        yield shop
    finally:
        shop.close()


@pytest.fixture
def win_back(tmp_path: Path, url: str) -> Iterator[Shop]:
    """The win-back flow of the examples, whose first email Ana got at noon."""
    shop = Shop(tmp_path, WIN_BACK / "flow.yaml", url=url)
    try:
        shop.happens("basket_abandoned", value=80, item="a pound of Assam")
        shop.after(hours=2)
        yield shop
    finally:
        shop.close()
