"""Several write at once on PostgreSQL: each holds its contacts, and who changes the list is alone with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import select
from tests.engine.conftest import MONDAY

from tactful.elements.contract import MessageKey
from tactful.engine import lifecycle
from tactful.engine.channels.receipts import Receipt
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import Put, put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.incoming import Incoming, Told
from tactful.engine.optout import by_hand, following, importing
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.optout.inbox import Inbound, Inbox, Received
from tactful.engine.optout.links import linked_message
from tactful.engine.optout.list_file import Row
from tactful.engine.optout.noes import BOUNCED_HARD
from tactful.engine.outbox import Settled
from tactful.engine.project_options import Links, PackRule
from tactful.engine.provider_receipts import take_in
from tactful.engine.senders import ConsoleSender
from tactful.engine.store import reading
from tactful.engine.store.database import StoreError
from tactful.engine.store.holding import hold, hold_due, hold_list
from tactful.engine.store.statements import BLOCK_ACT, EVENT
from tactful.engine.switches import SWITCH
from tactful.engine.testing import World
from tactful.engine.workers import LEASE_MS, Worker, working

if TYPE_CHECKING:
    from tests.conftest import Server

HOUR = 3_600_000
LATE = MONDAY + 2 * HOUR
RULES = [PackRule(pack="ctia", level="any_sender")]
SENDER = "news@acme.example"
PEOPLE = [f"c{n}" for n in range(1, 7)]
FLOW = f"""
flow: f
entry: {{event: began}}
settings: {{sender: {{email: {SENDER}}}}}
elements:
  wait: {{type: pause, for: 1 hour, next: mail}}
  mail: {{type: send_email, subject: S, text: T}}
"""


class Pair:
    """Two engines on one database, as two daemons have them, and six people who wait for an hour."""

    def __init__(self, server: Server) -> None:
        self.url = server.new_database()
        self.world = World(MONDAY, database=self.url)
        self.world.publish(FLOW)
        for key in PEOPLE:
            self.world.contact(key, email=f"{key}@example.com")
        self.one: Engine = self.world.engine
        self.other = open_engine(self.url)
        self.tell(self.one, *PEOPLE)

    def tell(self, engine: Engine, *people: str) -> None:
        engine.host.tell([Incoming("began", key) for key in people], MONDAY)

    def is_somebody_waiting(self) -> bool:
        """Whether a transaction waits for a lock."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as server:
            found = server.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            ).fetchone()
            return bool(found and found[0])

    def waits(self, work: Callable[[], object]) -> Callable[[], None]:
        """Begin work in another thread, which waits for what somebody holds; what is answered waits for its end."""
        failed: list[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 -- told by the thread that waits
                failed.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        while thread.is_alive() and not self.is_somebody_waiting():
            thread.join(0.01)
        assert thread.is_alive(), f"it did not wait: {failed}"

        def done() -> None:
            thread.join(30)
            assert not thread.is_alive()
            assert failed == []

        return done


def at_once(*works: Callable[[], object]) -> None:
    """Do all of them at the same time; what one raises is raised."""
    with ThreadPoolExecutor(len(works)) as threads:
        for each in [threads.submit(work) for work in works]:
            each.result()


@pytest.fixture
def pair(postgresql: Server) -> Iterator[Pair]:
    made = Pair(postgresql)
    yield made
    made.other.close()
    made.world.close()


def test_two_write_at_once(pair: Pair) -> None:
    together = threading.Barrier(2)
    met = []

    def write(engine: Engine, contact: int) -> None:
        with engine.host.transaction(shared=True) as tx:
            hold(tx, [contact])
            together.wait(10)  # both are in their transactions, or it breaks
            met.append(contact)

    at_once(lambda: write(pair.one, 1), lambda: write(pair.other, 2))
    assert sorted(met) == [1, 2]


def test_who_writes_alone_waits_for_those_who_share(pair: Pair) -> None:
    with pair.one.store.write(shared=True):
        done = pair.waits(lambda: pair.other.lifecycle.pause("f", MONDAY))
    done()


def test_each_fires_what_the_other_does_not_hold(pair: Pair) -> None:
    with pair.one.host.transaction(shared=True) as here:
        mine = hold_due(here, LATE, 2)
        assert len(mine) == 2
        assert pair.other.host.tick(LATE) == 4
        assert pair.other.host.tick(LATE) == 0, "what is left is held"
    assert pair.other.host.tick(LATE) == 2
    assert [journey.element for journey in pair.world.journeys()] == ["mail"] * 6


def test_each_takes_what_the_other_does_not_hold(pair: Pair) -> None:
    pair.one.host.tick(LATE)
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [1, 2])
        took = pair.other.outbox.take(SENDER, LATE, 100)
        assert [each.contact.number for each in took.messages] == [3, 4, 5, 6]
    assert [each.contact.number for each in pair.one.outbox.take(SENDER, LATE, 100).messages] == [1, 2]


