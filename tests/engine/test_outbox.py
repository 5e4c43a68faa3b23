"""The outbox: every line of the drawing in `outbox.py`, and none that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tactful.elements import catalogue
from tactful.elements.contract import MessageKey, Send
from tactful.elements.options.channel import MESSAGE_EVENTS
from tactful.elements.options.duration import Duration
from tactful.elements.options.template import Template
from tactful.engine import switches
from tactful.engine.backlog import Retry, retries
from tactful.engine.backoff import BACKOFF
from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused, Unknown
from tactful.engine.clock import SetClock
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.delivery import ROUND_SECONDS, Lane
from tactful.engine.incoming import Incoming
from tactful.engine.optout import by_hand
from tactful.engine.optout.noes import BOUNCED_HARD, No
from tactful.engine.outbox import MOST_REPEATS, Outbox, Settled, Taken, Took
from tactful.engine.rules.permission import Limit, Policy
from tactful.engine.rules.receipts import MessageStand, received_state
from tactful.engine.senders import ConsoleSender
from tactful.engine.store.database import StoreError
from tactful.engine.store.statements import MESSAGE
from tactful.engine.store.tally import Observer, Tally
from tactful.engine.testing import World

HOUR = 3_600_000
SENDER = "a@acme.example"
NewWorld = Callable[..., World]
KEY = MessageKey(1, 1)

MAIL = f"""
flow: f
entry: {{event: began, again: always}}
stop_when: [{{event: left}}]
settings: {{sender: {{email: {SENDER}}}}}
elements:
  mail: {{type: send_email, subject: S, text: "Hello {{{{ contact.name }}}}", valid_for: 10 days,
         next: {{sent: yes, failed: no, suppressed: never}}}}
  yes: {{type: goal, name: sent}}
  no: {{type: goal, name: failed}}
  never: {{type: goal, name: suppressed}}
"""


class Desk:
    """An outbox with messages of one flow, handled by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.outbox: Outbox = world.engine.outbox
        world.publish(MAIL)

    @property
    def now(self) -> int:
        return self.world.clock.now()

    def queue(self, contact: str = "ana@example.com", **attributes: object) -> None:
        fields = ContactFields(contact, contact, attributes={"name": "Ana", **attributes})
        put_contacts(self.world.engine.host, [fields], self.now)
        self.world.engine.host.tell([Incoming("began", contact)], self.now)

    def take(self) -> list[Taken]:
        return list(self.outbox.take(SENDER, self.now, 100).messages)

    def taken(self) -> MessageKey:
        self.queue()
        (taken,) = self.take()
        return taken.key

    def settle(self, state: str, why: str | None = None, *, key: MessageKey = KEY, due_at: int | None = None,
               unknown: bool = False, provider_id: str | None = None) -> None:  # fmt: skip
        self.outbox.settle([Settled(key, state, why, provider_id, due_at, unknown)], self.now)

    def receive(self, event: str, key: MessageKey = KEY) -> None:
        (told,) = self.world.engine.host.tell([Incoming(event, message=key)], self.now)
        assert told.state == "learnt"

    def row(self, key: MessageKey = KEY) -> dict[Any, Any]:
        with self.world.engine.store.read() as tx:
            statement = select(MESSAGE).where(MESSAGE.c.journey == key.journey, MESSAGE.c.step == key.step)
            return dict(tx.execute(statement).mappings().one())

    def state(self, key: MessageKey = KEY) -> object:
        return self.row(key)["state"]

    def goals(self) -> list[str]:
        return [name for _, name in self.world.goals()]

    def put(self, state: str) -> None:
        """Bring the first message to a state, by the shortest way there is."""
        if state in ("queued", "held", "suppressed", "expired", "withdrawn"):
            self.queue()
        else:
            self.taken()
        match state:
            case "held":
                self.world.engine.lifecycle.pause("f", self.now)
                self.take()
            case "suppressed":
                by_hand.block(self.world.engine, "ana@example.com", "email", self.now)
                self.take()
            case "expired":
                assert isinstance(self.world.clock, SetClock)
                self.world.clock.advance(10 * 24 * HOUR)
                self.take()
            case "withdrawn":
                self.world.engine.host.tell([Incoming("left", "ana@example.com")], self.now)
            case "sent" | "failed":
                self.settle(state)
            case "delivered":
                self.settle("sent")
                self.receive("delivered")
            case "unknown":
                self.settle("unknown", unknown=True)
        assert self.state() == state


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


