"""What providers answer and tell, all the way: out through a real connector, back in through a real HTTP server."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Route
from tests.engine.provider import Provider, Say, hangs_up, says

from tactful.elements.contract import NOTHING, MessageKey
from tactful.engine.api.provider_routes import LARGEST, provider_routes
from tactful.engine.backoff import BACKOFF
from tactful.engine.channels import connect
from tactful.engine.channels.receipts import Receipt
from tactful.engine.channels.twilio_receipts import signature
from tactful.engine.clock import SetClock
from tactful.engine.delivery import Lane
from tactful.engine.optout import by_hand, do_not_contact
from tactful.engine.project import Project, load_project
from tactful.engine.provider_receipts import take_in
from tactful.engine.store.statements import EVENT, INBOUND, MESSAGE
from tactful.engine.testing import World

MONDAY = 1_772_442_000_000
INFOBIP, OTHER, TWILIO = "+38595000111", "+38595000222", "+447700900100"
ANA, BEN = "+385911234567", "+447700900456"
SID = "SM" + "1" * 32
ENVIRON = {"INFOBIP_KEY": "infobip-key", "INFOBIP_SECRET": "nobody guesses it", "TWILIO_TOKEN": "12345"}
PUBLIC = "https://go.acme.example"

PROJECT = """
senders:
  "+38595000111": &infobip {{channel: sms, via: infobip, base_url: "{url}", api_key: {{env: INFOBIP_KEY}},
    webhook_secret: {{env: INFOBIP_SECRET}}, public_url: "https://go.acme.example", on_unknown: at_least_once}}
  "+38595000222": *infobip
  "+447700900100": {{channel: sms, via: twilio, base_url: "{url}", account_sid: AC00000000000000000000000000000000,
    auth_token: {{env: TWILIO_TOKEN}}, public_url: "https://go.acme.example"}}
opt_out:
  keywords:
    - {{sender: "+38595000111", keyword: STOP, action: block, level: this_sender}}
    - {{sender: "+38595000222", keyword: STOP, action: block, level: this_sender}}
    - {{sender: "+447700900100", keyword: STOP, action: block, level: this_sender}}
    - {{sender: "+447700900100", keyword: START, action: unblock, level: this_sender}}
"""

FLOW = """
flow: ask
entry: {{event: began, again: always}}
stop_when: [{{event: opted_out}}]
settings: {{sender: {{sms: "{sender}"}}}}
elements:
  question: {{type: send_sms, text: Shall we?, next: {{sent: answer, failed: no, suppressed: never}}}}
  answer: {{type: wait_for_event, event: delivered, message: question, within: 3 days,
           next: {{happened: arrived, timed_out: end}}}}
  arrived: {{type: goal, name: arrived}}
  no: {{type: goal, name: failed}}
  never: {{type: goal, name: suppressed}}