def test_a_message_that_another_took_meanwhile_is_not_taken_again(pair: Pair) -> None:
    """It was due when the look began, and its contact is free again by the time it is held."""
    pair.one.host.tick(LATE)
    taken = []
    at_once(
        *(
            lambda e=engine: taken.extend(e.outbox.take(SENDER, LATE, 1).messages)
            for engine in (pair.one, pair.other) * 6
        )
    )
    assert sorted(each.key for each in taken) == sorted({each.key for each in taken})


def test_an_event_waits_for_its_contact_and_counts_on_what_was_done(pair: Pair) -> None:
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [1])
        done = pair.waits(lambda: pair.tell(pair.other, "c1"))
        pair.one.host.learn(here, [Incoming("visited", "c1")], MONDAY)
    done()
    with pair.one.store.read() as tx:
        found = tx.scalars(select(EVENT.c.name).where(EVENT.c.contact == 1).order_by(EVENT.c.id)).all()
    assert found == ["began", "visited", "began"], "in the order they were learnt"


def test_an_outcome_waits_for_its_contact_and_holds_nothing_of_theirs_meanwhile(pair: Pair) -> None:
    """Else whoever holds the contact would wait for the message, and neither would come to an end."""
    pair.one.host.tick(LATE)
    taken = pair.one.outbox.take(SENDER, LATE, 1).messages[0]
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [taken.contact.number])
        done = pair.waits(lambda: pair.other.outbox.settle([Settled(taken.key, "sent")], LATE))
        pair.one.host.learn(here, [Incoming("delivered", message=taken.key)], LATE)
    done()
    assert pair.world.messages()[taken.key] == "delivered", "which says more than that it was sent"


def test_an_entry_waits_for_a_take_under_way_and_the_next_take_sees_it(pair: Pair) -> None:
    pair.one.host.tick(LATE)

    def block() -> None:
        with pair.other.host.transaction(shared=True) as tx:
            entry = Entry("c1@example.com", "email", "", "everything")
            pair.other.do_not_contact.change(tx, [Change(True, entry, "a test")], LATE)

    with pair.one.host.transaction(shared=True) as here:
        hold_list(here, to_change=False)
        done = pair.waits(block)
        assert not pair.one.do_not_contact.blocks_of(here, ["c1@example.com"])
    done()
    took = pair.one.outbox.take(SENDER, LATE, 100)
    assert (took.messages, took.looked_at) == ((), 6), "one is refused, and what follows may concern the others"
    assert [each.contact.number for each in pair.one.outbox.take(SENDER, LATE, 100).messages] == [2, 3, 4, 5, 6]


# --- Opting out


def by_hand_(pair: Pair, _message: MessageKey) -> None:
    assert by_hand.block(pair.other, "c1@example.com", "email", LATE)


def by_a_list(pair: Pair, _message: MessageKey) -> None:
    entries = [Entry(f"{who}@example.com", "email", "", "everything") for who in ("c1", "nobody")]
    assert len(by_hand.carry_out(pair.other, [Change(True, each, "a test") for each in entries], LATE)) == 2


def by_an_import(pair: Pair, _message: MessageKey) -> None:
    row = Row(2, Entry("c1@example.com", "email", "", "everything"))
    assert importing.bring(pair.other, [row], "old.csv", LATE).new == 1


def by_link(pair: Pair, message: MessageKey) -> None:
    with pair.other.store.read() as tx:
        linked = linked_message(tx, message)
    assert linked is not None
    following.opt_out(pair.other, linked, Links(), LATE)