STATES = (
    "queued", "held", "sending", "sent", "delivered", "failed", "unknown", "suppressed", "expired", "withdrawn",
)  # fmt: skip
DECIDED = ("sent", "delivered", "failed", "suppressed", "expired", "withdrawn")


# --- the drawing, line by line


def test_queued_to_sending_to_sent_to_delivered(desk: Desk) -> None:
    desk.queue()
    assert (desk.state(), desk.row()["due_at"], desk.row()["tries"]) == ("queued", desk.now, 0)
    (taken,) = desk.take()
    assert (taken.key, taken.address, taken.sender, taken.tries) == (KEY, "ana@example.com", SENDER, 1)
    assert (desk.state(), desk.row()["due_at"], desk.row()["destination"]) == ("sending", None, "ana@example.com")
    assert desk.goals() == []
    desk.settle("sent", provider_id="p-1")
    assert (desk.state(), desk.row()["sent_at"], desk.row()["provider_id"]) == ("sent", desk.now, "p-1")
    assert desk.goals() == ["sent"]
    desk.receive("delivered")
    assert (desk.state(), desk.row()["provider_id"]) == ("delivered", "p-1")


def test_sending_to_failed(desk: Desk) -> None:
    desk.taken()
    desk.settle("failed", "no such mailbox")
    assert (desk.state(), desk.row()["why"], desk.row()["sent_at"]) == ("failed", "no such mailbox", None)
    assert desk.goals() == ["failed"]


def test_sending_to_suppressed_by_the_providers_list(desk: Desk) -> None:
    desk.taken()
    desk.queue("ANA@example.com")
    no = No("Provider 7", level="this_sender")
    desk.outbox.settle([Settled(KEY, "suppressed", "on the provider's list", no=no)], desk.now)
    assert (desk.state(), desk.row()["why"], desk.goals()) == ("suppressed", "on the provider's list", ["suppressed"])
    found = by_hand.explain(desk.world.engine, "ana@example.com", "email", sender=SENDER)
    assert found.block is not None
    assert (found.block.sender, found.block.covers, found.block.source) == (SENDER, "everything", "Provider 7")
    assert desk.take() == [], "what waits for the same address goes the same way"
    assert desk.goals() == ["suppressed", "suppressed"]


def test_a_no_counts_also_where_a_receipt_was_quicker(desk: Desk) -> None:
    desk.put("delivered")
    desk.outbox.settle([Settled(KEY, "failed", "?", no=BOUNCED_HARD)], desk.now)
    assert desk.state() == "delivered"
    found = by_hand.explain(desk.world.engine, "ana@example.com", "email")
    assert found.block is not None
    assert found.block.source == "hard bounce"


def test_sending_back_to_queued_and_taken_anew(desk: Desk) -> None:
    desk.taken()
    desk.settle("queued", "busy", due_at=desk.now + HOUR)
    assert (desk.state(), desk.row()["why"]) == ("queued", "busy")
    assert desk.take() == []
    assert isinstance(desk.world.clock, SetClock)
    desk.world.clock.advance(HOUR)
    (again,) = desk.take()
    assert again.tries == 2
    desk.settle("queued")  # no time named: at once
    assert desk.row()["due_at"] == desk.now


def test_a_retry_is_asked_for_permission_again(desk: Desk) -> None:
    desk.taken()
    desk.settle("queued", "busy", due_at=desk.now)
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now)
    assert desk.take() == []
    assert desk.state() == "suppressed"