"""


def accepted(handler: Any) -> None:
    """Infobip or Twilio, as it is asked: taken."""
    asked = handler.server.asked[-1]
    if "/sms/3/" not in asked.path:
        handler.answer(201, json.dumps({"sid": SID, "status": "queued"}).encode(), {})
        return
    (message,) = json.loads(asked.body)["messages"]
    told = {"groupId": 1, "id": 26, "name": "PENDING_ACCEPTED"}
    said = {"messages": [{"messageId": message["destinations"][0].get("messageId", "theirs"), "status": told}]}
    handler.answer(200, json.dumps(said).encode(), {})


def refused(id: int, group: int = 5) -> Say:
    return says(200, {"messages": [{"messageId": "x", "status": {"groupId": group, "id": id, "name": "REFUSED"}}]})


UNSUBSCRIBED = says(400, {"code": 21610, "message": "unsubscribed recipient", "status": 400})


class Desk:
    """A project with its providers: one that is sent to, and a server where they tell us things."""

    def __init__(self, world: World, project: Project, provider: Provider, url: str) -> None:
        self.world, self.project, self.provider, self.url = world, project, provider, url
        self.engine = world.engine
        assert isinstance(world.clock, SetClock)
        self.clock = world.clock
        world.contact("ana", phone=ANA)
        world.contact("ben", phone=BEN)

    def send(self, sender: str = INFOBIP, contact: str = "ana", answer: Say | None = None) -> MessageKey:
        """A new journey of the flow, and its message handed over."""
        self.world.publish(FLOW.format(sender=sender))
        (entered,) = self.engine.host.enter("ask", [contact], self.clock.now())
        if answer is not None:
            self.provider.says = [answer]
        self.deliver(sender)
        assert entered.journey is not None
        return MessageKey(entered.journey, 1)

    def deliver(self, sender: str = INFOBIP) -> None:
        settings = (self.project.senders or {})[sender]
        lane = Lane(sender, settings, self.engine.outbox, self.clock, connect(settings, ENVIRON))
        while lane.deliver():
            pass
        lane.close()

    def message(self, key: MessageKey) -> Mapping[str, Any]:
        with self.engine.store.read() as tx:
            where = (MESSAGE.c.journey == key.journey) & (MESSAGE.c.step == key.step)
            return dict(tx.execute(select(MESSAGE).where(where)).mappings().one())

    def state(self, key: MessageKey) -> object:
        return self.message(key)["state"]

    def journey(self, key: MessageKey) -> str:
        return next(each.state for each in self.world.journeys() if each.id == key.journey)

    def goals(self) -> list[str]:
        return [name for _, name in self.world.goals()]

    def entries(self) -> list[tuple[str, str, str, str, str]]:
        with self.engine.store.read() as tx:
            return [(b.destination, b.channel, b.sender, b.covers, b.source) for b, _ in do_not_contact.listed(tx)]

    def acts(self, to: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        with self.engine.store.read() as tx:
            return [(act.what, act.block.source, act.evidence) for act in self.engine.do_not_contact.history(tx, to)]

    def events(self) -> list[tuple[str, str | None]]:
        with self.engine.store.read() as tx:
            return [(name, data) for name, data in tx.execute(select(EVENT.c.name, EVENT.c.data).order_by(EVENT.c.id))]

    def received(self) -> list[tuple[str, str, str]]:
        with self.engine.store.read() as tx:
            found = tx.execute(select(INBOUND.c.sender, INBOUND.c.destination, INBOUND.c.decision))
            return [(sender, to, decision) for sender, to, decision in found]

    # --- what the providers do

    def attempt(self) -> str:
        """The name that the last message was sent to Infobip by."""
        (message,) = json.loads(self.provider.asked[-1].body)["messages"]
        name = message["destinations"][0]["messageId"]
        assert isinstance(name, str)
        return name

    def infobip(
        self, where: str, results: object, secret: str | None = "nobody guesses it", sender: str = INFOBIP
    ) -> int:
        headers = (
            {} if secret is None else {"Authorization": "Basic " + b64encode(f"infobip:{secret}".encode()).decode()}
        )
        path = f"/providers/{quote(sender, safe='')}/{where}"
        return httpx.post(self.url + path, json={"results": results}, headers=headers).status_code

    def report(self, group: int, id: int, wrong: int = 0, changes: Mapping[str, str] = NOTHING) -> int:
        told = {
            "messageId": self.attempt(), "callbackData": self.attempt(), "to": ANA[1:],
            "doneAt": "2026-03-02T09:00:00.000+0000", "status": {"groupId": group, "id": id},
            "error": {"groupId": 0, "id": wrong}, **changes,
        }  # fmt: skip
        return self.infobip("receipts", [told])

    def twilio(self, where: str, told: Mapping[str, str], query: str = "", token: str = "12345") -> httpx.Response:
        path = f"/providers/{quote(TWILIO, safe='')}/{where}{query}"
        signed = signature(token, PUBLIC + path, list(told.items()))
        return httpx.post(self.url + path, data=dict(told), headers={"X-Twilio-Signature": signed})

    def callback(self) -> str:
        """The query of the address that Twilio was told to call for the last message."""
        asked = httpx.QueryParams(self.provider.asked[-1].body.decode())
        return "?" + asked["StatusCallback"].partition("?")[2]


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider(accepted)
    yield provider
    provider.stop()


@pytest.fixture
def desk(provider: Provider, new_world: Callable[..., World], tmp_path: Path) -> Iterator[Desk]:
    text = PROJECT.format(url=provider.url).replace("&infobip ", "")
    infobip = text.split('"+38595000111": ')[1].split('  "+38595000222"')[0]
    (tmp_path / "tactful.yaml").write_text(text.replace("*infobip\n", infobip))
    project, problems = load_project(tmp_path / "tactful.yaml")
    assert project is not None, [each.render() for each in problems]
    world = new_world(project=project)
    with serving(provider_routes(world.engine, project, world.clock, ENVIRON)) as url:
        yield Desk(world, project, provider, url)


@contextmanager
def serving(routes: list[Route]) -> Iterator[str]:
    """A real server with these routes, and its address."""
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    host, port = socket.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


# --- The answer to a message ---------------------------------------------------------------------


def test_an_opted_out_contact_is_not_retried_forever(desk: Desk) -> None:
    """Mautic#4681: a contact who had opted out at the provider was tried again and again."""
    key = desk.send(answer=refused(14))
    assert desk.state(key) == "suppressed"
    assert desk.message(key)["why"] == "REFUSED (14)"
    assert desk.goals() == ["suppressed"], "its journey leaves by `suppressed`"
    assert desk.entries() == [(ANA, "sms", "", "everything", "Infobip 14")]
    assert desk.acts(ANA) == [("block", "Infobip 14", {"message": "1.1", "answer": "REFUSED (14)"})]
    desk.clock.advance(sum(BACKOFF))
    desk.deliver()
    again = desk.send()
    assert desk.state(again) == "suppressed"
    assert len(desk.provider.asked) == 1, "asked once, and never again"


