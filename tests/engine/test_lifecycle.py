"""The life of a flow: nobody is lost and nobody enters twice, whenever the engine is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tactful.elements import catalogue
from tactful.elements.contract import Leave, Send, SendMessage, Stay, Visit
from tactful.elements.options.duration import Duration
from tactful.elements.options.template import Template
from tactful.engine import lifecycle, reports
from tactful.engine.clock import SetClock
from tactful.engine.compose import Engine, open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.flowbook import FlowGone, WrongState
from tactful.engine.incoming import Incoming
from tactful.engine.optout import by_hand
from tactful.engine.outbox import Settled
from tactful.engine.rules.permission import Limit
from tactful.engine.store.database import Store
from tactful.engine.testing import World
from tactful.flows.load import load_sources

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_772_442_000_000
NewWorld = Callable[..., World]

PING = """
flow: f
entry: {event: began, again: always}
settings: {sender: {email: a@acme.example}}
elements:
  first: {type: wait_for_event, event: ping, within: 2 hours, next: {happened: rest, timed_out: late}}
  rest: {type: pause, for: 3 days, next: done}
  done: {type: goal, name: rested}
  late: {type: goal, name: late}
"""
MAIL = """
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}}
elements: {mail: {type: send_email, subject: S, text: T}}
"""
LIFE = """
flow: f
entry: {event: began}
settings: {sender: {email: a@acme.example}}
elements:
  mail: {type: send_email, subject: S, text: T, next: open}
  open: {type: wait_for_event, event: opened, message: mail, within: 1 hour, next: {happened: first, timed_out: first}}
  first: {type: wait_for_event, event: ping, within: 2 hours, next: {happened: rest, timed_out: again}}
  rest: {type: pause, for: 30 minutes, next: again}
  again: {type: send_email, subject: S, text: T, next: gold}
  gold: {type: wait_for_change, when: contact.tier == "gold", within: 1 hour, next: {happened: end, timed_out: end}}
