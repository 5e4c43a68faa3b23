"""The promise: after an opt-out commits, nothing more is sent.

On a real file, several threads take messages, each as a process of its own would, while others put the same
addresses on the list. Every take and every block notes the number of its transaction, within it: so what came
first is known, whatever the threads did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, text

from tactful.elements import catalogue
from tactful.elements.contract import MessageKey
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming
from tactful.engine.optout import by_hand
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.outbox import Outbox, Settled, Taken, Took
from tactful.engine.testing import World
from tactful.flows.load import load_sources

SENDER = "a@acme.example"
NOW = 1_772_442_000_000
FLOW = f"""
flow: f
entry: {{event: began, again: always}}
settings: {{sender: {{email: {SENDER}}}}}
elements:
  first: {{type: send_email, subject: S, text: T, next: {{sent: second, failed: second, suppressed: second}}}}
  second: {{type: send_email, subject: S, text: T}}
"""


class Numbered(Outbox):
    """An outbox that notes the number of each transaction that takes, and what it took."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.host)
        self.took: list[tuple[int, Taken]] = []

    def _take(self, tx: Connection, sender: str, now: int, most: int, worker: int, *, may_refuse: bool) -> Took | None:
        took = super()._take(tx, sender, now, most, worker, may_refuse=may_refuse)
        if took is not None:
            number = number_of(tx)
            self.took += [(number, each) for each in took.messages]
        return took


def number_of(tx: Connection) -> int:
    """The next number, drawn within the transaction: the order of the numbers is that of the commits."""
    tx.execute(text("update ticket set last = last + 1"))
    return int(tx.execute(text("select last from ticket")).scalar_one())


@dataclass
class Crowd:
    """A database full of people to be written to."""

    url: str
    people: int
    engines: list[Engine] = field(default_factory=list)

    def engine(self) -> Engine:
        """An engine of its own, as another process would have."""
        self.engines.append(open_engine(self.url))
        return self.engines[-1]

    def begin(self) -> None:
        engine = self.engine()
        flow = load_sources({"flow.yaml": FLOW}, catalogue()).flow
        assert flow is not None
        engine.lifecycle.publish(flow, NOW)
        with engine.store.write() as tx:
            tx.execute(text("create table ticket (last integer)"))
            tx.execute(text("insert into ticket values (0)"))
        fields = [ContactFields(f"c{n}", f"C{n}@example.com") for n in range(self.people)]
        put_contacts(engine.host, fields, NOW)
        engine.host.enter("f", [f"c{n}" for n in range(self.people)], NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def crowd_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Crowd]]:
    crowds: list[Crowd] = []

    def make(people: int) -> Crowd:
        on_server = request.param == "postgresql"
        file = f"sqlite:///{tmp_path / 'crowd.db'}"
        crowd = Crowd(request.getfixturevalue("postgresql").new_database() if on_server else file, people)
        crowds.append(crowd)
        crowd.begin()
        return crowd

    yield make
    for crowd in crowds:
        for engine in crowd.engines:
            engine.close()


def counted(tx: Connection, table: str) -> dict[str, int]:
    found = tx.execute(text(f"select state, count(*) from {table} group by state")).all()
    return {row[0]: row[1] for row in found}


@pytest.mark.parametrize("people", [600, pytest.param(50_000, marks=pytest.mark.full)], ids=["small", "full"])
def test_no_message_is_taken_after_a_block_of_its_destination(crowd_of: Callable[[int], Crowd], people: int) -> None:
    crowd = crowd_of(people)
    outboxes: list[Numbered] = []
    blocked_at: dict[str, int] = {}
    failed: list[Exception] = []
    together = threading.Barrier(5)
    still_blocking = threading.Event()
    still_blocking.set()

    def take() -> None:
        outbox = Numbered(crowd.engine())
        outboxes.append(outbox)
        together.wait()
        while True:
            last = not still_blocking.is_set()
            took = outbox.take(SENDER, NOW, 7)
            outbox.settle([Settled(each.key, "sent") for each in took.messages], NOW)
            if last and not took.looked_at:
                return

    def block(part: int) -> None:
        engine = crowd.engine()
        # The first ones are blocked before anything is taken and the last one never: both sides are sure to occur.
        for n in (*range(part, 10, 2), *range(10 + part, people - 1, 2)):
            if n == 10 + part:
                together.wait()
            to = f"c{n}@example.com"
            # Alone, as an API call does it, or beside others, as a journey does.
            with engine.store.write(shared=bool(part)) as tx:
                change = Change(True, Entry(to, "email", "", "everything"), "a test")
                engine.do_not_contact.change(tx, [change], NOW)
                blocked_at[to] = number_of(tx)

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- told by the thread that waits
            failed.append(error)

    takers = [threading.Thread(target=guarded, args=(take,)) for _ in range(3)]
    blockers = [threading.Thread(target=guarded, args=(lambda part=part: block(part),)) for part in range(2)]
    for thread in (*takers, *blockers):
        thread.start()
    for thread in blockers:
        thread.join()
    still_blocking.clear()
    for thread in takers:
        thread.join()

    assert failed == []
    took = [(number, taken) for outbox in outboxes for number, taken in outbox.took]
    late = [(number, taken.address) for number, taken in took if number > blocked_at.get(taken.address.lower(), number)]
    assert late == []
    assert len({taken.key for _, taken in took}) == len(took), "no message is taken twice"
    with crowd.engine().store.read() as tx:
        states = counted(tx, "message")
        journeys = counted(tx, "journey")
    assert set(states) <= {"sent", "suppressed"}
    assert (states.get("sent", 0), sum(states.values())) == (len(took), 2 * people)
    assert journeys == {"done": people}
    assert took, "the blocks came not before everything"
    assert states["suppressed"], "nor after"