def test_at_twilio_it_is_this_number_only(desk: Desk) -> None:
    key = desk.send(TWILIO, "ben", UNSUBSCRIBED)
    assert (desk.state(key), desk.goals()) == ("suppressed", ["suppressed"])
    assert desk.entries() == [(BEN, "sms", TWILIO, "everything", "Twilio 21610")]
    assert desk.state(desk.send(INFOBIP, "ben")) == "sent"


def test_whoever_is_blocked_at_the_provider_has_opted_out(desk: Desk) -> None:
    """Their other journeys stop by `stop_when: opted_out`, and what waits to be sent to them is suppressed."""
    waits = desk.send()
    assert desk.journey(waits) == "active"
    desk.send(answer=refused(14))
    assert desk.journey(waits) == "stopped"
    assert ("opted_out", '{"channel":"sms","sender":"+38595000111"}') in desk.events()


def test_a_number_that_cannot_be_is_a_hard_bounce(desk: Desk) -> None:
    key = desk.send(answer=refused(52))
    assert (desk.state(key), desk.goals()) == ("failed", ["failed"])
    assert desk.entries() == [(ANA, "sms", "", "everything", "hard bounce")]
    assert not any(name == "opted_out" for name, _ in desk.events()), "they said no such thing"


def test_a_repeat_of_what_is_unknown_has_the_same_name_and_of_what_was_refused_another(desk: Desk) -> None:
    key = desk.send(answer=refused(12))
    first = desk.attempt()
    desk.clock.advance(BACKOFF[0])
    desk.provider.says = [hangs_up]
    desk.deliver()
    second = desk.attempt()
    desk.clock.advance(BACKOFF[1])
    desk.provider.says = [refused(23)]
    desk.deliver()
    third = desk.attempt()
    assert first != second, "it certainly did not go out: a new attempt"
    assert second == third, "nobody knows: Infobip recognises it"
    assert desk.state(key) == "sent"


# --- Receipts ------------------------------------------------------------------------------------


def test_delivered(desk: Desk) -> None:
    key = desk.send()
    for _ in range(2):  # providers tell twice
        assert desk.report(3, 5) == 200
    assert (desk.state(key), desk.goals()) == ("delivered", ["arrived"])
    assert [name for name, _ in desk.events() if name == "delivered"] == ["delivered"]