def test_a_change_of_the_list_does_not_hurry_a_retry(desk: Desk) -> None:
    """A server that is down gets as many tries as were planned, however often people answer meanwhile."""
    desk.taken()
    desk.settle("queued", "busy", due_at=desk.now + HOUR)
    for _ in range(3):
        by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now, sender="b@acme.example")
        assert desk.take() == []
    assert (desk.state(), desk.row()["due_at"], desk.row()["why"]) == ("queued", desk.now + HOUR, "busy")
    assert isinstance(desk.world.clock, SetClock)
    desk.world.clock.advance(HOUR)
    (again,) = desk.take()
    assert again.tries == 2


def test_a_retry_that_the_list_forbids_is_suppressed_at_once(desk: Desk) -> None:
    desk.taken()
    desk.settle("queued", "busy", due_at=desk.now + HOUR)
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now)
    assert desk.take() == []
    assert desk.state() == "suppressed"


def test_of_what_the_list_may_forbid_nobody_says_that_it_is_tried_again(desk: Desk) -> None:
    for contact in ("ana@example.com", "ben@example.com"):
        desk.queue(contact)
    later = desk.now + HOUR
    for each in desk.take():
        desk.settle("queued", "busy", key=each.key, due_at=later)
    with desk.world.engine.store.write() as tx:
        switches.halt(tx, desk.now, None)
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now)
    assert desk.take() == []
    with desk.world.engine.store.read() as tx:
        assert retries(tx) == [Retry(SENDER, 1, later, "busy")]


def test_what_the_list_does_not_forbid_is_tried_again_once_it_was_looked_at(desk: Desk) -> None:
    desk.taken()
    later = desk.now + HOUR
    desk.settle("queued", "busy", due_at=later)
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now, sender="b@acme.example")
    desk.take()
    with desk.world.engine.store.read() as tx:
        assert retries(tx) == [Retry(SENDER, 1, later, "busy")]


def test_one_that_is_hurried_before_its_retry_counts_for_no_limit(new_world: NewWorld) -> None:
    desk = Desk(new_world())
    desk.outbox.policy = Policy([Limit(1, Duration.parse("1 day"))])
    first = desk.taken()
    desk.settle("queued", "busy", key=first, due_at=desk.now + HOUR)
    desk.queue()
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now, sender="b@acme.example")
    (other,) = desk.take()
    assert other.key != first


def test_queued_to_held_and_back_by_quiet_hours(new_world: NewWorld) -> None:
    desk = Desk(new_world("2026-03-02 22:00"))
    desk.world.publish(MAIL.replace("settings: {", 'settings: {quiet_hours: {from: "21:00", until: "08:00"}, '))
    desk.queue()
    assert desk.take() == []
    held = desk.row()
    assert (held["state"], held["due_at"], held["why"]) == ("held", desk.now + 10 * HOUR, "quiet hours in UTC")
    assert isinstance(desk.world.clock, SetClock)
    desk.world.clock.advance(10 * HOUR)
    assert len(desk.take()) == 1


def test_queued_to_suppressed_by_the_list(desk: Desk) -> None:
    desk.put("suppressed")
    assert desk.goals() == ["suppressed"]
    assert desk.row()["why"] == "on the Do Not Contact list (a person)"


def test_queued_to_suppressed_without_an_address(desk: Desk) -> None:
    desk.world.contact("bo", phone="+385911234567", name="Bo")
    desk.world.engine.host.tell([Incoming("began", "bo")], desk.now)
    assert desk.take() == []
    assert (desk.state(), desk.row()["why"]) == ("suppressed", "the contact has no address for email")


def test_held_to_expired(desk: Desk) -> None:
    desk.put("expired")
    assert desk.goals() == ["failed"]


@pytest.mark.parametrize("state", ["queued", "held"])
def test_what_waits_is_withdrawn_with_its_journey(desk: Desk, state: str) -> None:
    desk.put(state)
    desk.world.engine.host.tell([Incoming("left", "ana@example.com")], desk.now)
    assert (desk.state(), desk.row()["due_at"]) == ("withdrawn", None)
    assert desk.take() == []


