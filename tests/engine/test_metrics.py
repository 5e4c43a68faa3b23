"""Figures: what waits is read by indexes, what is counted is what was committed, and who is well or ready."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from timeit import repeat
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert, update
from tests.engine.conftest import MONDAY
from tests.engine.test_provider_receipts import serving

from tactful.engine import backlog as backlogs
from tactful.engine import switches
from tactful.engine.api.health_routes import health_routes
from tactful.engine.backlog import backlog
from tactful.engine.clock import SetClock
from tactful.engine.compose import open_engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.health import READY_SECONDS, STUCK_SECONDS, health, ready
from tactful.engine.http_options import Webhook
from tactful.engine.incoming import Incoming
from tactful.engine.metrics import Metrics, metrics_text
from tactful.engine.optout import by_hand, noes
from tactful.engine.optout.sources import BOUNCE, BY_HAND, kind_of
from tactful.engine.outbox import Settled
from tactful.engine.pulse import Pulse
from tactful.engine.runner import Runner
from tactful.engine.senders import Secret
from tactful.engine.store.database import Store, StoreError
from tactful.engine.store.statements import INBOUND, MESSAGE
from tactful.engine.store.tally import Observer, Tally, tally_of
from tactful.engine.testing import World
from tactful.engine.workers import LEASE_MS, WORKER

HOUR = 3_600_000
FLOW = """
flow: standard
entry: {event: began}
settings: {sender: {email: news@acme.example}}
elements:
  offer: {type: send_email, subject: S, text: T, next: opened}
  opened:
    type: wait_for_event
    event: opened
    message: offer
    within: 24 hours
    next: {happened: end, timed_out: unopened}
  unopened: {type: add_to_do_not_contact, channel: email}
"""
PEOPLE = ("ana@example.com", "ben@example.com", "cleo@example.com")


@pytest.fixture
def waiting(new_world: Callable[..., World]) -> World:
    """Ana's message was sent, and those of Ben and Cleo wait."""
    world = new_world()
    world.publish(FLOW)
    for person in PEOPLE:
        world.contact(person)
    now = world.clock.now()
    host = world.engine.host
    host.tell([Incoming("began", "ana@example.com")], now)
    (taken,) = world.engine.outbox.take("news@acme.example", now, 1).messages
    world.engine.outbox.settle([Settled(taken.key, "sent")], now)
    host.tell([Incoming("began", person) for person in PEOPLE[1:]], now + HOUR)
    return world


def webhooks(*urls: str) -> list[Webhook]:
    return [Webhook(url=url, secret=Secret(env="CRM_SECRET")) for url in urls]


