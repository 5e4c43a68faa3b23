"""Pruning: what is over and old goes, and nothing that happens afterwards is any different for it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from tests.engine.conftest import MONDAY
from tests.engine.test_kill import CLOCK, Mailbox, Project, mailbox
from tests.engine.test_random_journeys import ANA, elements
from tests.random_flows import OWN_EVENTS, flow_texts

from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.engine import reports
from tactful.engine.clock import SetClock
from tactful.engine.history import PAUSE_MS, PRUNED, SHORT_LINK, Pruning, horizon, prune
from tactful.engine.incoming import Incoming
from tactful.engine.interpreter import ACTIVE
from tactful.engine.outbox import Settled
from tactful.engine.project import load_project
from tactful.engine.rules.permission import Limit
from tactful.engine.runner import Runner
from tactful.engine.store.statements import BLOCK_ACT, EVENT, GOAL, JOURNEY, MESSAGE, VISIT
from tactful.engine.testing import World
from tactful.flows.load import load_sources

__all__ = ["mailbox"]  # the fixture

HOUR = 3_600_000
DAY = 24 * HOUR
FLOW = """
flow: {id}
entry: {{event: {event}, again: {again}}}
stop_when: [{{event: bought, goal: true}}]
settings: {{sender: {{email: news@acme.example}}}}
elements:
  offer: {{type: send_email, subject: S, text: T, next: opened}}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 2 days
    next: {{happened: end, timed_out: no}}
  no: {{type: wait_for_event, event: visited, within: 1 day, next: {{happened: end, timed_out: end}}}}
"""
VISITED = """
flow: visited
entry: {event: began}
settings: {sender: {email: news@acme.example}}
elements:
  offer: {type: send_email, subject: S, text: T, next: visited}
  visited: {type: wait_for_event, event: visited, within: 2 days, next: {happened: end, timed_out: end}}