"""
VIP = """
flow: vip
entry: {segment: contact.orders >= 5, again: always}
elements: {mark: {type: goal, name: vip}}
"""


def begun(world: World, flow: str = PING) -> None:
    world.publish(flow)
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")


def pause(world: World, flow: str = "f") -> None:
    world.engine.lifecycle.pause(flow, world.clock.now())


def resume(world: World, flow: str = "f") -> None:
    world.engine.lifecycle.resume(flow, world.clock.now())


# --- pause and resume


def test_an_event_between_resuming_and_going_on_is_not_lost_nor_its_timer(world: World) -> None:
    """The daemon sets journeys going in batches: until then they stand, though their flow is live already."""
    begun(world)
    pause(world)
    world.happens("seen", "ana@example.com")
    resume(world)
    world.engine.host.tell([Incoming("ping", "ana@example.com")], world.clock.now())  # before anything went on
    world.settle()
    assert world.path(1) == [("first", "happened")]
    assert world.journeys()[0].due_at == world.clock.now() + 3 * DAY
    world.advance("3 days")
    assert world.goals() == [(1, "rested")]


def test_paused_again_before_it_went_on_keeps_its_timer(world: World) -> None:
    begun(world)
    for _ in range(2):
        pause(world)
        world.engine.host.tell([Incoming("seen", "ana@example.com")], world.clock.now())
        resume(world)
    world.advance("2 hours")
    assert world.path(1)[0] == ("first", "timed_out")


def test_a_pause_in_which_nothing_happens_leaves_no_trace(world: World) -> None:
    """However many are inside: to pause a flow of millions takes no longer than one of ten."""
    for flow in (MAIL, PING.replace("flow: f", "flow: g")):
        world.publish(flow)
    world.contact("ana@example.com")
    world.engine.host.tell([Incoming("began", "ana@example.com")], world.clock.now())

    def rows() -> list[object]:
        with world.engine.store.read() as tx:
            return [tx.exec_driver_sql(f"select * from {table}").all() for table in ("journey", "message")]

    before = rows()
    for flow in ("f", "g"):
        pause(world, flow)
    assert rows() == before
    with world.engine.store.read() as tx:
        assert all(each.stands_still for each in reports.journeys(tx))
    for flow in ("f", "g"):
        resume(world, flow)
    assert rows() == before
    with world.engine.store.read() as tx:
        assert not any(each.stands_still for each in reports.journeys(tx))


@pytest.mark.parametrize("when_limited", ["skip", "hold"])
def test_a_message_that_stands_still_counts_for_no_limit(
    new_world: NewWorld, when_limited: Literal["skip", "hold"]
) -> None:
    """Both are due when the lane looks; that of the live flow goes."""
    world = new_world(limits=[Limit(1, Duration.parse("1 day"), when_limited)])
    world.publish(MAIL)
    world.publish(MAIL.replace("flow: f", "flow: g"))
    world.contact("ana@example.com")
    world.engine.host.tell([Incoming("began", "ana@example.com")], world.clock.now())
    pause(world)
    taken = world.engine.outbox.take("a@acme.example", world.clock.now(), 10).messages
    assert [each.flow for each in taken] == ["g"]
    assert sorted(world.messages().values()) == ["held", "sending"]


class Forget(Send):
    """Sends, and leaves before it is known what became of it."""

    sends: ClassVar[str | None] = "email"

    def parts(self) -> Mapping[str, Template]:
        return {"subject": Template("S"), "text": Template("T")}

    def enter(self, visit: Visit) -> Leave | Stay:
        return Leave("sent", effects=(SendMessage("email"),))


def test_a_message_that_outlived_its_journey_goes_out_after_the_pause(new_world: NewWorld) -> None:
    world = new_world(elements={**catalogue(), "forget": Forget})
    world.publish("flow: f\nsettings: {sender: {email: a@acme.example}}\nelements: {mail: {type: forget}}\n")
    world.contact("ana@example.com")
    world.engine.host.enter("f", ["ana@example.com"], world.clock.now())
    pause(world)
    world.settle()
    assert (world.journeys()[0].state, list(world.messages().values())) == ("done", ["held"])
    resume(world)
    world.settle()
    assert list(world.messages().values()) == ["sent"]


def test_a_change_that_moves_nobody_lets_nobody_stand_still(world: World) -> None:
    """Nor does the hourly look at what changes with time."""
    world.publish("flow: q\nentry: {segment: days_since(contact.seen) >= 3}\nelements: {m: {type: goal, name: q}}\n")
    begun(world, PING.replace("2 hours", "9 hours"))
    pause(world)
    for tier in ("silver", "gold"):
        world.contact("ana@example.com", tier=tier)
    world.advance("2 hours")
    with world.engine.store.read() as tx:
        assert tx.exec_driver_sql("select stood_still from journey").scalar_one() is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["pause", "resume", "ping", "opened", "gold", "10 minutes", "50 minutes", "2 hours"])))
def test_to_whom_nothing_happens_in_a_pause_fares_as_those_to_whom_something_does(acts: list[str]) -> None:
    """One of the two always stands still, the other only where it must."""
    with World(MONDAY) as world:
        world.publish(LIFE)
        both = ("ana@example.com", "ben@example.com")
        for each in both:
            world.contact(each)
            world.happens("began", each)
        paused = False
        for act in [*acts, "resume", "2 days"]:
            if act in ("pause", "resume"):
                if paused == (act == "pause"):
                    continue
                paused = act == "pause"
                (pause if paused else resume)(world)
                world.settle()
                if paused:
                    world.happens("seen", "ben@example.com")
            elif act == "gold":
                for each in both:
                    world.contact(each, tier="gold")
            elif act == "opened":
                for message in {each.key for each in world.sent()}:
                    world.happens("opened", message=message)
            elif act == "ping":
                for each in both:
                    world.happens("ping", each)
            else:
                world.advance(act)
        ana, ben = ([visit._replace(journey=0, contact=0, event=None) for visit in world.visits(n)] for n in (1, 2))
        assert ana == ben
        assert sorted(key.step for key in world.messages() if key.journey == 1) == sorted(
            key.step for key in world.messages() if key.journey == 2
        )


def test_a_change_of_the_contact_during_a_pause_counts(world: World) -> None:
    begun(
        world,
        """
flow: f
entry: {event: began}
elements:
  gold: {type: wait_for_change, when: contact.tier == "gold", within: forever, next: {happened: yes, timed_out: end}}
  yes: {type: goal, name: gold}
