"""The three ways an opt-out is collected, end to end: the examples' shop as it is served, with its real HTTP server, a
real mail server, and a clock that is set forward."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from tests.engine.conftest import wait_until
from tests.engine.tracking.shop import MailServer

from tactful.elements import catalogue
from tactful.engine.api.server import serving
from tactful.engine.clock import SystemClock
from tactful.engine.compose import open_engine_of
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.daemon import Daemon
from tactful.engine.optout import by_hand
from tactful.engine.project import load_project
from tactful.flows.load import load_file

EXAMPLES = Path(__file__).parents[2] / "examples"
SMS = "+447700900100"
ANA, ANAS_PHONE = "ana@example.com", "+447700900101"
KEY = "a-key-that-nobody-guesses-42"
HOUR = 3_600_000


class ShiftedClock(SystemClock):
    """The machine's clock, so many milliseconds off."""

    def __init__(self, begins: datetime) -> None:
        self.off = 0
        self.off = int(begins.timestamp() * 1000) - self.now()

    def now(self) -> int:
        return super().now() + self.off


class Shop:
    """The examples' project, served."""

    def __init__(self, folder: Path, mail: MailServer) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.mail = mail
        self.clock = ShiftedClock(datetime(2026, 3, 2, 10, tzinfo=UTC))
        file = (
            shutil.copytree(EXAMPLES, folder / "shop", ignore=shutil.ignore_patterns("sent", "*.db*")) / "tactful.yaml"
        )
        text = file.read_text(encoding="utf-8")
        text = text.replace(
            "via: console, folder: sent, name: Harbour Tea",
            f"via: smtp, host: 127.0.0.1, port: {mail.port}, track: [opened, clicked], name: Harbour Tea",
        ).replace("https://go.harbourtea.example", f"http://127.0.0.1:{self.port}")
        text += (
            f"http:\n  port: {self.port}\n  keys: [{{name: shop, key: {{env: SHOP_KEY}}, scopes: [inbound, events]}}]\n"
        )
        file.write_text(text, encoding="utf-8")
        project, problems = load_project(file)
        assert project is not None, [each.render() for each in problems]
        self.engine = open_engine_of(project)
        for path in project.flow_files():
            flow = load_file(path, catalogue(), project.surroundings()).flow
            assert flow is not None
            self.engine.lifecycle.publish(flow, self.clock.now())
        people = [ContactFields("ana", ANA, ANAS_PHONE, "Europe/London", {"first_name": "Ana"})]
        put_contacts(self.engine.host, people, self.clock.now())
        self._daemon = Daemon(project, self.engine, self.clock)
        beside = serving(self.engine, project, self.clock, changed=self._daemon.wake, died=self._daemon.stop)
        self._thread = threading.Thread(target=self._daemon.run, args=(beside,))
        self._thread.start()
        headers = {"Authorization": f"Bearer {KEY}"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=20)

    def after(self, hours: float) -> None:
        """Time passes, and the daemon finds the clock set."""
        self.clock.off += int(hours * HOUR)

    def happens(self, name: str, **data: object) -> None:
        """Something happens to Ana, and the shop's own systems tell of it."""
        said = self.http.post("/v1/events", json={"events": [{"name": name, "contact": "ana", "data": data}]})
        assert said.status_code == 200, said.text

    def letters(self, number: int) -> list[EmailMessage]:
        """The emails that have come so far, once there are so many and it is recorded that they went: from then on the
        time of a wait runs, and the clock may be set."""
        wait_until(lambda: len(self.mail.received) >= number)
        wait_until(lambda: self.in_hand() == 0)
        return self.mail.received

    def in_hand(self) -> int:
        """How many messages are being handed over."""
        with self.engine.store.read() as tx:
            return int(tx.exec_driver_sql("select count(*) from message where state = 'sending'").scalar_one())

    def may_be_written_to(self, address: str, channel: str) -> bool:
        """What the list says."""
        return by_hand.explain(self.engine, address, channel).block is None

    def stop(self) -> None:
        """Stop it as SIGTERM does."""
        self.http.close()
        self._daemon.stop()
        self._thread.join(30)
        self.engine.close()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("SHOP_KEY", KEY)
    mail = MailServer()
    try:
        served = Shop(tmp_path, mail)
        try:
            yield served
        finally:
            served.stop()
    finally:
        mail.stop()