def test_a_receipt_before_the_call_that_sent_it_returned(desk: Desk) -> None:
    """The answer was lost, the receipt was not."""
    key = desk.send(answer=hangs_up)
    assert desk.state(key) == "queued", "at_least_once"
    desk.report(3, 5)
    assert desk.state(key) == "delivered"
    desk.clock.advance(BACKOFF[0])
    desk.deliver()
    assert len(desk.provider.asked) == 1, "and so it is not repeated"


def test_a_rejection_of_what_is_to_be_repeated(desk: Desk) -> None:
    """The answer was lost; the receipt says that they are on the provider's list: the repeat never goes out."""
    key = desk.send(answer=hangs_up)
    desk.report(5, 14)
    desk.clock.advance(BACKOFF[0])
    desk.deliver()
    assert (desk.state(key), desk.journey(key)) == ("withdrawn", "stopped"), "by `stop_when: opted_out`"
    assert len(desk.provider.asked) == 1


def test_a_bounce_proves_that_it_went_out(desk: Desk) -> None:
    key = desk.send(answer=hangs_up)
    desk.report(2, 9, 6)
    assert desk.state(key) == "sent"
    desk.clock.advance(BACKOFF[0])
    desk.deliver()
    assert len(desk.provider.asked) == 1


@pytest.mark.parametrize(
    ("wrong", "entries", "kind"),
    [
        (1, [(ANA, "sms", "", "everything", "hard bounce")], "hard"),
        (6, [], "soft"),
        (2052, [(ANA, "sms", "", "everything", "Infobip 2052")], "blocked"),
        (603, [(ANA, "sms", INFOBIP, "everything", "Infobip 603")], "blocked"),
    ],
)
def test_not_delivered(desk: Desk, wrong: int, entries: list[object], kind: str) -> None:
    key = desk.send()
    for _ in range(2):
        assert desk.report(2, 9, wrong) == 200
    assert desk.state(key) == "sent"
    assert [data for name, data in desk.events() if name == "bounced"] == [
        f'{{"code":"Infobip {9 if wrong == 6 else wrong}","type":"{kind}"}}'
    ]
    assert desk.entries() == entries
    assert len(desk.acts(ANA)) == len(entries), "told twice, done once"
    assert desk.journey(key) == ("stopped" if kind == "blocked" else "active")


def test_a_rejection_that_comes_before_the_answer_is_no_proof_of_sending(desk: Desk) -> None:
    key = desk.send()
    with desk.engine.store.write() as tx:  # as if the answer had not been recorded yet
        tx.execute(MESSAGE.update().values(state="sending", provider_id=None, sent_at=None))
    desk.report(5, 14)
    assert desk.state(key) == "suppressed"
    assert desk.entries() == [(ANA, "sms", "", "everything", "Infobip 14")]
    assert "bounced" not in [name for name, _ in desk.events()]


def test_a_receipt_counts_for_its_own_attempt_only(desk: Desk) -> None:
    key = desk.send()
    for changes in ({"messageId": "another"}, {"to": "385910000000"}, {"callbackData": "999.1-1-0123456789abcdef"}):
        assert desk.report(3, 5, changes=changes) == 200
    told = Receipt(key, "delivered", "Infobip 5", "k")
    assert take_in(desk.engine, [told], {TWILIO}, MONDAY) == 0, "a message of another account"
    assert desk.state(key) == "sent"
    assert take_in(desk.engine, [told], {INFOBIP}, MONDAY) == 1


def test_a_report_of_the_attempt_before_does_not_bounce_the_next(desk: Desk) -> None:
    key = desk.send(answer=refused(12))
    desk.report(5, 12)
    assert desk.state(key) == "queued"
    assert "bounced" not in [name for name, _ in desk.events()]


def test_status_callbacks_of_twilio(desk: Desk) -> None:
    key = desk.send(TWILIO, "ben")
    for status in ("sent", "delivered", "delivered", "sent"):
        told = {"MessageSid": SID, "MessageStatus": status, "To": BEN, "From": TWILIO}
        assert desk.twilio("receipts", told, desk.callback()).status_code == 204
    assert desk.state(key) == "delivered"