def test_a_temporary_refusal_after_the_journey_left_withdraws(desk: Desk) -> None:
    desk.taken()
    desk.world.engine.host.tell([Incoming("left", "ana@example.com")], desk.now)
    assert desk.state() == "sending"
    desk.settle("queued", "busy", due_at=desk.now)
    assert desk.state() == "withdrawn"
    assert desk.take() == []


def test_an_unknown_outcome_after_the_journey_left_stays_unknown(desk: Desk) -> None:
    """It may have gone out: `withdrawn` would say that it never did."""
    desk.taken()
    desk.world.engine.host.tell([Incoming("left", "ana@example.com")], desk.now)
    assert desk.outbox.recover([SENDER], desk.now) == 1
    assert (desk.state(), desk.row()["unknowns"], desk.take()) == ("unknown", 1, [])


def test_nobody_to_send_it_by_fails_at_once_instead_of_waiting_for_ever(world: World) -> None:
    world.publish("flow: f\nelements:\n  mail: {type: send_email, subject: S, text: T, next: {sent: end, failed: no}}\n"
                  "  no: {type: goal, name: failed}\n")  # fmt: skip
    world.contact("ana@example.com")
    world.enter("f", "ana@example.com")
    assert world.goals() == [(1, "failed")]
    (message,) = world.messages_now()
    assert (message.state, message.why) == ("failed", "no sender is named for it")


# --- outcomes come once, and late ones change nothing


@pytest.mark.parametrize("late", ["sent", "failed", "queued", "unknown"])
@pytest.mark.parametrize("state", [*DECIDED, "queued", "held"])
def test_an_outcome_of_what_is_not_in_hand_is_passed_over(desk: Desk, state: str, late: str) -> None:
    desk.put(state)
    before, goals = desk.row(), desk.goals()
    desk.settle(late, "late", due_at=desk.now)
    assert (desk.row(), desk.goals()) == (before, goals)


def test_the_first_of_two_outcomes_told_together_counts(desk: Desk) -> None:
    desk.taken()
    desk.outbox.settle([Settled(KEY, "sent"), Settled(KEY, "failed", "?"), Settled(MessageKey(9, 9), "sent")], desk.now)
    assert (desk.state(), desk.goals()) == ("sent", ["sent"])


@pytest.mark.parametrize("decided", ["sent", "failed", "queued"])
def test_a_person_settles_what_is_unknown(desk: Desk, decided: str) -> None:
    desk.put("unknown")
    assert desk.goals() == []
    desk.settle(decided)
    assert desk.state() == decided
    assert desk.goals() == ([] if decided == "queued" else [decided])
    assert len(desk.take()) == (decided == "queued")


# --- recover


def test_after_a_crash_what_was_in_hand_is_unknown_or_repeated(desk: Desk) -> None:
    desk.taken()
    desk.queue("bo@example.com")
    assert desk.outbox.recover([], desk.now) == 1
    assert (desk.state(), desk.row()["unknowns"]) == ("unknown", 1)
    assert desk.outbox.recover([], desk.now) == 0, "once is enough"
    (other,) = desk.take()
    assert desk.outbox.recover([SENDER], desk.now) == 1
    assert (desk.state(other.key), desk.row(other.key)["unknowns"]) == ("queued", 1)
    assert [each.key for each in desk.take()] == [other.key], "unknown ones wait for a person"


# --- receipts


@pytest.mark.parametrize("event", sorted(MESSAGE_EVENTS))
@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_receipt_proves_that_it_went_out(desk: Desk, state: str, event: str) -> None:
    desk.put(state)
    taken_at = desk.row()["taken_at"]
    assert isinstance(desk.world.clock, SetClock)
    desk.world.clock.advance(HOUR)
    desk.receive(event)
    expected = "delivered" if event == "delivered" else "sent"
    assert (desk.state(), desk.row()["sent_at"]) == (expected, taken_at), "sent when it was handed over"
    assert desk.goals() == ["sent"]
    desk.settle("failed", "the line went dead")  # the call returns only now
    desk.settle("sent", provider_id="p-1")
    assert (desk.state(), desk.goals()) == (expected, ["sent"])
    assert desk.row()["provider_id"] == "p-1", "by this the next receipts are known"