def state(shop: Shop) -> Callable[[], str]:
    """How the message that Ana's newest journey sent last stands."""

    def newest() -> str:
        with shop.engine.store.read() as tx:
            found = tx.exec_driver_sql("select state from message order by journey desc, step desc limit 1").scalar()
        return str(found)

    return newest


def test_a_keyword_that_comes_in(shop: Shop) -> None:
    shop.happens("tasting_booked", starts="Thursday at 18:00")
    wait_until(lambda: state(shop)() == "sent")
    said = shop.http.post("/v1/inbound", json={"sender": SMS, "from": ANAS_PHONE, "text": "Stop. Thank you"}).json()
    assert (said["decision"], said["level"]) == ("block", "any_sender")
    assert not shop.may_be_written_to(ANAS_PHONE, "sms")
    shop.happens("tasting_booked", starts="Friday at 18:00")
    wait_until(lambda: state(shop)() == "suppressed")


def test_an_opt_out_link(shop: Shop) -> None:
    shop.happens("basket_abandoned", value=35)
    shop.after(hours=2)
    (offer,) = shop.letters(1)
    html = offer.get_body(("html",))
    assert html is not None
    printed = re.search(r'href="(http://127\.0\.0\.1:\d+/o/[^"]+)"', html.get_content())
    assert printed is not None
    one_click = offer["List-Unsubscribe"].strip("<>")
    for link in (printed[1], one_click):
        assert "<form" in shop.http.get(link).text
        assert shop.http.head(link).status_code == 200
        assert shop.may_be_written_to(ANA, "email"), "whoever only looks changes nothing"
    answer = shop.http.post(one_click, data={"List-Unsubscribe": "One-Click"}, headers={"Authorization": ""})
    assert (answer.status_code, answer.history) == (200, [])
    assert not shop.may_be_written_to(ANA, "email")
    shop.happens("signed_up")
    wait_until(lambda: state(shop)() == "suppressed")
    assert len(shop.letters(1)) == 1, "nothing more came"


def test_a_message_not_opened_in_the_time_given(shop: Shop) -> None:
    shop.happens("basket_abandoned", value=35)
    shop.after(hours=2)
    shop.letters(1)
    shop.after(hours=47)
    shop.happens("told in between")  # the daemon has looked at the time of before
    assert shop.may_be_written_to(ANA, "email")
    shop.after(hours=1)
    wait_until(lambda: not shop.may_be_written_to(ANA, "email"))
    block = by_hand.explain(shop.engine, ANA, "email").block
    assert block is not None
    assert block.source == "flow win-back, element unopened"


def test_one_that_was_opened_is_no_opt_out(shop: Shop) -> None:
    shop.happens("basket_abandoned", value=35)
    shop.after(hours=2)
    (offer,) = shop.letters(1)
    html = offer.get_body(("html",))
    assert html is not None
    pixel = re.search(r'src="(http://[^"]+/v/[^"]+\.gif)"', html.get_content())
    assert pixel is not None
    shop.after(hours=1)  # sooner, only a filter looks
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.0"
    assert shop.http.get(pixel[1], headers={"User-Agent": browser}).headers["content-type"] == "image/gif"
    wait_until(lambda: "opened" in _exits(shop))
    shop.after(hours=48)
    shop.happens("told in between")
    assert shop.may_be_written_to(ANA, "email")


def _exits(shop: Shop) -> list[str]:
    with shop.engine.store.read() as tx:
        rows = tx.exec_driver_sql("select element from visit where exit = 'happened'").all()
    return [row[0] for row in rows]