def test_twilio_tells_later_that_they_are_unsubscribed(desk: Desk) -> None:
    desk.send(TWILIO, "ben")
    told = {"MessageSid": SID, "MessageStatus": "failed", "ErrorCode": "21610", "To": BEN}
    desk.twilio("receipts", told, desk.callback())
    assert desk.entries() == [(BEN, "sms", TWILIO, "everything", "Twilio 21610")]


# --- Messages that come in -----------------------------------------------------------------------


def mo(text: str, to: str = INFOBIP, key: str = "1") -> dict[str, str]:
    return {"messageId": key, "from": ANA[1:], "to": to[1:], "text": text, "receivedAt": "2026-03-02T09:00:00.000+0000"}


def test_stop_to_one_number_does_not_disable_all(desk: Desk) -> None:
    """Rock#5581: STOP to one number disabled all of them. Also where one address serves all numbers of an account."""
    assert desk.infobip("inbound", [mo("STOP", OTHER)]) == 200
    assert desk.entries() == [(ANA, "sms", OTHER, "everything", "keyword STOP")]
    assert desk.state(desk.send(INFOBIP)) == "sent"


def test_a_message_told_twice_is_received_once(desk: Desk) -> None:
    for _ in range(2):
        desk.infobip("inbound", [mo("STOP"), mo("what?", key="2")])
    assert desk.received() == [(INFOBIP, ANA, "block"), (INFOBIP, ANA, "none")]


def test_a_message_for_a_number_we_do_not_have_is_not_lost(desk: Desk) -> None:
    desk.infobip("inbound", [mo("STOP", "+38595999999")])
    assert desk.received() == [(INFOBIP, ANA, "block")]


def test_a_message_from_a_name_is_passed_over_and_not_told_for_ever(desk: Desk) -> None:
    assert desk.infobip("inbound", [{**mo("Your code"), "from": "BANK"}, mo("STOP", key="2")]) == 200
    assert desk.received() == [(INFOBIP, ANA, "block")]


def answer(text: str, key: str = "1", did: str = "") -> dict[str, str]:
    told = {"MessageSid": f"SM{key}", "From": BEN, "To": TWILIO, "Body": text}
    return {**told, "OptOutType": did} if did else told


def test_provider_side_stop_and_start_are_synced(desk: Desk) -> None:
    """Mautic#11333, RapidPro#640: what the provider's own opt-out did was unknown to the sender's system."""
    replied = desk.twilio("inbound", answer("ARRET", "1", "STOP"))
    assert (replied.status_code, replied.text) == (200, "<Response/>")
    assert replied.headers["Content-Type"].startswith("text/xml")
    assert desk.entries() == [(BEN, "sms", TWILIO, "everything", "Twilio STOP")]
    desk.twilio("inbound", answer("ENCORE", "2", "START"))
    assert desk.entries() == []
    assert [(what, source) for what, source, _ in desk.acts(BEN)] == [
        ("block", "Twilio STOP"),
        ("unblock", "Twilio START"),
    ]
    desk.send(TWILIO, "ben", UNSUBSCRIBED)
    desk.twilio("inbound", answer("START", "3", "START"))
    assert desk.entries() == [], "START takes off what the provider's answer put on"


def test_what_the_provider_did_is_followed_once(desk: Desk) -> None:
    for _ in range(2):
        desk.twilio("inbound", answer("ARRET", "1", "STOP"))
    assert len(desk.acts(BEN)) == 1
    for key in ("2", "2"):
        desk.twilio("inbound", answer("ENCORE", key, "START"))
    desk.twilio("inbound", answer("ARRET", "3", "STOP"))
    desk.twilio("inbound", answer("ENCORE", "2", "START"))
    assert len(desk.entries()) == 1, "an old START told again unblocks nobody"