def test_a_receipt_saves_a_message_from_being_sent_twice(desk: Desk) -> None:
    desk.taken()
    desk.settle("queued", "nobody knows", due_at=desk.now, unknown=True)
    desk.receive("opened")
    assert (desk.state(), desk.take(), desk.goals()) == ("sent", [], ["sent"])


def test_a_receipt_for_what_never_left_proves_nothing(desk: Desk) -> None:
    desk.queue()
    desk.receive("delivered")
    assert desk.state() == "queued"
    (taken,) = desk.take()
    desk.settle("queued", "busy", due_at=desk.now)
    desk.receive("opened", taken.key)
    assert desk.state() == "queued", "the provider said that it did not take it"


def test_receipts_of_one_batch_in_any_order_and_twice(desk: Desk) -> None:
    desk.taken()
    told = [Incoming(name, message=KEY) for name in ("opened", "delivered", "clicked", "delivered", "opened")]
    desk.world.engine.host.tell(told, desk.now)
    assert (desk.state(), desk.goals()) == ("delivered", ["sent"])


@given(st.lists(st.sampled_from([*sorted(MESSAGE_EVENTS), "purchased"])), st.sampled_from(STATES), st.integers(0, 2))
def test_receipts_never_regress_a_state(events: list[str], state: str, unknowns: int) -> None:
    forward = {"queued": 0, "held": 0, "sending": 1, "unknown": 1, "sent": 2, "delivered": 3}
    for event in events:
        found = received_state(
            event, MessageStand(1, "mail", state, unknowns, 0, "email", "a@acme.example", "ana@example.com")
        )
        if found is not None:
            assert state in forward, "what was decided otherwise stays decided"
            assert found in ("sent", "delivered")
            assert forward[found] > forward[state]
            state = found


# --- a batch


def test_what_a_refusal_brings_about_is_seen_before_anything_of_the_batch_goes(new_world: NewWorld) -> None:
    """A limit suppresses the first; its journey puts the address on the list; the second was due beside it."""
    world = new_world(limits=[Limit(1, Duration.parse("7 days"), "skip")], transactional=frozenset({"bill"}))
    world.publish(f"""
flow: ad
settings: {{sender: {{email: {SENDER}}}}}
elements:
  mail: {{type: send_email, subject: S, text: T, next: {{sent: end, suppressed: never}}}}
  never: {{type: add_to_do_not_contact, channel: email, covers: everything}}
""")
    world.publish(f"""
flow: bill
settings: {{sender: {{email: {SENDER}}}, purpose: transactional}}
elements: {{mail: {{type: send_email, subject: S, text: T}}}}
""")
    world.contact("ana@example.com")
    world.enter("ad", "ana@example.com")  # uses up the limit
    host, now = world.engine.host, world.clock.now()
    world.publish(
        f"""
flow: ad2
settings: {{sender: {{email: {SENDER}}}}}
elements:
  mail: {{type: send_email, subject: S, text: T, next: {{sent: end, suppressed: never}}}}
  never: {{type: add_to_do_not_contact, channel: email, covers: everything}}
"""
    )
    host.enter("bill", ["ana@example.com"], now)
    host.enter("ad2", ["ana@example.com"], now)
    for _ in range(2):
        assert len(world.engine.outbox.take(SENDER, now, 10).messages) == 0
    assert sorted(world.messages().values()) == ["sent", "suppressed", "suppressed"]


def test_limits_count_within_one_batch(new_world: NewWorld) -> None:
    desk = Desk(new_world(limits=[Limit(2, Duration.parse("7 days"))]))
    for _ in range(4):
        desk.queue()
    assert len(desk.take()) == 2
    assert sorted(desk.world.messages().values()) == ["held", "held", "sending", "sending"]


def test_an_address_changed_while_a_message_waits_is_the_one_it_goes_to(desk: Desk) -> None:
    desk.queue()
    desk.world.engine.lifecycle.pause("f", desk.now)
    desk.world.contact("ana@example.com", email="new@example.com")
    by_hand.block(desk.world.engine, "ana@example.com", "email", desk.now)  # the old one
    desk.world.engine.lifecycle.resume("f", desk.now)
    desk.world.settle()
    assert [sent.destination for sent in desk.world.sent()] == ["new@example.com"]
    assert desk.row()["destination"] == "new@example.com"