"""
ONCE = FLOW.format(id="once", event="began", again="never")


def rows_of(world: World, table: Any) -> int:
    with world.engine.store.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def prune_all(world: World, before: int | None = None) -> int:
    return sum(prune(world.engine, world.clock.now() if before is None else before))


@pytest.fixture
def shop(world: World) -> World:
    world.publish(ONCE)
    for person in ("ana@example.com", "ben@example.com"):
        world.contact(person)
    return world


# --- Nothing that happens is any different for it


class Twins:
    """The same happens in two worlds, and in one of them history is pruned all the time."""

    def __init__(self, seed: int, *flows: str) -> None:
        self.chance = random.Random(seed)
        self.keep = Duration.parse(self.chance.choice(("1 hour", "2 days", "20 days")))
        limits = [Limit(3, Duration.parse("4 days"), "hold")] if self.chance.random() < 0.5 else []
        self.worlds = [World(MONDAY, elements=elements(), limits=limits) for _ in range(2)]
        self.whole, self.pruned = self.worlds
        for world in self.worlds:
            for name in ("ana", "ben"):
                world.contact(name, email=f"{name}@example.com", phone=ANA.phone, time_zone=ANA.time_zone,
                              **ANA.attributes)  # fmt: skip
            for flow in flows:
                world.publish(flow)
        self.flows = list(self.whole.flows)

    def close(self) -> None:
        for world in self.worlds:
            world.close()

    def go_on(self) -> None:
        who = self.chance.choice(("ana", "ben"))
        data: dict[str, Any] = {"value": 150, "shop": "web", "text": "Yes please"}
        left = sorted(self.pruned.messages())
        match self.chance.randrange(6):
            case 0:
                how_long = self.chance.choice((HOUR, 30 * HOUR, 9 * DAY, 40 * DAY))
                self.both(lambda world: world.advance(how_long))
            case 1:
                final = self.chance.random() < 0.5
                self.both(lambda world: world.refuse_next("no", final=final))
            case 2 if left:  # a message that is gone has no events any more: that is what pruning is for
                key, name = self.chance.choice(left), self.chance.choice(sorted(MESSAGE_EVENTS))
                self.both(lambda world: world.happens(name, message=key, **data))
            case 3:
                flow = self.chance.choice(self.flows)
                self.both(lambda world: world.enter(flow, who))
            case _:
                name = self.chance.choice((*OWN_EVENTS, "began", "bought"))
                self.both(lambda world: world.happens(name, who, None, **data))
        policy = self.pruned.engine.outbox.policy
        for _ in prune(self.pruned.engine, horizon(self.keep, policy, self.pruned.clock.now())):
            pass
        self.hold_what_must_hold()

    def both(self, act: Callable[[World], object]) -> None:
        one, other = (act(world) for world in self.worlds)
        assert one == other

    def hold_what_must_hold(self) -> None:
        one, other = (self.seen(world) for world in self.worlds)
        assert one == other
        kept = {journey.id: journey for journey in self.whole.journeys()}
        for journey in self.pruned.journeys():
            if journey.step == PRUNED:
                assert journey.state != ACTIVE
            else:
                assert journey == kept[journey.id]
                assert self.pruned.visits(journey.id) == self.whole.visits(journey.id)

    def seen(self, world: World) -> Any:
        # Not their texts: each database signs its links by a key of its own.
        went = [(out.key, out.destination, out.at) for out in world.post.taken]
        under_way = [journey for journey in world.journeys() if journey.state == ACTIVE]
        listed = world.do_not_contact
        with world.engine.store.read() as tx:
            counts = [each.as_json() for each in reports.flows(tx)], reports.message_counts(tx)
            taken = {flow: reports.exits_taken(tx, flow) for flow in self.flows}
            return went, under_way, listed, list(map(tuple, tx.execute(select(BLOCK_ACT)))), counts, taken


def live_alike(text: str, seed: int) -> None:
    assert load_sources({"flow.yaml": text}, elements()).flow is not None
    again = random.Random(seed).choice(("never", "always", "after 3 days"))
    twins = Twins(seed, text, ONCE, FLOW.format(id="again", event="visited", again=again))
    try:
        for _ in range(20):
            twins.go_on()
    finally:
        twins.close()


@given(flow_texts(most_elements=6), st.integers(0, 2**32))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pruning_never_changes_what_happens_next(text: str, seed: int) -> None:
    live_alike(text, seed)


@pytest.mark.full
@given(flow_texts(), st.integers(0, 2**32))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pruning_never_changes_what_happens_next_in_any_flow(text: str, seed: int) -> None:
    live_alike(text, seed)


# --- What goes, and what stays


def test_who_was_in_a_flow_once_does_not_enter_it_again_however_long_ago_that_was(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.advance(400 * DAY)
    assert prune_all(shop) > 0
    assert [rows_of(shop, each) for each in (VISIT, MESSAGE)] == [0, 0]
    shop.happens("began", "ana@example.com")
    (journey,) = shop.journeys()
    assert (journey.step, journey.state, journey.entered_at) == (PRUNED, "done", MONDAY)


def test_of_many_entries_the_last_one_stays(world: World) -> None:
    world.publish(FLOW.format(id="often", event="began", again="always"))
    world.contact("ana@example.com")
    for _ in range(5):
        world.happens("began", "ana@example.com", value=35)
        world.advance(10 * DAY)
    with world.engine.store.read() as tx:
        before = [each.as_json() for each in reports.flows(tx)]
    assert prune_all(world) > 0
    assert [(journey.entry_number, dict(journey.entry.data)) for journey in world.journeys()] == [(5, {})]
    with world.engine.store.read() as tx:
        assert [each.as_json() for each in reports.flows(tx)] == before
    assert prune_all(world) == 0, "what is pruned is not touched again"
    world.happens("began", "ana@example.com")
    assert [journey.entry_number for journey in world.journeys()] == [5, 6]
    world.advance(10 * DAY)
    prune_all(world)
    assert [journey.entry_number for journey in world.journeys()] == [6], "nor does it stay behind for ever"


def test_numbers_are_never_given_again(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.happens("visited", "ben@example.com")
    shop.happens("began", "ben@example.com")
    shop.advance(400 * DAY)
    with shop.engine.store.read() as tx:
        journey, event = tx.scalar(select(func.max(JOURNEY.c.id))), tx.scalar(select(func.max(EVENT.c.id)))
    prune_all(shop)
    assert rows_of(shop, EVENT) == 1
    shop.contact("cleo@example.com")
    shop.happens("began", "cleo@example.com")
    with shop.engine.store.read() as tx:
        assert tx.scalar(select(func.max(JOURNEY.c.id))) == journey + 1
        assert tx.scalar(select(func.max(EVENT.c.id))) == event + 1


def test_nothing_goes_that_is_not_old_enough(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.advance(3 * DAY)
    (journey,) = shop.journeys()
    assert journey.ended_at is not None
    assert prune_all(shop, journey.ended_at) == 0
    assert prune_all(shop, journey.ended_at + 1) > 0


def test_events_stay_that_a_journey_under_way_may_still_ask_for(world: World) -> None:
    world.publish(VISITED)
    for person in ("ana@example.com", "ben@example.com"):
        world.contact(person)
    told = (("visited", "ana"), ("began", "ana"), ("visited", "ana"), ("visited", "ben"))
    for name, who in told:  # and the message has not left yet
        world.engine.host.tell([Incoming(name, f"{who}@example.com")], MONDAY)
    prune_all(world, MONDAY + 1)
    with world.engine.store.read() as tx:
        left = list(map(tuple, tx.execute(select(EVENT.c.id, EVENT.c.name).order_by(EVENT.c.id))))
    assert left == [(3, "visited"), (4, "visited")], "what came after it began, and the newest of all"
    world.settle()
    assert [journey.state for journey in world.journeys()] == ["done"], "the visit before its wait answers it"


def test_a_message_of_unknown_outcome_stays_until_somebody_knows_it(shop: World) -> None:
    shop.engine.host.tell([Incoming("began", "ana@example.com")], MONDAY)
    (taken,) = shop.engine.outbox.take("news@acme.example", MONDAY, 1).messages
    shop.engine.outbox.settle([Settled(taken.key, "unknown", unknown=True)], MONDAY)
    shop.engine.host.take_out("once", ["ana@example.com"], MONDAY)
    assert prune_all(shop, MONDAY + DAY) == 0
    assert shop.messages() == {taken.key: "unknown"}
    shop.engine.outbox.settle([Settled(taken.key, "failed")], MONDAY)
    prune_all(shop, MONDAY + DAY)
    assert shop.messages() == {}


def test_what_a_limit_still_counts_is_kept_however_little_a_project_keeps(new_world: Callable[..., World]) -> None:
    world = new_world(limits=[Limit(1, Duration.parse("300 days"), "skip")])
    world.publish(ONCE)
    world.publish(FLOW.format(id="other", event="called", again="never"))
    world.contact("ana@example.com")
    world.happens("began", "ana@example.com")
    world.advance(200 * DAY)
    for _ in prune(world.engine, horizon(Duration.parse("90 days"), world.engine.outbox.policy, world.clock.now())):
        pass
    world.happens("called", "ana@example.com")
    assert list(world.messages().values()) == ["sent", "suppressed"]


def test_short_links_go_with_their_messages(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.advance(10 * DAY)
    shop.happens("began", "ben@example.com")
    with shop.engine.store.write() as tx:
        tx.execute(insert(SHORT_LINK), [{"code": "a", "journey": 1, "step": 1}, {"code": "b", "journey": 2, "step": 1}])
    prune_all(shop)
    with shop.engine.store.read() as tx:
        assert list(tx.scalars(select(SHORT_LINK.c.code))) == ["b"]


def test_goals_are_counted_still(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.happens("bought", "ana@example.com")
    prune_all(shop, MONDAY + 1)
    assert rows_of(shop, GOAL) == 0
    with shop.engine.store.read() as tx:
        (flow,) = reports.flows(tx)
    assert (flow.ended, flow.goals) == ({"stopped": 1}, {"bought": 1})


def test_two_daemons_that_prune_at_once_count_once(world: World) -> None:
    world.publish(FLOW.format(id="often", event="began", again="always"))
    world.contact("ana@example.com")
    for _ in range(5):
        world.happens("began", "ana@example.com")
        world.advance(10 * DAY)
    with world.engine.store.read() as tx:
        before = [each.as_json() for each in reports.flows(tx)], reports.exits_taken(tx, "often")
    one, other = (prune(world.engine, world.clock.now()) for _ in range(2))
    for _ in range(10):
        next(one, None)
        next(other, None)
    with world.engine.store.read() as tx:
        assert ([each.as_json() for each in reports.flows(tx)], reports.exits_taken(tx, "often")) == before


# --- When it is done


def test_it_is_done_a_little_at_a_time_and_once_a_day(shop: World) -> None:
    shop.happens("began", "ana@example.com")
    shop.advance(400 * DAY)
    clock = SetClock(shop.clock.now())
    runner = Runner(shop.engine, clock, pruning=Pruning(shop.engine, Duration.parse("90 days")))
    times = 0
    while (due_at := runner.work()) is not None and due_at - clock.now() <= PAUSE_MS:
        clock.set(due_at)
        times += 1
    assert times >= 2
    assert due_at == clock.now() + DAY
    assert rows_of(shop, VISIT) == 0
    clock.advance(DAY - 1)
    assert runner.work() == due_at, "there is nothing to do before"


def test_a_daemon_does_it_beside_its_work(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    project = Project(tmp_path, mailbox[1], "at_least_once")
    with (tmp_path / "tactful.yaml").open("a") as file:
        file.write("keep_journeys: 2 years\n")
    with World(CLOCK.now() - 3 * 365 * DAY, database=f"sqlite:///{tmp_path / 'rush.db'}") as old:
        old.publish(ONCE)
        old.contact("ana@example.com")
        old.happens("began", "ana@example.com")
        old.advance(10 * DAY)
        assert rows_of(old, VISIT) == 3
    project.begin(3)
    daemon = project.daemon()
    try:
        give_up_at = CLOCK.monotonic() + 60
        while project.states() != {"done": 4} or left_of_the_first(project):
            assert CLOCK.monotonic() < give_up_at, project.states()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(timeout=0.1)
    finally:
        daemon.terminate()
        said = daemon.communicate(timeout=60)[1]
        project.engine.close()
    assert daemon.returncode == 0, said
    assert "failed" not in said


def left_of_the_first(project: Project) -> int:
    with project.engine.store.read() as tx:
        return int(tx.scalar(select(func.count()).where(VISIT.c.journey == 1)) or 0)


def read(folder: Path, text: str) -> Any:
    (folder / "tactful.yaml").write_text(text)
    return load_project(folder / "tactful.yaml")


def test_a_project_says_how_long(tmp_path: Path) -> None:
    loaded, problems = read(tmp_path, "keep_journeys: 2 years")
    assert (loaded.keep_journeys.days, problems) == (731, ())
    assert read(tmp_path, "keep_journeys: 90 days")[0].keep_journeys.days == 90
    assert read(tmp_path, "")[0].keep_journeys is None


@pytest.mark.parametrize("keep", ["89 days", "1 week", "24 hours"])
def test_links_must_lead_somewhere_for_a_while(tmp_path: Path, keep: str) -> None:
    loaded, (problem,) = read(tmp_path, f"keep_journeys: {keep}")
    assert loaded is None
    assert "is kept for at least 90 days" in problem.message
