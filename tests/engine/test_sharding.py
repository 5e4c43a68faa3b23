"""Contacts split over several databases go the same ways as in one: nothing that happens to one asks for another."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from tests.engine.conftest import MONDAY

from tactful.elements.options.duration import Duration
from tactful.engine.compose import open_engine
from tactful.engine.rules.permission import Limit
from tactful.engine.store.tables import metadata
from tactful.engine.testing import World

if TYPE_CHECKING:
    from tests.conftest import Server

HOUR = 3_600_000
SHARDS = 3
PEOPLE = [f"c{n}" for n in range(12)]
EVENTS = ("began", "visited", "purchased")
FLOWS = (
    """
flow: offer
entry: {event: began, again: after 3 days}
stop_when: [{event: purchased, goal: true}]
settings: {sender: {email: news@acme.example}}
elements:
  offer: {type: send_email, subject: S, text: "Hello {{ contact.first_name }}", next: opened}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 2 days
    next: {happened: thanks, timed_out: never}
  thanks: {type: update_contact, set: {orders: contact.orders + 1}}
  never: {type: add_to_do_not_contact, channel: email}
""",
    """
flow: regulars
entry: {segment: contact.orders > 3}
settings: {sender: {email: news@acme.example}}
elements:
  wait: {type: pause, for: 5 hours, next: thanks}
  thanks: {type: send_email, subject: S, text: T}
""",
    """
flow: monthly
entry: {schedule: "0 9 1 * *", audience: contact.orders > 1}
settings: {sender: {email: news@acme.example}}
elements:
  news: {type: send_email, subject: S, text: T}
""",
)


class Shards:
    """Some databases, with each contact in one of them."""

    def __init__(self, databases: list[str]) -> None:
        limits = [Limit(3, Duration.parse("10 days"), "hold")]
        self.worlds = [World(MONDAY, database=each, limits=limits) for each in databases]
        for world in self.worlds:
            for flow in FLOWS:
                world.publish(flow)
        for number, key in enumerate(PEOPLE):
            self.of(key).contact(key, email=f"{key}@example.com", orders=number % 5, first_name=key)

    def of(self, key: str) -> World:
        """Where a contact lives."""
        return self.worlds[crc32(key.encode()) % len(self.worlds)]

    def live(self, chance: random.Random) -> None:
        for _ in range(60):
            match chance.randrange(5):
                case 0:
                    how_long = chance.choice((HOUR, 50 * HOUR, 400 * HOUR))
                    for world in self.worlds:
                        world.advance(how_long)
                case 1:
                    key = chance.choice(PEOPLE)
                    self.of(key).block(key, "email")
                case 2:
                    key = chance.choice(PEOPLE)
                    if any(each.element == "offer" and each.sent_at for each in self.messages(key)):
                        self.of(key).opens("offer", key)
                case _:
                    self.of(key := chance.choice(PEOPLE)).happens(chance.choice(EVENTS), key)

    def messages(self, key: str) -> list[Any]:
        return [each for each in self.of(key).messages_now() if each.contact == key]

    def became(self, key: str) -> Any:
        """All that happened to a contact, but for the numbers that a database gives."""
        world = self.of(key)
        return (
            [(journey.flow, journey.state, journey.entered_at, journey.ended_at) for journey in world.journeys(key)],
            [world.path(journey.id) for journey in world.journeys(key)],
            [(each.element, each.state, each.sent_at, each.why) for each in self.messages(key)],
            [(sent.element, sent.at, sent.parts) for sent in world.sent(key)],
            [block for block in world.do_not_contact if block.destination == f"{key}@example.com"],
        )

    def close(self) -> None:
        for world in self.worlds:
            world.close()


@pytest.fixture
def shards(postgresql: Server) -> Iterator[Callable[[int], Shards]]:
    made = []

    def make(number: int) -> Shards:
        made.append(Shards([postgresql.new_database() for _ in range(number)]))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_contacts_split_over_three_databases_go_the_same_ways_as_in_one(shards: Callable[[int], Shards]) -> None:
    one, three = shards(1), shards(SHARDS)
    assert {three.worlds.index(three.of(key)) for key in PEOPLE} == set(range(SHARDS))
    for each in (one, three):
        each.live(random.Random(7))
    paths = {key: one.became(key) for key in PEOPLE}
    assert {key: three.became(key) for key in PEOPLE} == paths
    seen = {element for _, ways, *_ in paths.values() for way in ways for element, _ in way}
    assert seen == {"offer", "opened", "thanks", "never", "wait", "news"}, "everything took part"


# Where a row lives, by what: with its contact, with an address, by its code; or in every part alike.
CONTACT = {
    "contact": "id", "journey": "contact", "event": "contact", "message": "contact", "membership": "contact",
    "visit": "contact", "goal": "contact",
}  # fmt: skip
OF_ADDRESS = {"block", "block_act", "inbound", "consent"}
BY_CODE = {"short_link"}
EVERYWHERE = {
    "flow", "flow_version", "enrolment", "switch", "past", "worker", "lane", "key", "webhook", "link_target",
}  # fmt: skip


def test_every_table_says_where_its_rows_live() -> None:
    """A new table belongs to one of these; none of what grows with contacts belongs to the last."""
    tables = metadata.tables
    assert {*CONTACT, *OF_ADDRESS, *BY_CODE, *EVERYWHERE} == set(tables)
    for name, column in CONTACT.items():
        assert column in tables[name].c
    assert all("destination" in tables[name].c for name in OF_ADDRESS)


def test_no_key_spans_two_contacts(postgresql: Server) -> None:
    """What a database that spreads tables over servers asks for: each key names the contact. Only their own ids are
    unique among them all, and those are given when a contact comes, not on its way."""
    with closing(open_engine(postgresql.new_database())) as engine, engine.store.read() as tx:
        found = tx.exec_driver_sql(
            """select t.relname, i.relname, array_agg(a.attname::text) from pg_index x
            join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
            join pg_attribute a on a.attrelid = t.oid and a.attnum = any (x.indkey)
            where x.indisunique group by 1, 2"""
        ).all()
    keys = {(table, name): columns for table, name, columns in found if table in CONTACT}
    assert {table for table, _ in keys} == set(CONTACT)
    spanning = {name for (table, name), columns in keys.items() if CONTACT[table] not in columns}
    assert spanning == {"contact_key_key"}