# --- the lane


class Provider:
    """A connector that answers what a test says, or raises it."""

    def __init__(self, *answers: Outcome | Exception) -> None:
        self.answers = list(answers)
        self.got: list[MessageKey] = []

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            answer = self.answers.pop(0) if self.answers else Accepted()
            self.got.append(each.key)
            if isinstance(answer, Exception):
                raise answer
            yield each.key, answer

    def close(self) -> None:
        """Nothing to close."""


def lane_of(desk: Desk, provider: Provider, *, most: int = 10, **settings: object) -> Lane:
    sender = ConsoleSender(via="console", channel="email", **settings)  # type: ignore[arg-type]
    lane = Lane(SENDER, sender, desk.outbox, desk.world.clock, provider)
    lane._most_in_hand = most
    return lane


def states(desk: Desk) -> list[str]:
    return list(desk.world.messages().values())


def test_a_connector_that_raises_leaves_one_unknown_and_the_rest_queued(desk: Desk) -> None:
    for name in ("ana", "bo", "cy"):
        desk.queue(f"{name}@example.com")
    lane = lane_of(desk, Provider(Accepted(), RuntimeError("a fault of ours")))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        lane.deliver()
    assert states(desk) == ["sent", "queued", "queued"]  # email is repeated where nobody knows
    assert [desk.row(MessageKey(n, 1))["unknowns"] for n in (1, 2, 3)] == [0, 1, 0]


def test_a_lane_that_found_little_to_do_is_left_alone_for_a_moment(desk: Desk) -> None:
    """What is queued meanwhile goes together; where more is waiting, it goes on at once."""
    lane = lane_of(desk, Provider(), most=2)
    for name in ("ana", "bo", "cy"):
        desk.queue(f"{name}@example.com")
    assert (lane.deliver(), lane.seconds_of_rest()) == (2, 0.0)
    lane._most_in_hand = 2
    assert (lane.deliver(), lane.seconds_of_rest()) == (1, ROUND_SECONDS)
    desk.world.advance(seconds=1)
    assert lane.seconds_of_rest() == 0.0


def test_a_lane_woken_for_nothing_asks_for_no_turn_to_write(desk: Desk) -> None:
    class Asked(Observer):
        times = 0

        def asked(self) -> Tally:
            self.times += 1
            return Tally()

    lane = lane_of(desk, Provider())
    asked = desk.world.engine.store.observer = Asked()
    assert (lane.deliver(), asked.times) == (0, 0)
    desk.queue()
    before = asked.times
    assert (lane.deliver(), asked.times) == (1, before + 2), "to take it, and to record what became of it"


class Torn(Send):
    """A send whose texts cannot be told."""

    sends: ClassVar[str | None] = "email"

    def parts(self) -> Mapping[str, Template]:
        raise KeyError("parts")


def test_an_element_that_cannot_be_rendered_fails_its_message_and_no_other(new_world: NewWorld) -> None:
    world = new_world(elements={**catalogue(), "torn": Torn})
    desk = Desk(world)
    world.publish(f"flow: t\nsettings: {{sender: {{email: {SENDER}}}}}\nelements: {{mail: {{type: torn}}}}\n")
    desk.queue()
    world.engine.host.enter("t", ["ana@example.com"], desk.now)
    desk.queue("bo@example.com")
    provider = Provider()
    assert lane_of(desk, provider).deliver() == 3
    assert states(desk) == ["sent", "failed", "sent"]
    assert desk.row(MessageKey(2, 1))["why"] == "rendering it raised KeyError"


