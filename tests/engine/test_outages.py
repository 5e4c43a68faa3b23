"""That the database cannot be used stands in the log once, and that it can again."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from tactful.engine.clock import SetClock
from tactful.engine.outages import AGAIN_SECONDS, Outages
from tactful.engine.store.database import Store, StoreError, open_store
from tactful.engine.store.sealing import seal, unseal
from tactful.engine.store.tally import Tally

AWAY, BACK = "the database cannot be used", "the database can be used again"
Said = list[MutableMapping[str, Any]]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(0)


@pytest.fixture
def outages(clock: SetClock) -> Outages:
    return Outages(clock)


@pytest.fixture
def said() -> Iterator[Said]:
    with capture_logs() as said:
        yield said


def fails_to_write(outages: Outages, why: str) -> None:
    outages.unanswered(why)
    outages.failed(why)


def events(said: Said) -> list[tuple[Any, ...]]:
    return [(each["event"], each.get("why", each.get("seconds")), each["failures"]) for each in said]


def test_one_that_lasts_is_said_once_and_so_is_its_end(outages: Outages, clock: SetClock, said: Said) -> None:
    for _ in range(100):
        fails_to_write(outages, "is away")
        clock.advance(500)
    outages.committed(Tally())
    outages.committed(Tally())
    assert events(said) == [(AWAY, "is away", 1), (BACK, 50.0, 100)]


def test_another_reason_is_said_and_the_same_again_after_a_while(outages: Outages, clock: SetClock, said: Said) -> None:
    outages.unanswered("is away")
    outages.unanswered("starts up")
    clock.advance(int(AGAIN_SECONDS * 1_000))
    outages.unanswered("starts up")
    assert events(said) == [(AWAY, "is away", 1), (AWAY, "starts up", 2), (AWAY, "starts up", 3)]


def test_what_comes_and_goes_does_not_fill_the_log(outages: Outages, clock: SetClock, said: Said) -> None:
    for _ in range(100):
        outages.unanswered("is asked for too much")
        outages.answered()
        clock.advance(100)
    assert events(said) == [(AWAY, "is asked for too much", 1), (BACK, 0.0, 1)]


def test_one_that_lasts_is_said_however_soon_after_another(outages: Outages, clock: SetClock, said: Said) -> None:
    outages.unanswered("is away")
    outages.answered()
    for _ in range(50):
        outages.unanswered("is away")
        clock.advance(500)
    outages.answered()
    assert events(said) == [(AWAY, "is away", 1), (BACK, 0.0, 1), (AWAY, "is away", 11), (BACK, 25.0, 50)]


def test_two_reasons_by_turns_are_said_once_each(outages: Outages, said: Said) -> None:
    for number in range(100):
        outages.unanswered(("is away", "starts up")[number % 2])
    assert events(said) == [(AWAY, "is away", 1), (AWAY, "starts up", 2)]


def test_what_can_be_read_may_still_not_be_written(outages: Outages, said: Said) -> None:
    fails_to_write(outages, "is full")
    outages.answered()
    assert [each["event"] for each in said] == [AWAY]
    outages.committed(Tally())
    assert [each["event"] for each in said] == [AWAY, BACK]


@pytest.fixture
def store(url: str, outages: Outages) -> Iterator[Store]:
    with closing(open_store(url)) as store:
        store.lay_out()
        store.observer = outages
        yield store


@pytest.mark.parametrize("shared", [True, False])
def test_a_database_tells_of_its_troubles_and_when_they_are_over(store: Store, said: Said, shared: bool) -> None:
    def write() -> None:
        with store.write(shared=shared) as tx:
            tx.execute(text("INSERT INTO switch (name, number) VALUES ('it', 1)"))

    with store.write() as tx:
        seal(tx, "it refuses")
    for _ in range(3):
        with pytest.raises(StoreError):
            write()
        with store.read() as tx:
            tx.execute(text("SELECT 1"))
    assert [each["event"] for each in said] == [AWAY], "it can be read, and still not be written to"
    with store.write() as tx:
        unseal(tx)
    write()
    assert [each["event"] for each in said] == [AWAY, BACK]
    assert said[0]["why"] == "is not in use any more: it refuses"
