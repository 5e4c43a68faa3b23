"""RFC 8058, one-click opting out from a mail program: each test names the section it holds.

Section 4 asks for a DKIM signature over both fields: that is the mail server's, see docs/do-not-contact.md.
"""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest
from tests.engine.optout.site import EMAIL, NEWS, Site, new_world, served

from tactful.engine.channels.email_message import compose

PAIR = "List-Unsubscribe=One-Click"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


def parsed(site: Site) -> email.message.EmailMessage:
    """The newest email as it leaves, read by the standard library."""
    message = email.message_from_bytes(compose(site.world.post.taken[-1]).data, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def one_click(site: Site, path: str) -> int:
    """What a mail program does: post the pair, with nothing else."""
    return site.client.post(path, content=PAIR, headers=URLENCODED).status_code


@pytest.mark.parametrize("flow", ["letter", "plain"])
def test_3_1_a_message_has_one_of_each_field_also_where_its_text_prints_no_link(site: Site, flow: str) -> None:
    """ "places one List-Unsubscribe header field and one List-Unsubscribe-Post header field in the message"."""
    site.send(flow)
    message = parsed(site)
    assert len(message.get_all("List-Unsubscribe", [])) == 1
    assert message.get_all("List-Unsubscribe-Post") == [PAIR]


def test_3_1_the_field_holds_one_https_uri(site: Site) -> None:
    """ "The List-Unsubscribe header field MUST contain one HTTPS URI"."""
    key = site.send("plain")
    assert parsed(site)["List-Unsubscribe"] == f"<https://go.acme.example{site.path(key)}>"


def test_3_1_the_uri_names_recipient_and_list_by_itself(site: Site) -> None:
    """It "MUST contain enough information to identify the mail recipient and the list": what is posted adds nothing."""
    site.world.contact("bo", email="bo@example.com")
    ana, bo = site.path(site.send("plain")), site.path(site.send("plain", "bo"))
    assert ana != bo
    assert one_click(site, bo) == 200
    assert site.blocks() == [("bo@example.com", "email", "", "marketing")]


def test_3_1_the_uri_is_opaque_and_what_was_forged_is_refused(site: Site) -> None:
    """It "SHOULD include an opaque identifier or another hard-to-forge component", which the server "SHOULD verify"."""
    path = site.path(site.send("plain"))
    assert EMAIL not in path
    assert "ana" not in path.lower().partition(".")[0]
    for at in range(len("/o/"), len(path) - 1):  # of the last letter, not every bit is one of the signature
        forged = path[:at] + ("A" if path[at] != "A" else "B") + path[at + 1 :]
        assert one_click(site, forged) == 404, forged
    assert site.blocks() == []


def test_3_1_no_redirect_is_answered(site: Site) -> None:
    """ "The mail sender MUST NOT return an HTTPS redirect"."""
    answer = site.client.post(site.path(site.send("plain")), content=PAIR, headers=URLENCODED)
    assert answer.status_code == 200
    assert "location" not in answer.headers


def test_3_2_the_pair_is_taken_urlencoded(site: Site) -> None:
    """It "MAY be sent as application/x-www-form-urlencoded"."""
    path = site.path(site.send("plain"))
    assert len(PAIR) == 26
    assert one_click(site, path) == 200
    assert site.blocks() == [(EMAIL, "email", "", "marketing")]


def test_3_2_the_pair_is_taken_as_multipart(site: Site) -> None:
    """It "SHOULD be sent as multipart/form-data"."""
    path = site.path(site.send("plain"))
    answer = site.client.post(path, files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert answer.status_code == 200
    assert site.blocks() == [(EMAIL, "email", "", "marketing")]
    assert last_evidence(site)["how"] == "one-click"


def last_evidence(site: Site) -> dict[str, object]:
    with site.world.engine.store.read() as tx:
        return dict(site.world.engine.do_not_contact.history(tx, EMAIL)[-1].evidence)


def test_3_2_nothing_but_the_uri_and_the_pair_is_needed(site: Site) -> None:
    """ "The POST request MUST NOT include cookies, HTTP authorization, or any other context information"."""
    path = site.path(site.send("plain"))
    request = site.client.build_request("POST", path, content=PAIR, headers=URLENCODED)
    for name in ("user-agent", "accept", "accept-encoding", "connection"):
        del request.headers[name]
    assert sorted(request.headers) == ["content-length", "content-type", "host"]
    answer = site.client.send(request)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert len(site.blocks()) == 1


def test_3_2_the_same_uri_is_followed_by_hand_and_asks_first(site: Site) -> None:
    """ "The target of the POST action is the same as the one in the GET action for a manual unsubscription"."""
    path = site.path(site.send("plain"))
    page = site.client.get(path)
    assert page.status_code == 200
    assert '<form method="post"' in page.text
    assert site.blocks() == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_1_what_fetches_links_opts_nobody_out(site: Site, method: str) -> None:
    """The reason for it all: mail software "sometimes fetches URLs in mail header fields, and thereby accidentally
    triggers unsubscriptions"."""
    path = site.path(site.send("letter"))
    for _ in range(3):
        assert site.client.request(method, path).status_code == 200
    assert site.blocks() == []
    assert site.opted_out() == 0


def test_it_works_thirty_days_later_and_after_a_restart(tmp_path: Path, url: str) -> None:
    """CAN-SPAM (15 USC 7704) asks for thirty days; RFC 8058 for no end at all."""
    with new_world(tmp_path, database=url) as world:
        with served(world) as site:
            path = site.path(site.send("letter"))
        world.advance("31 days")
        world.restart()
        with served(world) as site:
            assert one_click(site, path) == 200
            assert site.blocks() == [(EMAIL, "email", "", "marketing")]


def test_said_twice_it_is_one_opt_out(site: Site) -> None:
    path = site.path(site.send("letter"))
    assert [one_click(site, path) for _ in range(3)] == [200, 200, 200]
    assert len(site.blocks()) == 1
    assert site.opted_out() == 1


def test_the_fields_arrive_whole_on_one_line_each(site: Site) -> None:
    """A folded or encoded address is one that no mail program undoes."""
    key = site.send("plain")
    lines = compose(site.world.post.taken[-1]).data.decode().split("\r\n")
    assert f"List-Unsubscribe: {site.headers(key)['List-Unsubscribe']}" in lines
    assert f"List-Unsubscribe-Post: {PAIR}" in lines


def test_a_transactional_message_has_no_button(site: Site) -> None:
    """It is no list one could leave; its link is for those who follow it."""
    key = site.send("receipt")
    assert site.headers(key) == {}
    assert "https://go.acme.example/o/" in site.world.post.taken[-1].parts["text"]


def test_without_links_there_are_no_fields(tmp_path: Path) -> None:
    with new_world(tmp_path, "{enabled: false}") as world:
        world.enter("plain", "ana")
        assert world.post.taken[-1].headers == {}
        assert world.post.taken[-1].sender == NEWS