def test_outcomes_that_could_not_be_recorded_are_recorded_next_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full for a moment: what went out must not wait for a restart, to be unknown then."""
    for name in ("ana", "bo"):
        desk.queue(f"{name}@example.com")
    provider = Provider()
    lane = lane_of(desk, provider)
    settle = Outbox.settle
    broken = [OSError("no space left on device")]

    def fails_once(outbox: Outbox, outcomes: Sequence[Settled], now: int, worker: int = 0) -> None:
        if outcomes and broken:
            raise broken.pop()
        settle(outbox, outcomes, now)

    monkeypatch.setattr(Outbox, "settle", fails_once)
    with pytest.raises(OSError, match="no space left"):
        lane.deliver()
    assert states(desk) == ["sending", "sending"]
    assert lane.deliver() == 0
    assert states(desk) == ["sent", "sent"]
    assert provider.got == [MessageKey(1, 1), MessageKey(2, 1)], "each went out once"
    assert desk.goals() == ["sent", "sent"]


def test_outcomes_that_could_not_be_recorded_are_recorded_at_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has room again, and the daemon is stopped before its lane looks again."""
    desk.queue()
    lane = lane_of(desk, Provider())

    def fails(outbox: Outbox, outcomes: Sequence[Settled], *_: object) -> None:
        if outcomes:
            raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "settle", fails)
        with pytest.raises(StoreError):
            lane.deliver()
        with structlog.testing.capture_logs() as logs:
            lane.close()
    assert [(each["log_level"], each["outcomes"]) for each in logs] == [("error", 1)]
    assert states(desk) == ["sending"]
    lane.close()
    assert states(desk) == ["sent"]


def test_what_was_taken_by_a_transaction_of_whose_end_nobody_heard_is_taken_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke while the database's answer was on its way. None of it was handed over."""
    others = desk.taken()
    with desk.world.engine.store.write() as tx:
        tx.exec_driver_sql("update message set worker = 7 where state = 'sending'")
    for name in ("bo", "cy"):
        desk.queue(f"{name}@example.com")
    provider = Provider()
    lane = lane_of(desk, provider)
    take = Outbox.take

    def takes_unheard(*values: Any, **named: Any) -> Took:
        take(*values, **named)
        raise StoreError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "take", takes_unheard)
        with pytest.raises(StoreError):
            lane.deliver()
    assert states(desk) == ["sending"] * 3
    lane.deliver()
    assert desk.state(others) == "sending", "another worker has it in hand"
    assert sorted(states(desk)) == ["sending", "sent", "sent"]
    assert provider.got == [MessageKey(2, 1), MessageKey(3, 1)]
    assert [desk.row(MessageKey(n, 1))["unknowns"] for n in (2, 3)] == [0, 0]


def test_a_stop_in_the_middle_gives_back_what_was_not_tried(desk: Desk) -> None:
    for name in ("ana", "bo", "cy"):
        desk.queue(f"{name}@example.com")
    provider = Provider()
    lane_of(desk, provider).deliver(stopping=lambda: len(provider.got) >= 1)
    assert states(desk) == ["sent", "queued", "queued"]
    assert [desk.row(MessageKey(n, 1))["unknowns"] for n in (1, 2, 3)] == [0, 0, 0]


def test_a_provider_that_is_down_is_said_once_and_so_is_its_return(desk: Desk) -> None:
    for name in ("ana", "bo", "cy", "di"):
        desk.queue(f"{name}@example.com")
    down = Refused("cannot connect to mail.acme.example:587: Connection refused", final=False, down=True)
    busy = Refused("mailbox busy", final=False)
    lane = lane_of(desk, Provider(down, down, busy))
    with structlog.testing.capture_logs() as logs:
        lane.deliver()
    assert [(each["log_level"], each["sender"], each.get("why")) for each in logs] == [
        ("warning", SENDER, down.why), ("info", SENDER, None),
    ]  # fmt: skip


def test_refusals_that_may_pass_are_tried_again_later_and_later_and_then_fail(desk: Desk) -> None:
    desk.queue()
    tries = [Refused("busy", final=False)] * (len(BACKOFF) + 1)
    provider = Provider(*tries)
    lane = lane_of(desk, provider)
    assert isinstance(desk.world.clock, SetClock)
    for wait in BACKOFF:
        assert lane.deliver() == 1
        assert (desk.state(), desk.row()["due_at"]) == ("queued", desk.now + wait)
        desk.world.clock.advance(wait)
    lane.deliver()
    assert (desk.state(), desk.row()["tries"]) == ("failed", len(BACKOFF) + 1)