def by_keyword(pair: Pair, _message: MessageKey) -> None:
    inbox = Inbox(pair.other, {SENDER: ConsoleSender(channel="email", via="console")}, RULES)
    received = inbox.receive(Inbound(SENDER, "c1@example.com", "STOP"), LATE)
    assert received.decision is not None
    assert received.decision.decision == "block"


def by_complaint(pair: Pair, message: MessageKey) -> None:
    assert pair.other.host.tell([Incoming("complained", message=message)], LATE) == [Told("learnt")]


def by_an_answer(pair: Pair, message: MessageKey) -> None:
    pair.other.outbox.settle([Settled(message, "failed", "550 no such user", no=BOUNCED_HARD)], LATE)


def by_receipt(pair: Pair, message: MessageKey) -> None:
    told = Receipt(message, "rejected", "550", "r1", nobody=True, at=LATE)
    assert take_in(pair.other, [told], [SENDER], LATE) == 1


WAYS = [by_hand_, by_a_list, by_an_import, by_link, by_keyword, by_complaint, by_an_answer, by_receipt]


@pytest.fixture
def sent(pair: Pair) -> MessageKey:
    """The message that c1 got; c2 has their own, and the same address."""
    pair.one.host.tick(LATE)
    pair.world.contact("c2", email="c1@example.com")
    took = pair.one.outbox.take(SENDER, LATE, 100).messages
    pair.one.outbox.settle([Settled(each.key, "sent") for each in took], LATE)
    return next(each.key for each in took if each.contact.key == "c1")


@pytest.mark.parametrize("opt_out", WAYS)
def test_who_opts_out_waits_for_nobody_else(
    pair: Pair, sent: MessageKey, opt_out: Callable[[Pair, MessageKey], None]
) -> None:
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [3])
        opt_out(pair, sent)
    with pair.one.store.read() as tx:
        assert pair.one.do_not_contact.blocks_of(tx, ["c1@example.com"])


@pytest.mark.parametrize("opt_out", WAYS)
@pytest.mark.parametrize("held", [1, 2])
def test_who_opts_out_waits_for_all_who_have_the_address_before_the_list_is_held(
    pair: Pair, sent: MessageKey, opt_out: Callable[[Pair, MessageKey], None], held: int
) -> None:
    """Else whoever holds them, and comes to change the list, would wait for it, and neither would come to an end."""
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [held])
        done = pair.waits(lambda: opt_out(pair, sent))
        hold_list(here, to_change=True)
    done()


def test_who_puts_a_whole_domain_on_the_list_writes_alone(pair: Pair) -> None:
    with pair.one.host.transaction(shared=True):
        done = pair.waits(lambda: by_hand.block(pair.other, "@example.com", "email", LATE))
    done()


def test_the_same_link_pressed_twice_at_once_counts_once(pair: Pair, sent: MessageKey) -> None:
    together = threading.Barrier(2)

    def press(engine: Engine) -> None:
        with engine.store.read() as tx:
            linked = linked_message(tx, sent)
        assert linked is not None
        together.wait(10)
        following.opt_out(engine, linked, Links(), LATE)

    at_once(lambda: press(pair.one), lambda: press(pair.other))
    with pair.one.store.read() as tx:
        assert len(pair.one.do_not_contact.history(tx, "c1@example.com")) == 1


def test_the_same_answer_brought_twice_at_once_is_received_once(pair: Pair) -> None:
    """Also from somebody we have no contact of, so that there is nobody to be held."""
    together = threading.Barrier(2)
    received: list[Received] = []

    def bring(engine: Engine) -> None:
        inbox = Inbox(engine, {SENDER: ConsoleSender(channel="email", via="console")}, RULES)
        together.wait(10)
        received.append(inbox.receive(Inbound(SENDER, "stranger@example.com", "STOP", key="m-1"), LATE))

    at_once(lambda: bring(pair.one), lambda: bring(pair.other))
    assert sorted(each.known for each in received) == [False, True]
    assert len({each.number for each in received}) == 1


def test_two_takes_read_the_list_at_once(pair: Pair) -> None:
    pair.one.host.tick(LATE)
    with pair.one.host.transaction(shared=True) as here:
        hold_list(here, to_change=False)
        assert len(pair.other.outbox.take(SENDER, LATE, 100).messages) == 6