""",
    )
    pause(world)
    world.contact("ana@example.com", tier="gold")
    assert world.goals() == []
    resume(world)
    world.settle()
    assert world.goals() == [(1, "gold")]


@pytest.mark.parametrize("outcome", ["queued", "unknown"])
def test_what_is_tried_while_its_flow_is_paused_is_not_tried_again_before_it_goes_on(
    world: World, outcome: str
) -> None:
    world.publish(MAIL)
    world.contact("ana@example.com")
    now = world.clock.now()
    world.engine.host.tell([Incoming("began", "ana@example.com")], now)
    (taken,) = world.engine.outbox.take("a@acme.example", now, 10).messages
    pause(world)
    world.engine.outbox.settle([Settled(taken.key, "queued", "later", due_at=now, unknown=outcome == "unknown")], now)
    world.advance("1 day")
    assert (world.sent(), list(world.messages().values())) == ([], ["held"])
    resume(world)
    world.settle()
    assert len(world.sent()) == 1
    assert world.path(1) == [("mail", "sent")]


def test_a_message_sent_while_its_flow_was_paused_moves_its_journey_afterwards(world: World) -> None:
    world.publish(MAIL)
    world.contact("ana@example.com")
    now = world.clock.now()
    world.engine.host.tell([Incoming("began", "ana@example.com")], now)
    (taken,) = world.engine.outbox.take("a@acme.example", now, 10).messages
    pause(world)
    world.engine.outbox.settle([Settled(taken.key, "sent")], now)
    world.settle()
    assert world.journeys()[0].state == "active"
    resume(world)
    world.settle()
    assert world.path(1) == [("mail", "sent")]


def test_a_flow_paused_while_it_finishes_goes_on_finishing(world: World) -> None:
    begun(world)
    world.engine.lifecycle.stop("f", world.clock.now())
    pause(world)
    resume(world)
    world.happens("began", "ana@example.com")
    assert len(world.journeys()) == 1, "nobody enters"
    world.advance("2 hours")
    assert world.engine.host.flows.state["f"] == "stopped"
    world.publish(PING)
    pause(world)
    resume(world)
    world.happens("began", "ana@example.com")
    assert len(world.journeys()) == 2, "published again it is as any other"


def test_a_crowd_stands_still_with_its_flow(world: World) -> None:
    world.publish(PING)
    for n in range(3):
        world.contact(f"c{n}@example.com")
    enrolment = world.engine.enrolments.begin("f", None, world.clock.now())
    world.engine.enrolments.go_on(enrolment, world.clock.now(), most=1)
    pause(world)
    world.settle()
    with pytest.raises(WrongState):
        world.engine.enrolments.go_on(enrolment, world.clock.now())
    assert len(world.journeys()) == 1
    world.publish(PING.replace("flow: f", "flow: other"))
    world.engine.enrolments.begin("other", None, world.clock.now())
    world.settle()
    assert len(world.journeys()) == 4, "and keeps no other crowd waiting"
    resume(world)
    world.settle()
    assert len(world.journeys()) == 6


def test_whoever_joins_a_segment_while_its_flow_is_paused_was_there_before(world: World) -> None:
    world.publish(VIP)
    pause(world, "vip")
    world.contact("ana@example.com", orders=5)
    resume(world, "vip")
    world.settle()
    world.contact("ana@example.com", orders=6)
    assert world.journeys() == [], "nobody enters while it is paused, nor for it afterwards"
    world.contact("ana@example.com", orders=1)
    world.contact("ana@example.com", orders=5)
    assert len(world.journeys()) == 1


# --- publish


def test_publishing_the_same_segment_again_loses_nobody_who_was_about_to_enter(world: World) -> None:
    """Time brings people into a segment between two looks; a corrected text must not note them as there before."""
    flow = """
