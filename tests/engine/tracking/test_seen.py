"""What is asked for is told to the engine once, and tells nothing to who asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path
from random import Random

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from tests.engine.tracking.shop import BARRACUDA, FIREFOX, NOTE, SENDER, THUNDERBIRD, Shop

from tactful.elements.contract import MessageKey
from tactful.engine.channels import Outgoing
from tactful.engine.compose import open_engine
from tactful.engine.delivery import Lane
from tactful.engine.incoming import Incoming
from tactful.engine.keyring import Keyring
from tactful.engine.senders import ConsoleSender
from tactful.engine.store.database import Store, open_store
from tactful.engine.store.statements import MESSAGE
from tactful.engine.tracking.outgoing import Tracking, tracking_of
from tactful.engine.tracking.rewriting import LONGEST_URL, read
from tactful.engine.tracking.seen import Asked, Seen
from tactful.engine.tracking.tokens import Click, Tokens

TEA, CUPS = "https://shop.example/tea?a=1&b=2", "https://shop.example/cups"
LONGEST = "https://x.example/" + Random(1).randbytes(LONGEST_URL).hex()[: LONGEST_URL - 18]  # which nothing compresses
SLACK = "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"


def becomes(shop: Shop, **values: object) -> None:
    """The only message is as the engine would have left it."""
    with shop.engine.store.write() as tx:
        tx.execute(update(MESSAGE).values(**values))


# --- the message


def test_links_lead_by_way_of_us_but_those_that_are_not_to_be_tracked(shop: Shop) -> None:
    (mail,) = shop.mails()
    tea, cups, imprint = mail.links
    assert tea.startswith(f"{shop.web.url}/c/")
    assert cups.startswith(f"{shop.web.url}/c/")
    assert len({tea, cups}) == 2
    assert imprint == "https://shop.example/imprint"
    assert len(tea.removeprefix(shop.web.url)) < 60, "short enough"
    assert TEA in mail.text


def test_a_thousand_messages_with_one_link_have_one_target(shop: Shop) -> None:
    for _ in range(5):
        shop.happens("began")
    links = [link for mail in shop.mails() for link in mail.links[:2]]
    assert len(set(links)) == 12
    assert {link.rsplit(".", 2)[1] for link in links} == {"1", "2"}


# --- openings


def test_a_pixel_tells_of_an_opening_once(shop: Shop) -> None:
    (mail,) = shop.mails()
    for _ in range(3):
        answer = shop.ask(mail.pixel, THUNDERBIRD)
        assert (answer.status, answer.headers["content-type"], len(answer.body)) == (200, "image/gif", 43)
        assert "no-store" in answer.headers["cache-control"]
        assert answer.body.startswith(b"GIF89a\x01\x00\x01\x00")
    assert shop.told() == [("opened", {})]


@pytest.mark.parametrize(
    ("agent", "service"),
    [
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "Yahoo Mail"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "Gmail"),
    ],
)
def test_an_opening_by_way_of_a_service_counts_and_says_so(shop: Shop, agent: str, service: str) -> None:
    shop.ask(shop.mails()[0].pixel, agent)
    assert shop.told() == [("opened", {"through": service})]


def test_an_image_fetched_though_perhaps_nobody_looked_is_marked_and_not_counted(shop: Shop) -> None:
    shop.ask(shop.mails()[0].pixel, "Mozilla/5.0")
    why = "fetched by Apple Mail Privacy Protection, opened or not"
    assert shop.told() == [("opened_by_machine", {"why": why})]


def test_what_we_never_wrote_has_the_same_answer_and_is_told_to_nobody(shop: Shop) -> None:
    (mail,) = shop.mails()
    good = shop.ask(mail.pixel)
    stranger = Tokens(Keyring([b"another key"]))
    key, _ = shop.message()
    click = mail.links[0].rpartition("/")[2]
    for token in ("x", "1.2.x", stranger.open(key), click, "%00", "%F0%9F%91%8B", "a" * 5_000, mail.pixel[-20:-4]):
        answer = shop.ask(f"{shop.web.url}/v/{token}.gif")
        same = {name: value for name, value in answer.headers.items() if name != "date"}
        assert (answer.status, answer.body) == (200, good.body)
        assert same == {name: value for name, value in good.headers.items() if name != "date"}
    assert [name for name, _ in shop.told()] == ["opened"]


# --- clicks


def test_a_click_proves_an_opening_and_each_link_counts_once(shop: Shop) -> None:
    (mail,) = shop.mails()
    tea, cups, _ = mail.links
    for link, url in ((tea, TEA), (tea, TEA), (cups, CUPS), (cups, CUPS)):
        answer = shop.ask(link)
        assert (answer.status, answer.headers["location"]) == (302, url)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "no-store" in answer.headers["cache-control"]
        shop.clock.advance(5_000)
    assert shop.told() == [("opened", {}), ("clicked", {"url": TEA}), ("clicked", {"url": CUPS})]


def test_it_leads_where_a_message_of_ours_led_and_nowhere_else(shop: Shop) -> None:
    key, _ = shop.message()
    (mail,) = shop.mails()
    token = mail.links[0].rpartition("/")[2]
    said, _, signature = token.rpartition(".")
    assert said == f"{key}.2"
    stranger = Tokens(Keyring([b"another key"]))
    forged = [
        f"{key}.1.{signature}", f"{key}.2.{signature[:-4]}AAAA", stranger.click(Click(key, 1)), mail.pixel[-40:-4],
        "https:%2F%2Fevil.example", "https://evil.example", "", "x", "%00", "a" * 5_000,
    ]  # fmt: skip
    for each in forged:
        answer = shop.ask(f"{shop.web.url}/c/{each}")
        assert answer.status == 404
        assert "location" not in answer.headers
        assert b"leads nowhere" in answer.body
        assert b"http" not in answer.body
    known = Tokens(shop.engine.do_not_contact.keyring)
    assert shop.ask(f"{shop.web.url}/c/{known.click(Click(key, 999))}").status == 404
    assert shop.told() == []


@pytest.mark.parametrize(
    ("written", "location"),
    [
        ("https://büro.example/ž?q=a b", "https://b%C3%BCro.example/%C5%BE?q=a%20b"),
        ("https://x.example/%C5%BE?q=a%20b+c#part", "https://x.example/%C5%BE?q=a%20b+c#part"),
        ("https://x.example/👋?a=1&amp;b=[2]&amp;c='d'", "https://x.example/%F0%9F%91%8B?a=1&b=[2]&c='d'"),
        ("https://x.example/\\evil.example/&lt;b&gt;|", "https://x.example/%5Cevil.example/%3Cb%3E%7C"),
        ("https://ana:secret@x.example:8443/", "https://ana:secret@x.example:8443/"),
        (LONGEST, LONGEST),
    ],
)
def test_odd_addresses_lead_where_they_led(tmp_path: Path, url: str, written: str, location: str) -> None:
    shop = Shop(tmp_path, NOTE.replace("https://shop.example/tea?a=1&amp;b=2", written), url=url)
    try:
        shop.happens("began")
        assert shop.ask(shop.mails()[0].links[0]).headers["location"] == location
    finally:
        shop.close()


URLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100).map("https://x.example/".__add__)


@given(st.lists(URLS, min_size=1, max_size=5))
def test_any_address_is_known_again(urls: list[str]) -> None:
    engine = open_engine("sqlite://")
    try:
        tokens = Tokens(engine.do_not_contact.keyring)
        html = "".join(f'<a href="{escape(url)}">' for url in urls)
        settings = ConsoleSender(via="console", channel="email", track=frozenset({"clicked"}))
        message = Outgoing(MessageKey(1, 1), "email", SENDER, settings, "ana@example.com", {"html": html}, "<x>", 0)
        (tracked,) = Tracking(engine.store, tokens, "https://go.example").tracked([message])
        links = [link.url for link in read(tracked.parts["html"], "https://elsewhere.example").links]
        seen = Seen(engine)
        led = [seen.link(link.rpartition("/")[2], Asked("HEAD", 0)) for link in links]
        assert led == [url.strip(" ") for url in urls]
    finally:
        engine.close()


def test_a_link_outlives_its_message(shop: Shop) -> None:
    known = Tokens(shop.engine.do_not_contact.keyring)
    gone = MessageKey(999, 1)
    assert shop.ask(f"{shop.web.url}/c/{known.click(Click(gone, 2))}").headers["location"] == TEA
    assert shop.ask(f"{shop.web.url}/v/{known.open(gone)}.gif").status == 200
    assert shop.told() == []


def test_head_has_the_same_answer_and_is_told_to_nobody(shop: Shop) -> None:
    (mail,) = shop.mails()
    asked = shop.ask(mail.links[0], method="HEAD")
    assert (asked.status, asked.headers["location"], asked.body) == (302, TEA, b"")
    asked = shop.ask(mail.pixel, method="HEAD")
    assert (asked.status, asked.headers["content-length"], asked.body) == (200, "43", b"")
    assert shop.ask(f"{shop.web.url}/c/x", method="HEAD").status == 404
    assert shop.told() == []
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert shop.ask(mail.links[0], method=method).status == 405
        assert shop.ask(mail.pixel, method=method).status == 405
    assert shop.told() == []


# --- machines


def test_a_machine_is_marked_once_and_its_click_still_leads_on(shop: Shop) -> None:
    (mail,) = shop.mails()
    for _ in range(2):
        for link, url in zip(mail.links[:2], (TEA, CUPS), strict=True):
            assert shop.ask(link, BARRACUDA).headers["location"] == url
        shop.ask(mail.pixel, SLACK)
        shop.ask(mail.pixel, BARRACUDA)
    assert shop.told() == [
        ("clicked_by_machine", {"url": TEA, "why": "Barracuda"}),
        ("opened_by_machine", {"why": "Slack's preview"}),
    ]


def test_two_links_followed_together_are_a_machines_but_for_the_first(shop: Shop) -> None:
    tea, cups, _ = shop.mails()[0].links
    shop.ask(tea)
    shop.clock.advance(400)
    shop.ask(cups)
    assert [name for name, _ in shop.told()] == ["opened", "clicked", "clicked_by_machine"]
    shop.clock.advance(10_000)
    shop.ask(cups)
    assert shop.told()[-1] == ("clicked", {"url": CUPS})


def test_a_preview_beside_a_person_makes_no_machine_of_them(shop: Shop) -> None:
    tea, cups, _ = shop.mails()[0].links
    shop.ask(cups, SLACK)
    shop.ask(tea)
    assert [name for name, _ in shop.told()] == ["clicked_by_machine", "opened", "clicked"]


def test_nobody_has_it_open_as_soon_as_it_was_sent(shop: Shop) -> None:
    shop.happens("began")
    mail = shop.mails()[-1]
    shop.clock.advance(1_500)
    shop.ask(mail.pixel, THUNDERBIRD)
    shop.ask(mail.links[0], FIREFOX)
    assert [name for name, _ in shop.told()] == ["opened_by_machine", "clicked_by_machine"]
    shop.clock.advance(500)
    shop.ask(mail.pixel, THUNDERBIRD)
    assert [name for name, _ in shop.told()][2:] == ["opened"]


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_machine_proves_nothing_of_a_message_in_hand(shop: Shop, state: str) -> None:
    """A mail server may look into a message and then refuse it."""
    becomes(shop, state=state, sent_at=None, unknowns=1)
    (mail,) = shop.mails()
    shop.ask(mail.pixel, BARRACUDA)
    shop.ask(mail.links[0], BARRACUDA)
    assert shop.message()[1] == state


def test_a_person_proves_that_a_message_went_out(shop: Shop) -> None:
    becomes(shop, state="unknown", sent_at=None, unknowns=1)
    shop.ask(shop.mails()[0].pixel, THUNDERBIRD)
    assert shop.message()[1] == "sent"


def test_while_a_message_is_handed_over_nobody_can_have_it_open(shop: Shop) -> None:
    becomes(shop, state="sending", sent_at=None, taken_at=shop.clock.now() - 30_000)
    (mail,) = shop.mails()
    shop.ask(mail.pixel, THUNDERBIRD)
    assert [name for name, _ in shop.told()] == ["opened_by_machine"]
    shop.clock.advance(60_000)  # the engine stopped then, and a person has the message
    shop.ask(mail.pixel, THUNDERBIRD)
    assert [name for name, _ in shop.told()] == ["opened_by_machine", "opened"]


@pytest.mark.parametrize("state", ["delivered", "failed", "withdrawn"])
def test_no_state_goes_back(shop: Shop, state: str) -> None:
    becomes(shop, state=state)
    (mail,) = shop.mails()
    shop.ask(mail.pixel, BARRACUDA)
    shop.ask(mail.links[0], FIREFOX)
    assert shop.message()[1] == state


# --- floods


def test_what_is_known_is_answered_without_a_write(shop: Shop, url: str) -> None:
    (mail,) = shop.mails()
    for agent in (FIREFOX, BARRACUDA):
        shop.ask(mail.pixel, agent)
        shop.ask(mail.links[0], agent)
    told = shop.told()
    again = Seen(shop.engine)  # as after a start, with nothing in memory
    another_process = open_store(url)
    # Whoever wanted to write would have to wait for the other one.
    with closing(another_process), another_process.write(), structlog.testing.capture_logs() as logs:
        for agent in (FIREFOX, BARRACUDA):
            for _ in range(50):
                shop.ask(mail.pixel, agent)
                shop.ask(mail.links[0], agent)
            asked = Asked("GET", shop.clock.now(), {"user-agent": agent})
            again.link(mail.links[0].rpartition("/")[2], asked)
            again.pixel(mail.pixel.rpartition("/")[2].removesuffix(".gif"), asked)
    assert not logs
    assert shop.told() == told


def test_many_at_once_are_told_once(shop: Shop) -> None:
    (mail,) = shop.mails()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.ask(mail.links[0]).status, range(40)))
    assert set(answers) == {302}
    assert [name for name, _ in shop.told()] == ["opened", "clicked"]


def test_a_database_in_trouble_still_answers(shop: Shop) -> None:
    (mail,) = shop.mails()
    shop.ask(mail.links[0], BARRACUDA)
    with without_table(shop.engine.store, "event"), structlog.testing.capture_logs() as logs:
        assert shop.ask(mail.links[0]).headers["location"] == TEA
        assert shop.ask(mail.pixel).status == 200
    assert [entry["told"] for entry in logs] == ["clicked", "opened"]
    shop.ask(mail.pixel)
    assert [name for name, _ in shop.told()] == ["clicked_by_machine", "opened"]


def test_messages_whose_links_cannot_be_kept_go_later(shop: Shop) -> None:
    another = tracking_of(shop.engine, shop.project)  # with nothing in memory
    lane = Lane(
        SENDER, (shop.project.senders or {})[SENDER], shop.engine.outbox, shop.clock, shop.connector, tracking=another
    )
    shop.engine.host.tell([Incoming("began", "ana")], shop.clock.now())
    with without_table(shop.engine.store, "link_target"), structlog.testing.capture_logs() as logs:
        assert lane.deliver() == 1
    assert [entry["event"] for entry in logs] == ["links could not be put into messages"]
    assert len(shop.mails()) == 1
    assert lane.deliver() == 0
    shop.clock.advance(60_000)
    assert lane.deliver() == 1
    assert [len(mail.links) for mail in shop.mails()] == [3, 3]


@contextmanager
def without_table(store: Store, name: str) -> Iterator[None]:
    """A table is away for a while."""
    with store.write() as tx:
        tx.exec_driver_sql(f"ALTER TABLE {name} RENAME TO away")
    try:
        yield
    finally:
        with store.write() as tx:
            tx.exec_driver_sql(f"ALTER TABLE away RENAME TO {name}")