def test_a_message_is_repeated_only_so_often(desk: Desk) -> None:
    """A server that takes the text and answers too late does so every time."""
    desk.queue()
    provider = Provider(*[Unknown("no answer within 30 seconds")] * 9)
    lane = lane_of(desk, provider)
    assert isinstance(desk.world.clock, SetClock)
    with structlog.testing.capture_logs() as logs:
        lane.deliver()
        for wait in BACKOFF[:MOST_REPEATS]:
            desk.world.clock.advance(wait - 1)
            assert lane.deliver() == 0
            desk.world.clock.advance(1)
            assert lane.deliver() == 1
    assert (desk.state(), desk.row()["unknowns"]) == ("unknown", MOST_REPEATS + 1)
    assert len(provider.got) == MOST_REPEATS + 1
    assert [each["event"] for each in logs] == ["a provider does not say whether it took a message"]
    desk.world.clock.advance(30 * 24 * HOUR)
    assert lane.deliver() == 0


def test_what_is_in_hand_at_each_crash_is_repeated_only_so_often(desk: Desk) -> None:
    desk.queue()
    for crash in range(MOST_REPEATS + 1):
        assert len(desk.take()) == 1
        desk.outbox.recover([SENDER], desk.now)
        assert desk.state() == ("queued" if crash < MOST_REPEATS else "unknown")


@pytest.mark.parametrize(("on_unknown", "state"), [("at_most_once", "unknown"), ("at_least_once", "queued")])
def test_an_unknown_outcome_is_repeated_only_where_the_sender_says_so(desk: Desk, on_unknown: str, state: str) -> None:
    desk.queue()
    lane_of(desk, Provider(Unknown("the line went dead")), on_unknown=on_unknown).deliver()
    assert (desk.state(), desk.row()["unknowns"]) == (state, 1)


def test_a_lane_keeps_its_rate(desk: Desk) -> None:
    for n in range(40):
        desk.queue(f"c{n}@example.com")
    provider = Provider()
    lane = lane_of(desk, provider, rate=5)
    assert isinstance(desk.world.clock, SetClock)
    for _ in range(40):
        while lane.deliver():
            pass
        desk.world.clock.advance(100)
    assert 19 <= len(provider.got) <= 21  # four seconds' worth


def test_a_million_messages_in_a_second_take_no_statement_with_a_value_each(desk: Desk) -> None:
    desk.outbox.settle([Settled(MessageKey(n, 1), "sent") for n in range(100_000)], desk.now)


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["take", "sent", "failed", "queued", "unknown", "recover", "receipt", "left", "block"]))
)
def test_whatever_happens_a_message_is_always_on_its_way_or_decided(acts: list[str]) -> None:
    """In any order: a message waits for a time, is in hand, or is decided; and its journey with it."""
    world = World("2026-03-02 09:00")
    desk = Desk(world)
    try:
        desk.queue()
        for act in acts:
            was = desk.state()
            match act:
                case "take":
                    desk.take()
                case "recover":
                    desk.outbox.recover([SENDER], desk.now)
                case "receipt":
                    desk.receive("delivered")
                case "left":
                    world.engine.host.tell([Incoming("left", "ana@example.com")], desk.now)
                case "block":
                    by_hand.block(world.engine, "ana@example.com", "email", desk.now)
                case _:
                    desk.settle(act, unknown=act == "unknown", due_at=desk.now)
            row, (journey,) = desk.row(), world.journeys()
            state = row["state"]
            assert (row["due_at"] is not None) == (state in ("queued", "held"))
            assert (row["sent_at"] is not None) == (state in ("sent", "delivered"))
            if was in DECIDED:
                assert state == was or (was, state) == ("sent", "delivered")
            if journey.state == "active":
                assert state not in DECIDED
            else:
                assert state not in ("queued", "held")
    finally:
        world.close()
