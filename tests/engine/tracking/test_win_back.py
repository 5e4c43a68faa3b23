"""The win-back flow with a mail server that reports nothing: who opens the message goes on, and only they do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.tracking.shop import BARRACUDA, FIREFOX, NOTE, SENDER, THUNDERBIRD, WIN_BACK, Shop

from tactful.elements import catalogue
from tactful.engine.project import load_project
from tactful.engine.testing import World
from tactful.flows.load import load_file

ADDRESS = "ana@example.com"


def test_a_mail_program_that_shows_the_pixel_takes_the_journey_on(win_back: Shop) -> None:
    (offer,) = win_back.mails()
    assert offer.pixel.startswith(f"{win_back.web.url}/v/")
    win_back.after(hours=5)
    assert win_back.ask(offer.pixel, THUNDERBIRD).headers["content-type"] == "image/gif"
    win_back.settle()
    assert win_back.path()[-3:] == [("opened", "happened"), ("how_big", "big"), ("voucher", "sent")]
    assert [str(mail.message["Subject"]) for mail in win_back.mails()][1:] == ["Free delivery, if you still want it"]
    win_back.after(hours=60)
    assert win_back.blocked() == []


def test_a_scanner_does_not_and_48_hours_after_the_sending_it_is_a_no(win_back: Shop) -> None:
    (offer,) = win_back.mails()
    win_back.ask(offer.pixel, THUNDERBIRD)  # a browser, by its name, in the very second of the sending
    win_back.after(hours=1)
    win_back.ask(offer.pixel, BARRACUDA)
    for link in offer.links:
        if "/o/" not in link:  # the opt-out page is served beside, and holds off scanners in its own way
            assert win_back.ask(link, BARRACUDA).status == 302
    win_back.after(hours=46)
    assert win_back.path()[-1] == ("offer", "sent")
    assert win_back.blocked() == []
    win_back.after(hours=1)
    assert win_back.path()[-2:] == [("opened", "timed_out"), ("unopened", "done")]
    assert win_back.blocked() == [ADDRESS]
    assert {name for name, _ in win_back.told()} == {"opened_by_machine", "clicked_by_machine"}


def test_after_a_scanner_the_person_still_counts(win_back: Shop) -> None:
    (offer,) = win_back.mails()
    win_back.after(hours=1)
    win_back.ask(offer.pixel, BARRACUDA)
    win_back.ask(offer.links[0], BARRACUDA)
    win_back.after(hours=1)
    followed = win_back.ask(offer.links[0], FIREFOX)
    assert followed.headers["location"] == "https://harbourtea.example/basket"
    win_back.settle()
    assert ("opened", "happened") in win_back.path()


def test_a_project_may_count_what_was_fetched_ahead_and_a_flow_may_not(tmp_path: Path) -> None:
    flow = NOTE.replace("message: mail,", "message: mail, where: is_empty(event.through),")
    shop = Shop(tmp_path, flow, "[opened, clicked], count_prefetched: true")
    try:
        shop.happens("began")
        shop.happens("began")
        shop.clock.advance(60_000)
        first, second = shop.mails()
        shop.ask(first.pixel, "Mozilla/5.0")
        shop.ask(second.pixel, THUNDERBIRD)
        assert [name for name, _ in shop.told()] == ["opened", "opened"]
        assert shop.path().count(("opened", "happened")) == 1
    finally:
        shop.close()


def test_what_a_message_says_is_what_it_said_without_tracking(tmp_path: Path) -> None:
    texts = []
    for track in ("[opened, clicked]", "[]"):
        folder = tmp_path / ("with" if "opened" in track else "without")
        folder.mkdir()
        shop = Shop(folder, NO_WAIT, track)
        try:
            shop.happens("began")
            (mail,) = shop.mails()
        finally:
            shop.close()
        texts.append((mail.text, mail.html.replace(mail.links[0], "(link)"), mail.message["Subject"], len(mail.images)))
    (tracked_text, tracked_html, *_, images), (text, html, *_, no_images) = texts
    assert tracked_text == text, "plain text is what it was"
    assert "https://shop.example/tea" in text
    assert (images, no_images) == (1, 0)
    assert tracked_html.partition("<img")[0].strip() == html.strip()


NO_WAIT = """
flow: note
entry: {event: began, again: always}
settings: {sender: {email: hello@harbourtea.example}}
elements:
  mail: {type: send_email, subject: Hello, html: '<p>Hi <a href="https://shop.example/tea">tea</a></p>'}
"""


def test_scenarios_see_the_text_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "tactful.yaml").write_text(
        f"senders: {{{SENDER}: {{channel: email, via: smtp, host: 127.0.0.1, track: [opened, clicked]}}}}\n"
        "opt_out: {base_url: https://go.harbourtea.example}\n"
    )
    project, problems = load_project(tmp_path / "tactful.yaml")
    assert not problems
    with World("2026-03-02 09:00", project=project) as world:
        world.publish(WIN_BACK / "flow.yaml")
        world.contact("ana@example.com", first_name="Ana")
        world.happens("basket_abandoned", "ana@example.com", value=80)
        world.advance("2 hours")
        (sent,) = world.sent()
        assert sent.says('href="https://harbourtea.example/basket"')
        assert "go.harbourtea.example/c/" not in sent.parts["html"]
        assert "go.harbourtea.example/v/" not in sent.parts["html"]
        world.opens("offer")
        assert world.journey().path[-1] == "voucher"


@pytest.mark.parametrize(
    ("track", "codes"),
    [("", ["never-reported"]), ("track: [clicked]", ["never-reported"]), ("track: [opened, clicked]", [])],
)
def test_a_wait_for_openings_needs_them_tracked(tmp_path: Path, track: str, codes: list[str]) -> None:
    (tmp_path / "tactful.yaml").write_text(
        f"senders: {{{SENDER}: {{channel: email, via: smtp, host: 127.0.0.1, {track}}}}}\n"
        "opt_out: {base_url: https://go.harbourtea.example}\n"
    )
    project, _ = load_project(tmp_path / "tactful.yaml")
    assert project is not None
    loaded = load_file(WIN_BACK / "flow.yaml", catalogue(), project.surroundings())
    assert [problem.code for problem in loaded.errors] == codes