# --- Contacts


def test_contacts_are_put_in_beside_who_writes_something_else(pair: Pair) -> None:
    people = [ContactFields("c1", attributes={"city": "Graz"}), ContactFields("c7", "c7@example.com")]
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [2])
        assert put_contacts(pair.other.host, people, MONDAY) == Put(new=1, changed=1)
        done = pair.waits(lambda: put_contacts(pair.other.host, [ContactFields("c2", "new@example.com")], MONDAY))
    done()


def test_people_whom_two_put_in_at_once_are_there_once_with_what_both_said(pair: Pair) -> None:
    together = threading.Barrier(2)
    put: list[Put] = []

    def bring(engine: Engine, said: dict[str, str], keys: range) -> None:
        people = [ContactFields(f"n{n}", attributes=said) for n in keys]
        together.wait(10)
        put.extend([put_contacts(engine.host, people, MONDAY) for _ in range(3)])

    at_once(
        lambda: bring(pair.one, {"city": "Graz"}, range(300)),
        lambda: bring(pair.other, {"tier": "gold"}, range(299, -1, -1)),
    )
    assert sum(each.new for each in put) == 300
    with pair.one.store.read() as tx:
        found = reading.contacts_by_key(tx, [f"n{n}" for n in range(300)])
    assert {tuple(sorted(each.attributes.items())) for each in found.values()} == {(("city", "Graz"), ("tier", "gold"))}
    assert len(found) == 300


def test_somebody_whom_another_is_putting_in_is_waited_for(pair: Pair) -> None:
    with pair.one.host.transaction(shared=True) as here:
        pair.one.store.statements.add_contacts.run(here, [(99, "n1", "a@x.example", None, None, "{}", "[]", 1, 1)])
        done = pair.waits(lambda: put_contacts(pair.other.host, [ContactFields("n1", phone="+4366012345678")], MONDAY))
    done()
    with pair.one.store.read() as tx:
        found = reading.contacts_by_key(tx, ["n1"])["n1"]
    assert (found.number, found.email, found.phone) == (99, "a@x.example", "+4366012345678")


# --- What takes long, done by two at once


CROWD = """
flow: crowd
entry: {event: never}
elements: {wait: {type: pause, for: 1 day}}
"""
LATELY = """
flow: lately
entry: {segment: days_since(contact.bought) >= 1, again: always}
elements: {mark: {type: goal, name: lately}}
"""


def both(pair: Pair, work: Callable[[Engine], bool]) -> None:
    """Let both engines do pieces of work at once, until there is none."""

    def go_on(engine: Engine) -> None:
        while work(engine):
            pass

    at_once(lambda: go_on(pair.one), lambda: go_on(pair.other))


def inside(pair: Pair, flow: str) -> list[int]:
    return sorted(each.contact for each in pair.world.journeys() if each.flow == flow and each.state == "active")


def test_a_crowd_enters_beside_who_writes_something_else(pair: Pair) -> None:
    pair.world.publish(CROWD)
    enrolment = pair.one.enrolments.begin("crowd", None, MONDAY)
    with pair.one.host.transaction(shared=True) as here:
        hold(here, [4])
        assert pair.other.enrolments.go_on(enrolment, MONDAY, 3).looked == 3
        done = pair.waits(lambda: pair.other.enrolments.go_on(enrolment, MONDAY, 3))
    done()
    assert inside(pair, "crowd") == [1, 2, 3, 4, 5, 6]


def test_a_crowd_that_two_bring_in_enters_once(pair: Pair) -> None:
    pair.world.publish(CROWD)
    enrolment = pair.one.enrolments.begin("crowd", None, MONDAY)
    both(pair, lambda engine: not engine.enrolments.go_on(enrolment, MONDAY, 1).done)
    assert inside(pair, "crowd") == [1, 2, 3, 4, 5, 6]


def test_journeys_that_two_set_going_again_go_on_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "BATCH", 2)
    pair.one.lifecycle.pause("f", MONDAY)
    pair.one.host.tell([Incoming("seen", key) for key in PEOPLE], MONDAY)
    pair.one.lifecycle.resume("f", MONDAY)
    both(pair, lambda engine: engine.under_way.go_on(MONDAY))
    assert [each.due_at for each in pair.world.journeys()] == [MONDAY + HOUR] * 6
    pair.one.host.tick(LATE)
    assert len(pair.world.messages()) == 6