flow: quiet
about: First words.
entry: {segment: days_since(contact.last_seen) >= 3}
elements: {mark: {type: goal, name: quiet}}
"""
    world.publish(flow)
    world.contact("ana@example.com", last_seen="2026-03-01")
    assert isinstance(world.clock, SetClock)
    world.clock.advance(3 * DAY)  # nothing ran meanwhile
    loaded = load_sources({"flow.yaml": flow.replace("First", "Better")}, catalogue()).flow
    assert loaded is not None
    world.engine.lifecycle.publish(loaded, world.clock.now())
    world.settle()
    assert len(world.journeys()) == 1


@pytest.mark.parametrize("people", [4, 5])
def test_who_was_in_a_segment_before_it_changed_is_looked_at_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, people: int
) -> None:
    monkeypatch.setattr(lifecycle, "BATCH", 2)
    for n in range(people):
        world.contact(f"c{n}@example.com", orders=5 if n != 2 else 12)
    world.publish(VIP)
    world.publish(VIP.replace(">= 5", ">= 10"))
    for n in range(people):
        world.contact(f"c{n}@example.com", orders=13)
    assert [each.contact for each in world.journeys()] == [n + 1 for n in range(people) if n != 2]


def test_publishing_again_keeps_a_schedule_that_is_due(new_world: NewWorld) -> None:
    flow = 'flow: daily\nabout: First.\nentry: {schedule: "0 10 * * *"}\nelements: {mark: {type: goal, name: seen}}\n'
    world = new_world()
    world.contact("ana@example.com")
    world.publish(flow)
    assert isinstance(world.clock, SetClock)
    world.clock.advance(2 * HOUR)  # it was due an hour ago, and nothing ran
    world.publish(flow.replace("First", "Better"))
    assert len(world.journeys()) == 1


def test_a_flow_published_again_is_not_emptied_by_a_stop_that_still_runs(world: World) -> None:
    begun(world)
    world.engine.lifecycle.stop("f", world.clock.now())
    world.publish(PING)
    with pytest.raises(WrongState, match="flow f is live"):
        world.engine.lifecycle.take_all_out("f", world.clock.now())
    assert world.journeys()[0].state == "active"


# --- killed between any two transactions


class Killed(Exception):
    """The engine died."""


class Mortal:
    """An engine that dies before any of its transactions, and is opened again."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url = url
        self._monkeypatch = monkeypatch
        self.engine: Engine = open_engine(url)

    def dies_before(self, transaction: int) -> None:
        """Let the so-many-th write transaction from here never begin."""
        left, kind = transaction, type(self.engine.store)
        write = kind.write

        def counted(store: Store, *, shared: bool = False) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return write(store, shared=shared)

        self._monkeypatch.setattr(kind, "write", counted)

    def born_again(self) -> Engine:
        self._monkeypatch.undo()
        self.engine.close()
        self.engine = open_engine(self._url)
        return self.engine