class SendsAndBlocks(RuleBasedStateMachine):
    """Sends, blocks, unblocks and crashes in any order; what is on the list when a message is taken does not go."""

    PEOPLE = ("ana", "bo")

    @initialize()
    def begin(self) -> None:
        self.world = World(NOW)
        self.world.publish(FLOW)
        self.blocked: set[tuple[str, str, str]] = set()  # (whom, channel, sender)
        self.in_hand: list[Taken] = []
        self.handed_over: list[MessageKey] = []
        for name in self.PEOPLE:
            put_contacts(self.world.engine.host, [ContactFields(name, f"{name}@example.com")], NOW)

    people = st.sampled_from(PEOPLE)
    channels = st.sampled_from(["email", "all", "sms"])
    senders = st.sampled_from(["", SENDER, "other@acme.example"])

    @rule(name=people)
    def begins(self, name: str) -> None:
        self.world.engine.host.tell([Incoming("began", name)], NOW)

    @rule(name=people, channel=channels, sender=senders)
    def block(self, name: str, channel: str, sender: str) -> None:
        address = "+385911234567" if channel == "sms" else f"{name.upper()}@example.com"
        by_hand.block(self.world.engine, address, channel, NOW, sender=sender)
        if channel != "sms":
            self.blocked.add((name, channel, sender))

    @rule(name=people, channel=channels, sender=senders)
    def unblock(self, name: str, channel: str, sender: str) -> None:
        address = "+385911234567" if channel == "sms" else f"{name}@example.com"
        by_hand.unblock(self.world.engine, address, channel, NOW, reason="asked to", sender=sender)
        self.blocked.discard((name, channel, sender))

    @rule(most=st.integers(1, 3))
    def take(self, most: int) -> None:
        took = self.world.engine.outbox.take(SENDER, NOW, most).messages
        stopped = {name for name, _, sender in self.blocked if sender in ("", SENDER)}
        assert [each.address for each in took if each.contact.key in stopped] == []
        self.in_hand.extend(took)

    @precondition(lambda self: self.in_hand)
    @rule(state=st.sampled_from(["sent", "failed", "queued", "unknown"]))
    def settles(self, state: str) -> None:
        taken = self.in_hand.pop(0)
        if state != "queued":
            self.handed_over.append(taken.key)
        settled = Settled(taken.key, state, due_at=NOW if state == "queued" else None, unknown=state == "unknown")
        self.world.engine.outbox.settle([settled], NOW)

    @rule(repeats=st.booleans())
    def crash(self, repeats: bool) -> None:
        image = self.world.engine.store.image()
        self.world.engine.close()
        self.world.engine = open_engine("sqlite://", image=image)
        found = self.world.engine.outbox.recover([SENDER] if repeats else [], NOW)
        assert found == len(self.in_hand), "what was in hand is known to be unknown"
        self.in_hand.clear()

    @invariant()
    def what_is_in_hand_is_marked_so(self) -> None:
        if hasattr(self, "world"):
            sending = {key for key, state in self.world.messages().items() if state == "sending"}
            assert sending == {each.key for each in self.in_hand}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()


TestSendsAndBlocks = SendsAndBlocks.TestCase
TestSendsAndBlocks.settings = settings(
    max_examples=60, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