def test_the_providers_start_takes_off_nothing_that_others_put_on(desk: Desk) -> None:
    by_hand.block(desk.engine, BEN, "sms", MONDAY, sender=TWILIO, reason="asked by telephone")
    by_hand.block(desk.engine, BEN, "sms", MONDAY)
    desk.twilio("inbound", answer("ENCORE", "1", "START"))
    assert len(desk.entries()) == 2


def test_a_stop_that_our_own_rule_read_is_one_act(desk: Desk) -> None:
    desk.twilio("inbound", answer("STOP", "1", "STOP"))
    desk.twilio("inbound", answer("STOP", "1", "STOP"))
    assert [(what, source) for what, source, _ in desk.acts(BEN)] == [("block", "keyword STOP")]


# --- Who tells -----------------------------------------------------------------------------------


def test_only_twilio_may_tell_of_twilio(desk: Desk) -> None:
    told = answer("STOP")
    assert desk.twilio("inbound", told, token="12346").status_code == 403
    path = f"{desk.url}/providers/{quote(TWILIO, safe='')}/inbound"
    assert httpx.post(path, data=told).status_code == 403
    signed = signature("12345", path, list(told.items()))  # for the address behind the proxy
    assert httpx.post(path, data=told, headers={"X-Twilio-Signature": signed}).status_code == 403
    assert httpx.post(path, content=b"%ff=\xff", headers={"X-Twilio-Signature": signed}).status_code in (400, 403)
    assert httpx.post(path, content=b"&".join([b"a=1"] * 600)).status_code == 400
    assert desk.received() == []


@pytest.mark.parametrize("secret", [None, "", "nobody", "nobody guesses it!", "NOBODY GUESSES IT", "š"])
def test_only_who_knows_the_secret_may_tell_of_infobip(desk: Desk, secret: str | None) -> None:
    assert desk.infobip("inbound", [mo("STOP")], secret=secret) == 403
    path = f"{desk.url}/providers/{INFOBIP}/inbound"
    assert httpx.post(path, params={"secret": secret or ""}, json={"results": [mo("STOP")]}).status_code == 403
    assert desk.received() == []


def test_the_secret_may_stand_in_the_address(desk: Desk) -> None:
    desk.send()
    (asked,) = json.loads(desk.provider.asked[0].body)["messages"]
    url = asked["webhooks"]["delivery"]["url"].replace(PUBLIC, desk.url)
    assert httpx.post(url, json={"results": []}).status_code == 200


def test_a_basic_header_that_is_none(desk: Desk) -> None:
    path = f"{desk.url}/providers/{INFOBIP}/inbound"
    for header in ("Basic", "Basic ?", "Basic //79", "Bearer nobody guesses it", "Basic bm8="):
        assert httpx.post(path, json={"results": []}, headers={"Authorization": header}).status_code == 403


def test_what_makes_no_sense(desk: Desk) -> None:
    path = f"{desk.url}/providers/{INFOBIP}/receipts?secret=nobody%20guesses%20it"
    for body in (b"", b"{", b"[" * 100_000, b'{"results": 3}', b"\xff"):
        assert httpx.post(path, content=body).status_code == 400
    assert httpx.post(path, content=b" " * (LARGEST + 1)).status_code == 413
    assert desk.twilio("receipts", {"MessageSid": SID}).status_code == 400
    assert httpx.get(path).status_code == 405


def test_senders_that_no_provider_tells_of(desk: Desk) -> None:
    for sender in ("+38595000333", "ACME", "%00", "+447700900100%2F.."):
        assert httpx.post(f"{desk.url}/providers/{sender}/inbound", data={"a": "1"}).status_code == 404


def test_without_the_secret_set_nobody_is_believed(desk: Desk) -> None:
    with serving(provider_routes(desk.engine, desk.project, desk.clock, {})) as url:
        for sender in (INFOBIP, TWILIO):
            where = f"{url}/providers/{quote(sender, safe='')}/inbound"
            signed = {"X-Twilio-Signature": signature("", where, [])}
            assert httpx.post(where, headers=signed).status_code == 403
            assert httpx.post(where + "?secret=", headers={"Authorization": "Basic Og=="}).status_code == 403