@pytest.fixture
def mortal(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    mortal = Mortal(url, monkeypatch)
    yield mortal
    mortal.engine.close()


def journeys(engine: Engine) -> list[tuple[str, str]]:
    with engine.store.read() as tx:
        return sorted((each.contact, each.state) for each in reports.journeys(tx))


def all_of(people: int, state: str) -> list[tuple[str, str]]:
    return sorted((f"c{n}", state) for n in range(people))


def run(engine: Engine, now: int) -> None:
    while engine.host.tick(now) or engine.under_way.go_on(now):
        pass


def publish(engine: Engine, text: str, now: int = MONDAY) -> None:
    flow = load_sources({"flow.yaml": text}, catalogue()).flow
    assert flow is not None
    engine.lifecycle.publish(flow, now)


def crowd(engine: Engine, people: int, **attributes: object) -> None:
    fields = [ContactFields(f"c{n}", f"c{n}@example.com", attributes=attributes) for n in range(people)]
    put_contacts(engine.host, fields, MONDAY)


def died(act: Callable[[], object]) -> bool:
    try:
        act()
    except Killed:
        return True
    return False


@pytest.mark.parametrize("at", range(6))
def test_a_segment_published_and_killed_enters_nobody_who_was_in_it_before(mortal: Mortal, at: int) -> None:
    crowd(mortal.engine, 2_500, orders=9)
    mortal.dies_before(at)
    dead = died(lambda: publish(mortal.engine, VIP))
    engine = mortal.born_again()
    if at == 0:
        assert dead
        return
    put_contacts(engine.host, [ContactFields("c2400", attributes={"orders": 10})], MONDAY)  # before it goes on
    run(engine, MONDAY)
    crowd(engine, 2_500, orders=10)
    assert journeys(engine) == []
    put_contacts(engine.host, [ContactFields("new", attributes={"orders": 5})], MONDAY)
    assert len(journeys(engine)) == 1, "who comes to be in it enters"


@pytest.mark.parametrize("at", range(5))
def test_a_crowd_killed_on_its_way_enters_whole_and_once(mortal: Mortal, at: int) -> None:
    publish(mortal.engine, PING)
    crowd(mortal.engine, 2_500)
    mortal.dies_before(at)

    def enter() -> None:
        enrolment = mortal.engine.enrolments.begin("f", None, MONDAY)
        while not mortal.engine.enrolments.go_on(enrolment, MONDAY).done:
            pass

    died(enter)
    engine = mortal.born_again()
    run(engine, MONDAY)
    assert journeys(engine) == ([] if at == 0 else all_of(2_500, "active"))


@pytest.mark.parametrize("at", range(10))
def test_a_flow_paused_resumed_and_killed_sets_everybody_going_once(mortal: Mortal, at: int) -> None:
    publish(mortal.engine, PING)
    crowd(mortal.engine, 1_500)
    mortal.engine.host.enter("f", [f"c{n}" for n in range(1_500)], MONDAY)
    mortal.dies_before(at)

    def pause_and_resume() -> None:
        mortal.engine.lifecycle.pause("f", MONDAY)
        mortal.engine.host.tell([Incoming("seen", f"c{n}") for n in range(1_500)], MONDAY)  # all of them stand still
        mortal.engine.lifecycle.resume("f", MONDAY)
        run(mortal.engine, MONDAY)

    died(pause_and_resume)
    engine = mortal.born_again()
    with engine.host.transaction():
        is_paused = engine.host.flows.state["f"] == "paused"
    assert is_paused == (at in (1, 2, 3))
    if is_paused:
        engine.lifecycle.resume("f", MONDAY)
    run(engine, MONDAY)
    run(engine, MONDAY + 2 * HOUR)
    assert journeys(engine) == all_of(1_500, "done")
    with engine.store.read() as tx:
        counted = tx.exec_driver_sql("select name, count(*) from goal group by name").all()
    assert [tuple(row) for row in counted] == [("late", 1_500)]


def test_a_paused_flow_keeps_no_other_from_going_on(world: World) -> None:
    for flow in ("f", "g", "h"):
        world.publish(PING.replace("flow: f", f"flow: {flow}"))
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    for flow in ("f", "g", "h"):
        pause(world, flow)
    resume(world, "g")
    world.advance("2 hours")
    assert [(each.flow, each.element) for each in world.journeys()] == [("f", "first"), ("g", None), ("h", "first")]
    resume(world, "h")
    world.settle()
    assert [(each.flow, each.element) for each in world.journeys()] == [("f", "first"), ("g", None), ("h", None)]


def test_those_due_longest_ago_go_on_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who wait for no time last: what they wait for may have come only after all that is due."""
    monkeypatch.setattr(lifecycle, "BATCH", 1)
    for name, within in (("whenever", "forever"), ("late", "1 hour"), ("early", "30 minutes"), ("later", "2 hours")):
        world.contact(f"{name}@example.com")
        world.publish(PING.replace("2 hours", within))
        world.happens("began", f"{name}@example.com")
    pause(world)
    for name in ("whenever", "later", "late", "early"):
        world.happens("seen", f"{name}@example.com")
    resume(world)
    gone: list[str] = []
    while world.engine.under_way.go_on(world.clock.now()):
        with world.engine.store.read() as tx:
            going = [each.contact for each in reports.journeys(tx) if not each.stands_still]
        gone += [each.partition("@")[0] for each in going if each.partition("@")[0] not in gone]
    assert gone == ["early", "late", "later", "whenever"]


def test_a_flow_that_finishes_again_is_looked_through_again(world: World) -> None:
    """Whom it let go by the first time may be inside once more."""
    for name in ("ana", "ben"):
        world.contact(f"{name}@example.com")
    world.publish(PING)
    world.happens("began", "ana@example.com")
    world.happens("began", "ben@example.com")
    now = world.clock.now
    world.engine.lifecycle.stop("f", now())
    assert not world.engine.under_way.go_on(now()), "both are inside"
    world.engine.host.take_out("f", ["ana@example.com"], now())
    assert not world.engine.under_way.go_on(now()), "one is inside"
    world.publish(PING)
    world.happens("began", "ana@example.com")
    world.engine.lifecycle.stop("f", now())
    world.engine.host.take_out("f", ["ben@example.com"], now())
    assert not world.engine.under_way.go_on(now()), "the other is inside"
    assert world.engine.lifecycle.take_all_out("f", now()) == 1
    assert world.engine.lifecycle.take_all_out("f", now()) == 0
    assert [each.state for each in world.journeys()] == ["removed"] * 3


@pytest.mark.parametrize("at", range(6))
def test_a_flow_stopped_and_killed_is_emptied_by_asking_again(mortal: Mortal, at: int) -> None:
    publish(mortal.engine, PING)
    crowd(mortal.engine, 1_500)
    mortal.engine.host.enter("f", [f"c{n}" for n in range(1_500)], MONDAY)
    mortal.dies_before(at)

    def stop() -> None:
        mortal.engine.lifecycle.stop("f", MONDAY)
        while mortal.engine.lifecycle.take_all_out("f", MONDAY):
            pass

    died(stop)
    engine = mortal.born_again()
    with engine.host.transaction():
        state = engine.host.flows.state["f"]
    assert state == ("live" if at == 0 else "stopped" if at == 5 else "finishing")
    if state == "live":
        engine.lifecycle.stop("f", MONDAY)
    while engine.lifecycle.take_all_out("f", MONDAY):
        pass
    assert journeys(engine) == all_of(1_500, "removed")


@pytest.mark.parametrize("at", range(4))
def test_a_schedule_killed_brings_everybody_in_once(mortal: Mortal, at: int) -> None:
    crowd(mortal.engine, 1_500)
    publish(mortal.engine, 'flow: d\nentry: {schedule: "0 10 * * *"}\nelements: {mark: {type: goal, name: seen}}\n')
    mortal.dies_before(1 + at)  # `tick` looks first
    died(lambda: run(mortal.engine, MONDAY + HOUR))
    engine = mortal.born_again()
    run(engine, MONDAY + 2 * HOUR)
    assert journeys(engine) == all_of(1_500, "done")


# --- the flows as threads and processes see them


def test_a_reader_who_began_before_a_change_does_not_bring_the_old_flows_back(url: str) -> None:
    engine = open_engine(url)
    publish(engine, PING)
    with engine.store.read() as old:
        engine.host.flows.refresh(old)  # its view of the database is fixed here
        engine.lifecycle.stop("f", MONDAY)
        with engine.host.transaction():
            assert engine.host.flows.state["f"] == "finishing"
            engine.host.flows.refresh(old)
            assert engine.host.flows.state["f"] == "finishing"
    engine.close()


def test_a_change_that_was_rolled_back_is_seen_by_nobody(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(mortal.engine, PING)

    def fails(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("tactful.engine.lifecycle.flows_changed", fails)
    assert died(lambda: publish(mortal.engine, PING.replace("3 days", "4 days")))
    assert died(lambda: publish(mortal.engine, MAIL.replace("flow: f", "flow: g")))
    monkeypatch.undo()
    publish(mortal.engine, MAIL.replace("flow: f", "flow: h"))
    with mortal.engine.host.transaction() as tx:
        flows = mortal.engine.host.flows
        assert set(flows.live.by_id) == {"f", "h"}
        assert flows.live.by_id["f"].version == 1
        assert flows.version(tx, flows.live.by_id["h"].version).id == "h"


def test_an_opt_out_is_taken_also_where_a_flow_does_not_load_any_more(url: str) -> None:
    """An element was uninstalled: nothing moves and nothing is sent, and no is still taken for an answer."""
    engine = open_engine(url)
    publish(engine, PING)
    engine.close()
    fewer = {name: element for name, element in catalogue().items() if name != "pause"}
    engine = open_engine(url, elements=fewer)
    with pytest.raises(FlowGone) as gone:
        engine.host.tick(MONDAY)
    assert str(gone.value) == "flow version 1 does not load any more: flow.yaml:7:16 [unknown-type]"
    assert ["there is no type of element `pause`" in each.render() for each in gone.value.problems] == [True]
    assert by_hand.block(engine, "ana@example.com", "email", MONDAY)
    assert by_hand.explain(engine, "ana@example.com", "email").block is not None
    assert by_hand.unblock(engine, "ana@example.com", "email", MONDAY, reason="asked to") == 1
    engine.close()
