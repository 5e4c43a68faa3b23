"""Those who tell at the same time are told for together, and each hears of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.engine.conftest import MONDAY

from tactful.engine.host import BATCH
from tactful.engine.incoming import Incoming, Told
from tactful.engine.store.statements import EVENT
from tactful.engine.store.tally import Observer, Tally
from tactful.engine.testing import World

LEARNT, KNOWN = Told("learnt"), Told("known")
FLOW = """
flow: f
entry: {event: began}
elements:
  wait: {type: pause, for: 1 hour}
"""


class Commits(Observer):
    """How many events each committed transaction learnt."""

    def __init__(self) -> None:
        self.events: list[int] = []

    def committed(self, tally: Tally) -> None:
        self.events.append(tally.events)


class Desk:
    """Where many tell at once. Each database lasts, so that others look at it on connections of their own."""

    def __init__(self, url: str) -> None:
        self.world = World(MONDAY, database=url)
        self.world.publish(FLOW)
        for key in ("ana", "ben"):
            self.world.contact(key)
        self.engine, self.teller = self.world.engine, self.world.engine.teller
        self.commits = self.engine.store.observer = Commits()
        self._asked: list[Future[list[Told]]] = []

    def tell(self, *events: Incoming, now: int = MONDAY) -> Future[list[Told]]:
        """Ask; returns once it is told for or waits in its place."""
        waits = any(each.running() for each in self._asked)
        answer = self.teller.ask(events, now)
        self._asked.append(answer)
        while not (waits or answer.running() or answer.done()):
            wait([answer], 0.001)
        return answer

    def learnt(self) -> list[tuple[int, str]]:
        """All events that are committed, in their order: whose and which."""
        with self.engine.store.read() as tx:
            rows = tx.execute(select(EVENT.c.contact, EVENT.c.name).order_by(EVENT.c.id))
            return [(row.contact, row.name) for row in rows]

    def close(self) -> None:
        self.world.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("postgresql").new_database() if postgresql else f"sqlite:///{tmp_path / 'desk.db'}"
    made = Desk(url)
    yield made
    made.close()


@pytest.fixture
def held(desk: Desk) -> Iterator[Callable[[], None]]:
    """The first who tells has to wait for the database, until this is called."""
    with ExitStack() as stack:
        stack.enter_context(desk.engine.store.write())
        yield stack.close


def test_who_is_alone_is_told_for_at_once(desk: Desk) -> None:
    assert desk.teller.tell([Incoming("began", "ana")], MONDAY) == [LEARNT]
    assert desk.teller.tell([], MONDAY) == []
    assert desk.learnt() == [(1, "began")]


def test_all_who_wait_are_told_for_in_one_transaction_and_each_hears_of_their_own(
    desk: Desk, held: Callable[[], None]
) -> None:
    first = desk.tell(Incoming("began", "ana", key="1"))
    others = [
        desk.tell(Incoming("seen", "ana", key="2"), Incoming("seen", "nobody"), Incoming("seen", "ben")),
        desk.tell(Incoming("seen", "ben", key="1")),
        desk.tell(),
        desk.tell(Incoming("", "ben"), Incoming("seen", "ben", key="3")),
        desk.tell(Incoming("seen", "ana", key="3")),
    ]
    held()
    assert first.result(20) == [LEARNT]
    nobody, nameless = Told("refused", "there is no contact 'nobody'"), Told("refused", "it has no name")
    assert [each.result(20) for each in others] == [
        [LEARNT, nobody, LEARNT],
        [KNOWN],
        [],
        [nameless, LEARNT],
        [KNOWN],
    ]
    assert desk.commits.events == [0, 1, 3], "the one that held the database, the first, and all others"


@pytest.fixture
def once_learnt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Sequence[Incoming]], None]], None]:
    """Calls something with the events of each transaction, once they are learnt in it and before it commits."""

    def arrange(what: Callable[[Sequence[Incoming]], None]) -> None:
        learn = desk.engine.host.learn

        def learning(tx: Connection, events: Sequence[Incoming], now: int) -> list[Told]:
            became = learn(tx, events, now)
            what(events)
            return became

        monkeypatch.setattr(desk.engine.host, "learn", learning)

    return arrange


def test_nobody_hears_before_the_commit(desk: Desk, held: Callable[[], None], once_learnt: Any) -> None:
    answers = [desk.tell(Incoming("seen", "ana")) for _ in range(4)]
    heard: list[int] = []
    once_learnt(lambda events: heard.append(sum(each.done() for each in answers)))
    held()
    for each in answers:
        assert each.result(20) == [LEARNT]
    assert heard == [0, 1], "the first transaction is of the first, the second of all others"
    assert len(desk.learnt()) == 4


def test_if_a_transaction_fails_all_who_were_in_it_hear_and_nobody_else(
    desk: Desk, held: Callable[[], None], once_learnt: Any
) -> None:
    first = desk.tell(Incoming("seen", "ana", key="first"))
    others = [desk.tell(Incoming("seen", who, key=who)) for who in ("ana", "ben")]
    failed: list[Sequence[Incoming]] = []

    def fail(events: Sequence[Incoming]) -> None:
        if len(events) == 2 and not failed:
            failed.append(events)
            raise OSError("the disk is gone")

    once_learnt(fail)
    held()
    assert first.result(20) == [LEARNT]
    for each in others:
        with pytest.raises(OSError, match="the disk is gone"):
            each.result(20)
    assert desk.learnt() == [(1, "seen")]
    again = [Incoming("seen", who, key=who) for who in ("ana", "ben")]
    assert desk.teller.tell(again, MONDAY) == [LEARNT, LEARNT], "nothing of them was kept"


def test_what_was_asked_first_is_learnt_first(desk: Desk, held: Callable[[], None]) -> None:
    names = [f"e{number}" for number in range(9)]
    answers = [desk.tell(Incoming(name, "ana")) for name in names]
    held()
    for each in answers:
        each.result(20)
    assert desk.learnt() == [(1, name) for name in names]


def test_a_transaction_takes_a_batch_at_most(desk: Desk, held: Callable[[], None]) -> None:
    sizes = (1, 600, BATCH - 600, 1, BATCH, 5)
    answers = [desk.tell(*[Incoming("seen", "ana")] * size) for size in sizes]
    held()
    assert [len(each.result(20)) for each in answers] == list(sizes)
    assert desk.commits.events == [0, 1, BATCH, 1, BATCH, 5]


def test_they_are_learnt_at_the_time_of_the_latest(desk: Desk, held: Callable[[], None]) -> None:
    answers = [desk.tell(Incoming("seen", "ana"), now=MONDAY + ms) for ms in (0, 7, 3)]
    held()
    for each in answers:
        each.result(20)
    with desk.engine.store.read() as tx:
        assert list(tx.scalars(select(EVENT.c.at).order_by(EVENT.c.id))) == [MONDAY, MONDAY + 7, MONDAY + 7]


def test_one_that_gave_up_while_it_waited_is_not_told_for(desk: Desk, held: Callable[[], None]) -> None:
    first, second, third = (desk.tell(Incoming(name, "ana")) for name in ("e1", "e2", "e3"))
    assert not first.cancel(), "it is being told for"
    assert second.cancel()
    held()
    assert (first.result(20), third.result(20)) == ([LEARNT], [LEARNT])
    assert desk.learnt() == [(1, "e1"), (1, "e3")]


def test_who_asked_before_it_closes_is_told_for(desk: Desk, held: Callable[[], None]) -> None:
    answers = [desk.tell(Incoming("seen", "ana")) for _ in range(3)]
    held()
    desk.teller.close()
    assert [each.result(0) for each in answers] == [[LEARNT]] * 3


def test_who_asks_once_it_is_closed_is_refused_and_not_told_for(desk: Desk, held: Callable[[], None]) -> None:
    first = desk.tell(Incoming("e1", "ana"))
    closing = threading.Thread(target=desk.teller.close)
    closing.start()
    while not desk.teller._thread._shutdown:
        closing.join(0.001)
    with pytest.raises(RuntimeError):
        desk.teller.ask([Incoming("late", "ana")], MONDAY)
    held()
    closing.join()
    assert first.result(0) == [LEARNT]
    assert desk.learnt() == [(1, "e1")]


def test_whoever_comes_whenever_is_told_for(desk: Desk) -> None:
    """Nobody is forgotten between one who ends and one who comes."""
    begin = threading.Barrier(8)

    def tell(caller: int) -> list[list[Told]]:
        begin.wait(20)
        return [
            desk.teller.tell([Incoming("seen", "ana", key=f"{caller} {each}"), Incoming("seen", f"{caller}")], MONDAY)
            for each in range(40)
        ]

    with ThreadPoolExecutor(8) as callers:
        for caller, answers in enumerate(callers.map(tell, range(8), timeout=120)):
            assert answers == [[LEARNT, Told("refused", f"there is no contact '{caller}'")]] * 40
    assert len(desk.learnt()) == 320