def figures(text: bytes) -> dict[tuple[str, str], float]:
    """Each sample's name and its one label's value (empty without any), to its number."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


# --- what waits


def test_what_waits_and_how_late_it_is(waiting: World) -> None:
    found = backlog(waiting.engine.store, MONDAY + HOUR + 2_000)
    assert found.timers_late_ms == 0
    assert {s: (m.number, m.late_ms) for s, m in found.messages.items()} == {"news@acme.example": (2, 2_000)}
    found = backlog(waiting.engine.store, MONDAY + 25 * HOUR)
    assert found.timers_late_ms == HOUR


def test_what_is_in_hand_unknown_or_to_be_read(waiting: World) -> None:
    store, outbox = waiting.engine.store, waiting.engine.outbox
    one, _ = outbox.take("news@acme.example", MONDAY + HOUR, 2).messages
    outbox.settle([Settled(one.key, "unknown", unknown=True)], MONDAY + HOUR)
    with store.write() as tx:
        row = {"sender": "+38595000111", "destination": "+385911234567", "text": "?", "at": 0, "normalised": "",
               "decision": "review", "why": "", "review_due_at": MONDAY}  # fmt: skip
        tx.execute(insert(INBOUND), [row, {**row, "review_due_at": None}])
    found = backlog(store, MONDAY)
    assert (found.in_hand, found.unknown, found.reviews, found.messages) == (1, 1, 1, {})


def test_how_far_behind_the_receivers_of_webhooks_are(waiting: World) -> None:
    store = waiting.engine.store
    for person in PEOPLE:
        by_hand.block(waiting.engine, person, "email", MONDAY)
    told = {"https://crm.acme.example/hook": 1, "https://a.example": 3, "https://was.example": 0}
    with store.write() as tx:
        rows = [{"receiver": url, "behind": behind, "tries": 0} for url, behind in told.items()]
        tx.execute(insert(backlogs.WEBHOOK), rows)
    asked = webhooks("https://crm.acme.example/hook", "https://a.example", "https://new.example")
    found = backlog(store, MONDAY, asked).webhooks
    assert found == {"https://crm.acme.example/hook": 2, "https://a.example": 0}, "of those in the project, no others"


def test_no_secret_in_a_receivers_address_shows(waiting: World) -> None:
    urls = ("https://crm.acme.example/hook?token=4711", "https://crm.acme.example/hook#0815")
    by_hand.block(waiting.engine, PEOPLE[0], "email", MONDAY)
    with waiting.engine.store.write() as tx:
        tx.execute(insert(backlogs.WEBHOOK), [{"receiver": url, "behind": 0, "tries": 0} for url in urls])
    text = metrics_text(waiting.engine, SetClock(MONDAY), webhooks=webhooks(*urls))
    assert b"4711" not in text
    assert b"0815" not in text
    assert figures(text)["tactful_webhook_acts_behind", "https://crm.acme.example/hook"] == 2, "two as one: added up"


def test_a_message_to_be_looked_at_again_at_once_is_not_late_since_1970(waiting: World) -> None:
    with waiting.engine.store.write() as tx:
        tx.execute(update(MESSAGE).where(MESSAGE.c.due_at.is_not(None)).values(due_at=0))
    (message,) = backlog(waiting.engine.store, MONDAY).messages.values()
    assert (message.number, message.late_ms) == (2, 0)


def test_daemons_that_do_not_beat_are_not_counted(waiting: World) -> None:
    with waiting.engine.store.write() as tx:
        tx.execute(insert(WORKER), [{"name": "a", "beat_at": MONDAY}, {"name": "b", "beat_at": MONDAY - LEASE_MS - 1}])
    assert backlog(waiting.engine.store, MONDAY).daemons == 1


def test_sending_that_was_stopped_shows(waiting: World) -> None:
    with waiting.engine.store.write() as tx:
        switches.halt(tx, MONDAY, "wrong price")
    assert backlog(waiting.engine.store, MONDAY).halted


SMALL = ("webhook", "worker", "switch")
"""Tables with a row for each receiver, daemon, or switch."""

PARTIAL = ("journey_due", "message_due", "message_in_hand", "inbound_review")
"""Indexes of what waits, and of nothing else."""


def test_each_figure_comes_from_an_index(waiting: World) -> None:
    plans = "\n".join(
        plan for sql, plan in plans_of(waiting.engine.store, lambda: backlog(waiting.engine.store, MONDAY))
    )
    for index in PARTIAL:
        assert index in plans, f"{index} holds what is asked for, and nothing else"


def test_a_start_finds_what_was_in_hand_by_an_index(waiting: World) -> None:
    plans = plans_of(waiting.engine.store, lambda: waiting.engine.outbox.recover([], MONDAY, 1))
    assert any("message_in_hand" in plan for _, plan in plans)


def plans_of(store: Store, act: Callable[[], object]) -> list[tuple[str, str]]:
    """What is asked of the database in an act, just as it is, and how that is answered. None reads a whole table."""
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, sql: str, values: Any, context: object, many: bool) -> None:
        if sql.startswith("SELECT"):
            asked.append((sql, values))

    event.listen(store.engine, "before_cursor_execute", note)
    act()
    event.remove(store.engine, "before_cursor_execute", note)
    asked = [each for each in asked if not any(f"FROM {table}" in each[0] for table in SMALL)]
    assert len(asked) >= 1
    plans = []
    with store.read() as tx:
        if tx.dialect.name == "postgresql":
            for way in ("seqscan", "bitmapscan"):  # tables as small as these are better read whole
                tx.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        explain = "EXPLAIN " if tx.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        for sql, values in asked:
            plan = [str(row[-1]) for row in tx.exec_driver_sql(explain + sql, values)]
            assert not any("Seq Scan" in step for step in plan), plan
            whole = [step for step in plan if step.startswith("SCAN")]
            assert not [step for step in whole if not step.endswith(PARTIAL)], plan
            plans.append((sql, "\n".join(plan)))
    return plans


# --- what is counted


@pytest.fixture
def counted(new_world: Callable[..., World]) -> tuple[World, Metrics]:
    world = new_world()
    metrics = world.engine.store.observer = Metrics(world.clock)
    return world, metrics


def test_the_figures_of_a_day(counted: tuple[World, Metrics]) -> None:
    world, metrics = counted
    engine, clock = world.engine, world.clock
    world.publish(FLOW)
    for person in PEOPLE:
        world.contact(person)
    now = clock.now()
    engine.host.tell([Incoming("began", person) for person in PEOPLE], now)
    one, two, three = engine.outbox.take("news@acme.example", now, 3).messages
    engine.outbox.settle(
        [Settled(one.key, "sent"), Settled(two.key, "sent"), Settled(three.key, "failed", "no", no=noes.BOUNCED_HARD)],
        now,
    )
    engine.host.tell([Incoming("delivered", message=one.key), Incoming("complained", message=one.key)], now)
    engine.host.tick(now + 25 * HOUR)
    by_hand.block(engine, "dora@example.com", "email", now)
    by_hand.block(engine, "dora@example.com", "email", now)
    found = figures(metrics_text(engine, clock, metrics))
    sender = "news@acme.example"
    assert found["tactful_events_total", ""] == 6, "three began, one was delivered, one complained and opted out by it"
    visits = sum(len(world.visits(journey.id)) for journey in world.journeys())
    assert found["tactful_visits_total", ""] == visits == 7
    assert found["tactful_messages_total", sender] in (1, 2)
    by_state = {
        sample.labels["state"]: sample.value
        for family in text_string_to_metric_families(metrics_text(engine, clock, metrics).decode())
        for sample in family.samples
        if sample.name == "tactful_messages_total"
    }
    assert by_state == {"sent": 2, "failed": 1, "delivered": 1}
    opt_outs = {source: number for (name, source), number in found.items() if name == "tactful_opt_outs_total"}
    assert opt_outs == {"bounce": 1, "complaint": 1, "flow": 2, "person": 1}
    assert found["tactful_transaction_seconds_count", ""] == found["tactful_transaction_wait_seconds_count", ""] > 10


def test_what_was_rolled_back_was_not_done(counted: tuple[World, Metrics]) -> None:
    world, metrics = counted
    engine, clock = world.engine, world.clock

    def fails() -> None:
        with engine.host.transaction() as tx:
            tally_of(tx).events += 5
            raise RuntimeError("never mind")

    before = figures(metrics_text(engine, clock, metrics))
    with pytest.raises(RuntimeError, match="never mind"):
        fails()
    after = figures(metrics_text(engine, clock, metrics))
    assert {key: n for key, n in after.items() if before[key] != n and not key[0].startswith("process_")} == {}


def test_what_a_provider_did_not_take_is_counted_by_how(counted: tuple[World, Metrics]) -> None:
    world, metrics = counted
    world.publish(FLOW)
    for person in PEOPLE:
        world.contact(person)
    world.refuse_next("full", final=False)
    world.happens("began", "ana@example.com")
    world.refuse_next("no such mailbox")
    world.happens("began", "ben@example.com")
    errors = {
        (sample.labels["sender"], sample.labels["how"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "tactful_provider_errors_total"
    }
    assert errors == {("news@acme.example", "refused for now"): 1, ("news@acme.example", "refused"): 1}


def test_sources_are_counted_by_their_kind_and_never_by_their_names() -> None:
    assert kind_of("flow win-back, element unopened") == "flow"
    assert kind_of("keyword STOP") == "keyword"
    assert kind_of("import bounces of ana.kovac@example.com.csv: old system") == "import"
    assert kind_of("Twilio STOP") == kind_of("Infobip EC_BLACKLISTED") == "provider"
    assert kind_of(noes.HARD_BOUNCE) == BOUNCE
    assert kind_of(by_hand.PERSON) == BY_HAND
    assert {kind_of(no.source) for no in noes.NOES.values()} == {"complaint", "bounce", "provider"}
    assert kind_of("whatever an element of somebody's own says") == "other"


def test_to_count_costs_a_contact_next_to_nothing() -> None:
    class Listens(Observer):
        pass

    tally = Tally()
    observer = Listens()

    def once() -> None:
        observer.began(observer.asked())
        tally.turns += 1_000
        tally.visits += 3_000
        observer.committed(tally)

    transaction = min(repeat(once, number=2_000, repeat=5)) / 2_000
    assert transaction < 20e-6, "a thousand contacts share it"
    many = [("news@acme.example", "sent")] * 1_000
    messages = min(repeat(lambda: tally.messages.update(many), number=20, repeat=5)) / 20
    assert messages < 1_000 * 1e-6, "measured: 0.05 µs each; the rest is for machines that do other things, too"


# --- who is well, and ready


def test_ready_is_who_has_a_database_and_works(waiting: World) -> None:
    clock, runner = SetClock(MONDAY), Runner(waiting.engine, SetClock(MONDAY))
    assert not ready(waiting.engine, clock, runner.pulse).working, "it has not begun"
    runner.work()
    assert ready(waiting.engine, clock, runner.pulse).ok
    assert ready(waiting.engine, clock).ok, "a process that only answers has no work of its own"
    clock.advance(int(READY_SECONDS * 1_000) + 1)
    found = ready(waiting.engine, clock, runner.pulse)
    assert (found.ok, found.database, found.working) == (False, True, False)


def test_who_cannot_write_is_not_ready_for_a_minute_or_until_it_can(tmp_path: Path) -> None:
    clock = SetClock(MONDAY)
    metrics = Metrics(clock)
    with closing(open_engine(f"sqlite:///{tmp_path / 'tactful.db'}", observer=metrics)) as engine:
        many = [ContactFields(f"c{n}", f"c{n}@example.com") for n in range(5_000)]
        with engine.store.write() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count = 1")  # it may not grow any more, as on a disk that is full
        with pytest.raises(StoreError, match="the disk is full"):
            put_contacts(engine.host, many, MONDAY)
        found = ready(engine, clock, metrics=metrics)
        assert (found.ok, found.database, found.writing) == (False, True, False)
        assert "the disk is full" in str(found.why)
        assert figures(metrics_text(engine, clock, metrics))["tactful_transactions_failed_total", ""] == 1
        clock.advance(int(READY_SECONDS * 1_000) + 1)
        assert ready(engine, clock, metrics=metrics).ok, "or nobody would ever ask it to write again"
        with pytest.raises(StoreError):
            put_contacts(engine.host, many, MONDAY)
        assert not ready(engine, clock, metrics=metrics).ok
        with engine.store.write() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert ready(engine, clock, metrics=metrics).ok


def test_sending_that_was_stopped_is_reported_and_no_fault(waiting: World) -> None:
    with waiting.engine.store.write() as tx:
        switches.halt(tx, MONDAY, None)
    found = ready(waiting.engine, SetClock(MONDAY))
    assert (found.ok, found.halted) == (True, True)


def test_who_does_not_try_any_more_is_not_well(waiting: World) -> None:
    clock, pulse = SetClock(MONDAY), Pulse()
    assert health(clock, pulse).ok, "it may still be starting"
    pulse.tried_at = clock.monotonic()
    clock.advance(int(STUCK_SECONDS * 1_000) + 1)
    assert not health(clock, pulse).ok


def test_the_three_routes(tmp_path: Path) -> None:
    clock, file = SetClock(MONDAY), tmp_path / "tactful.db"
    metrics, pulse = Metrics(clock), Pulse(0.0, 0.0)
    engine = open_engine(f"sqlite:///{file}", observer=metrics)
    with serving(health_routes(engine, clock, metrics, pulse)) as url, httpx.Client(base_url=url) as client:
        assert client.get("/healthz").json() == {"ok": True, "why": None}
        assert client.get("/readyz").json()["ok"] is True
        told = client.get("/metrics")
        assert told.headers["content-type"].startswith("text/plain; version=")
        assert figures(told.content)["tactful_database_bytes", ""] >= file.stat().st_size > 0
        with engine.store.write() as tx:
            tx.exec_driver_sql("update alembic_version set version_num = '9999'")
        assert client.get("/readyz").status_code == 503
        assert "schema of another version" in client.get("/readyz").json()["why"]
        engine.close()
        file.write_bytes(b"no database" * 1_000)
        assert client.get("/readyz").json()["database"] is False
        assert client.get("/metrics").status_code == 503
        assert client.get("/healthz").status_code == 200, "to start it anew would mend nothing"
        clock.advance(400_000)
        assert client.get("/healthz").status_code == 503
    engine.close()


# --- a stop that does not wait for all that is due


def test_asked_to_stop_it_begins_no_further_piece_of_work(waiting: World) -> None:
    now = SetClock(MONDAY + 25 * HOUR)
    assert Runner(waiting.engine, now, stopping=lambda: True).work() == MONDAY + 24 * HOUR, "it is due, and stays so"
    pieces = iter((False, True))
    Runner(waiting.engine, now, stopping=lambda: next(pieces, True)).work()
    assert waiting.path(1)[-1] == ("unopened", "done"), "one piece is done whole"