def test_a_flow_that_two_empty_is_stopped(pair: Pair) -> None:
    pair.one.lifecycle.stop("f", MONDAY)
    both(pair, lambda engine: engine.lifecycle.take_all_out("f", MONDAY, 1) > 0)
    assert [each.state for each in pair.world.journeys()] == ["removed"] * 6
    with pair.one.host.transaction():
        assert pair.one.host.flows.state["f"] == "stopped"


def test_what_changes_with_time_is_looked_at_by_two_and_nobody_is_left_out(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "BATCH", 1)
    for key in PEOPLE:
        pair.world.contact(key, bought="2026-03-02")
    pair.world.publish(LATELY)
    tomorrow = MONDAY + 30 * HOUR
    both(pair, lambda engine: engine.under_way.go_on(tomorrow))
    assert len([goal for goal in pair.world.goals() if goal[1] == "lately"]) == 6
    with pair.one.store.read() as tx:
        assert tx.scalar(select(SWITCH.c.number).where(SWITCH.c.name == "looked_behind")) == 0


def test_acts_commit_in_the_order_of_their_ids(pair: Pair) -> None:
    """Whoever reads along by ids misses nothing: no id appears below one that was there before."""
    stop, seen = threading.Event(), [0]

    def block(engine: Engine, part: int) -> None:
        for n in range(40):
            with engine.host.transaction(shared=True) as tx:
                entry = Entry(f"p{part}-{n}@example.com", "email", "", "everything")
                engine.do_not_contact.change(tx, [Change(True, entry, "a test")], MONDAY)

    def read_along() -> None:
        last = False
        while not last:
            last = stop.is_set()
            with pair.world.engine.store.read() as tx:
                after = select(BLOCK_ACT.c.id).where(BLOCK_ACT.c.id > seen[-1]).order_by(BLOCK_ACT.c.id)
                seen.extend(tx.scalars(after))

    writers = [threading.Thread(target=block, args=each) for each in ((pair.one, 1), (pair.other, 2))]
    reader = threading.Thread(target=read_along)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert len(seen) == 81


def test_it_is_known_how_many_daemons_work_on_a_database(pair: Pair) -> None:
    clock = pair.world.clock
    assert working(pair.one.store, clock.now()) == 0
    workers = [Worker(each.store, clock, "w") for each in (pair.one, pair.other)]
    for worker in workers:
        worker.join()
    assert working(pair.one.store, clock.now()) == 2
    workers[0].leave()
    assert working(pair.one.store, clock.now()) == 1
    assert working(pair.one.store, clock.now() + LEASE_MS + 1) == 0, "it beats no more"


def test_a_lane_has_one_owner_whoever_asks_at_the_same_time(pair: Pair) -> None:
    from tactful.engine.workers import may_work

    workers = [Worker(each.store, pair.world.clock, "w") for each in (pair.one, pair.other)]
    for worker in workers:
        worker.join()
    together = threading.Barrier(2)
    owners: list[int] = []

    def ask(engine: Engine, worker: Worker) -> None:
        with engine.store.write(shared=True) as tx:
            together.wait(10)
            if may_work(tx, SENDER, worker.number):
                owners.append(worker.number)

    at_once(lambda: ask(pair.one, workers[0]), lambda: ask(pair.other, workers[1]))
    assert len(owners) == 1


def test_a_transaction_that_stands_still_gives_back_what_it_holds(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from tactful.engine.store import postgresql

    begins = postgresql._BEGIN_TO_WRITE["shared"]
    assert "'10s'" in begins
    monkeypatch.setitem(postgresql._BEGIN_TO_WRITE, "shared", begins.replace("'10s'", "'500ms'"))
    with pytest.raises(StoreError), pair.one.host.transaction(shared=True) as frozen:  # noqa: PT012 -- at its end
        hold(frozen, [1])
        done = pair.waits(lambda: pair.tell(pair.other, "c1"))
        done()  # though this one has not ended
        hold(frozen, [2])
    with pair.one.store.read() as tx:
        assert len(tx.scalars(select(EVENT.c.id).where(EVENT.c.contact == 1)).all()) == 2
