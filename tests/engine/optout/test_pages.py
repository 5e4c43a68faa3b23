"""The opt-out pages, asked over HTTP: what they change, what they reveal, in which words, and how they are guarded."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from unicodedata import name

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from tests.engine.optout.site import EMAIL, NEWS, PHONE, Site, new_world, served

from tactful.elements.contract import MessageKey
from tactful.engine.api.opt_out_pages import LARGEST_BODY, _said
from tactful.engine.incoming import Incoming
from tactful.engine.optout.page_languages import language_of, languages, page_texts
from tactful.engine.optout.pages import DARK, LIGHT, READ_ON, STYLE, STYLE_HASH
from tactful.engine.store.tables import metadata

FLOWS = ("letter", "plain", "text", "receipt", "workshop")


def rows(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """All that the database holds."""
    with site.world.engine.store.read() as tx:
        return {table.name: list(map(tuple, tx.execute(select(table)))) for table in metadata.sorted_tables}


def press(site: Site, path: str, **fields: str) -> httpx.Response:
    """Press a button."""
    return site.client.post(path, data=fields)


def title(answer: httpx.Response) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", answer.text)
    assert found is not None
    return unescape(found[1])


# --- What they change ----------------------------------------------------------------------------


def test_scanners_that_follow_every_link_change_nothing(site: Site) -> None:
    """Other systems unsubscribed whole companies whose mail scanners looked at the links."""
    paths = [site.path(site.send(flow)) for flow in FLOWS]
    before = rows(site)
    for path in paths:
        for method in ("GET", "HEAD", "GET"):
            for url in (path, f"{path}?more", f"{path}?do=stop", f"{path}?List-Unsubscribe=One-Click"):
                answer = site.client.request(method, url, headers={"User-Agent": "Mozilla/5.0 (compatible; scanner)"})
                assert answer.status_code == 200
                assert method == "GET" or answer.content == b""
    assert rows(site) == before


@pytest.mark.parametrize(
    "path", ["/o/", "/o/x", "/o/preview000", "/o/1.1." + "A" * 27, "/o/a/b", "/o/%00", "/o/abcdefghjk"]
)
def test_what_names_nothing_has_one_answer_and_writes_nothing(site: Site, path: str) -> None:
    site.send("letter")
    before = rows(site)
    wrong = site.client.get("/o/abcdefghij")
    for answer in (site.client.get(path), press(site, path, do="stop"), press(site, path, do="back")):
        assert answer.status_code == 404
        assert answer.text == wrong.text
        same = ("content-length", "content-type", "content-language", "cache-control", "content-security-policy")
        assert [answer.headers[name] for name in same] == [wrong.headers[name] for name in same]
    assert site.client.head(path).status_code == 200, "which says nothing of anybody"
    assert rows(site) == before


def test_the_button_opts_out_and_the_link_works_again(site: Site) -> None:
    path = site.path(site.send("letter"))
    first = site.client.get(path)
    for _ in range(2):
        done = press(site, path, do="stop")
        assert (done.status_code, title(done)) == (200, "It is done")
        assert site.client.get(path).text == first.text, "a used link says the same as a new one"
    assert site.blocks() == [(EMAIL, "email", "", "marketing")]
    assert site.opted_out() == 1


def test_many_at_once_are_one_opt_out(tmp_path: Path, url: str) -> None:
    """A mail program and its user press at the same moment, and both again."""
    with new_world(tmp_path, database=url) as world, served(world) as site:
        path = site.path(site.send("letter"))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: press(site, path, do="stop").status_code, range(64)))
        assert answers == [200] * 64
        assert site.blocks() == [(EMAIL, "email", "", "marketing")]
        assert site.opted_out() == 1


def test_whatever_is_posted_is_taken_for_a_no(site: Site) -> None:
    """It was posted to where people opt out; to ask back would keep them on the list of those who are written to."""
    for content, kind in ((b"", "text/plain"), (b"\xff\xfe", "application/json"), (b"do=choose&what=x", "a/b")):
        site.world.contact("bo", email="bo@example.com")
        path = site.path(site.send("plain", "bo"))
        assert site.client.post(path, content=content, headers={"Content-Type": kind}).status_code == 200
        assert site.blocks() == [("bo@example.com", "email", "", "marketing")]
        assert title(press(site, path, do="back")) == "Welcome back"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("this_sender", {(EMAIL, "email", NEWS, "marketing")}),
        ("this_channel", {(EMAIL, "email", "", "marketing")}),
        ("everything", {(to, "all", "", "marketing") for to in (EMAIL, PHONE, "ana")}),
    ],
)
def test_less_than_everything_can_be_chosen_and_taken_back(
    site: Site, what: str, expected: set[tuple[str, str, str, str]]
) -> None:
    path = site.path(site.send("plain"))
    assert title(press(site, path, do="choose", what=what)) == "It is done"
    assert set(site.blocks()) == expected
    assert title(press(site, path, do="back")) == "Welcome back"
    assert site.blocks() == []


def test_the_way_back_says_so_where_something_else_stops_messages(site: Site) -> None:
    key = site.send("plain")
    site.world.tell(Incoming("complained", message=key))
    answer = press(site, site.path(key), do="back")
    assert (answer.status_code, title(answer)) == (200, "Messages stay off")
    assert site.blocks() == [(EMAIL, "email", "", "everything")]


def test_what_is_chosen_at_first_is_what_the_project_says(tmp_path: Path) -> None:
    with new_world(tmp_path, "{level: this_sender, covers: everything}") as world, served(world) as site:
        path = site.path(site.send("plain"))
        page = site.client.get(f"{path}?more").text
        assert 'value="this_sender" checked' in page
        assert page.count(" checked") == 1
        assert "receipts" not in page, "for everything is stopped"
        press(site, path, do="stop")
        assert site.blocks() == [(EMAIL, "email", NEWS, "everything")]


# --- What they reveal, and how they are guarded --------------------------------------------------


def test_no_page_shows_an_address_a_name_or_a_flow(site: Site) -> None:
    site.world.contact("ana", first_name="Anastasia")
    paths = [site.path(site.send(flow)) for flow in FLOWS]
    for path in paths:
        pages = [site.client.get(path), site.client.get(f"{path}?more"), press(site, path, do="stop")]
        for page in (*pages, press(site, path, do="back")):
            shown = page.text.replace(path.removeprefix("/o/"), "").replace(STYLE, "").lower()
            for secret in (EMAIL, PHONE, "anastasia", "acme", NEWS, '"ana"', "letter", "workshop", "plain"):
                assert secret not in shown


def test_every_page_is_guarded(site: Site) -> None:
    path = site.path(site.send("plain"))
    answers = [site.client.get(path), site.client.head(path), press(site, path, do="stop"), site.client.get("/o/no")]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy == (
            f"default-src 'none'; style-src '{STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
    for page in (answers[0].text, answers[2].text, answers[3].text):
        assert STYLE in page
        assert not re.search(r"<script|style=|https?:|//|\son\w+=|url\(|@import", page.replace(STYLE, ""))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_else_is_done(site: Site, method: str) -> None:
    path = site.path(site.send("plain"))
    assert site.client.request(method, path).status_code == 405
    assert site.blocks() == []


def test_a_large_body_is_not_read(site: Site) -> None:
    path = site.path(site.send("plain"))
    answer = site.client.post(path, content=b"x" * (LARGEST_BODY + 1))
    assert answer.status_code == 413
    endless = site.client.post(path, content=(b"x" * 1_000 for _ in range(1_000)))
    assert endless.status_code == 413
    assert site.blocks() == []
    assert site.client.post(path, content=b"List-Unsubscribe=One-Click" + b" " * 4_000).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with new_world(tmp_path) as world, served(world, body_seconds=0.2) as site:
        path = site.path(site.send("plain"))
        url = site.client.base_url
        with socket.create_connection((url.host, url.port or 80), timeout=30) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList-Unsub".encode())
            assert line.recv(4_096).startswith(b"HTTP/1.1 408 ")
        assert site.blocks() == []


PIECES = (
    "--b", "--b--", "\r\n", "Content-Disposition: form-data; name=", '"do"', "*=x''y", "é", ":",
    "Content-Type: multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64",
)  # fmt: skip


@given(
    kind=st.one_of(
        st.text(max_size=60), st.sampled_from(["multipart/form-data", 'multipart/form-data; boundary="b"']),
        st.text(max_size=20).map("multipart/form-data; boundary={}".format),
    ),
    body=st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from(PIECES))
        .map(lambda parts: "".join(parts).encode()),
    ),
)  # fmt: skip
def test_any_body_is_read_as_something(kind: str, body: bytes) -> None:
    assert all(isinstance(part, str) for pair in _said(kind, body).items() for part in pair)


# --- In which words ------------------------------------------------------------------------------

SENTENCES = ("stop_text", "still_come", "done_text", "back_text", "off_text", "unknown_text")
QUESTIONS = ("stop_title", "choose_title", "again_text")
UNION = "bg-cs-da-de-el-en-es-et-fi-fr-ga-hr-hu-it-lt-lv-mt-nl-pl-pt-ro-sk-sl-sv"


def test_there_is_a_file_for_every_language_of_the_union_and_its_neighbours() -> None:
    assert {*UNION.split("-"), "nb", "uk", "tr", "bs", "sr", "sr-latn"} == set(languages())


@pytest.mark.parametrize("language", sorted(languages().values()))
def test_every_language_has_every_text_in_its_own_words(language: str) -> None:
    texts = page_texts(language).model_dump()
    english = page_texts("en").model_dump()
    assert texts.keys() == english.keys()
    script = {"bg": "CYRILLIC", "sr": "CYRILLIC", "uk": "CYRILLIC", "el": "GREEK"}.get(language, "LATIN")
    for what, said in texts.items():
        assert said == " ".join(said.split())
        assert len(said) < 200
        assert not re.search(r"[<>{}]", said)
        assert said.endswith(("?", ";")) == (what in QUESTIONS)
        assert said.endswith(".") == (what in SENTENCES)
        assert any(name(letter, "").startswith(script) for letter in said)
        if language != "en" and " " in said:
            assert said != english[what]


@pytest.mark.parametrize(
    ("attributes", "accepted", "language"),
    [
        ({}, None, "en"),
        ({}, "", "en"),
        ({}, "*", "en"),
        ({}, "xx,yy;q=0.5", "en"),
        ({}, "de-AT,de;q=0.9,en;q=0.8", "de"),
        ({}, "en;q=0.1, hr ; q=0.9", "hr"),
        ({}, "fr;q=0,sl", "sl"),
        ({}, "fr;q=nan,fr;q=inf,fr;q=-1,fr;q=", "en"),
        ({}, ",;,;q=1,," * 100, "en"),
        ({"language": "hr"}, "de", "hr"),
        ({"language": "pt-BR"}, "de", "pt"),
        ({"locale": "sr_Latn_RS.UTF-8"}, "de", "sr-Latn"),
        ({"locale": "sr_RS"}, "de", "sr"),
        ({"language": "Klingon"}, "nn-NO", "nb"),
        ({"language": "", "locale": "NO"}, None, "nb"),
        ({"language": 7}, None, "en"),
        ({"language": "../../secret"}, None, "en"),
    ],
)
def test_the_language_is_the_contacts_else_the_browsers_else_english(
    attributes: dict[str, object], accepted: str | None, language: str
) -> None:
    assert language_of(attributes, accepted) == language


def test_the_page_speaks_the_contacts_language_and_a_wrong_link_the_browsers(site: Site) -> None:
    site.world.contact("ana", language="hr")
    path = site.path(site.send("text"))
    page = site.client.get(path, headers={"Accept-Language": "de"})
    assert '<html lang="hr">' in page.text
    assert page.headers["content-language"] == "hr"
    assert title(page) == "Ne želite više ove poruke?"
    assert "Sve naše SMS-ove" in site.client.get(f"{path}?more").text
    assert title(site.client.get("/o/no", headers={"Accept-Language": "de"})) == "Dieser Link funktioniert nicht"


# --- For everybody -------------------------------------------------------------------------------


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.within: list[str] = []
        self.unlabelled = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "input" and "label" not in self.within:
            self.unlabelled += 1
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "path", "circle"):
            self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "circle"):
            assert self.within.pop() == tag, f"</{tag}> closes something else"

    def count(self, tag: str) -> int:
        return sum(each == tag for each, _ in self.tags)


def test_every_page_has_what_a_screen_reader_needs(site: Site) -> None:
    key: MessageKey = site.send("letter")
    path = site.path(key)
    pages = [
        site.client.get(path), site.client.get(f"{path}?more"), press(site, path, do="stop"),
        press(site, path, do="back"), site.client.get("/o/no"),
    ]  # fmt: skip
    site.world.tell(Incoming("complained", message=key))
    pages.append(press(site, path, do="back"))
    buttons = []
    for page in pages:
        outline = Outline(page.text)
        assert outline.within == [], "every element is closed"
        assert [attributes for tag, attributes in outline.tags if tag == "html"] == [{"lang": "en"}]
        assert outline.count("h1") == outline.count("main") == outline.count("title") == 1
        assert outline.unlabelled == 0
        assert all(attributes.get("aria-hidden") == "true" for tag, attributes in outline.tags if tag == "svg")
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in outline.tags:
            if tag == "fieldset":
                assert attributes["aria-labelledby"] in ids
            if tag == "meta" and attributes.get("name") == "viewport":
                assert "user-scalable" not in str(attributes["content"])
        buttons.append(outline.count("button"))
    assert buttons == [1, 2, 1, 0, 0, 0], "a link leads to one button"
    outline = Outline(pages[1].text)
    assert [attributes["value"] for tag, attributes in outline.tags if tag == "input"] == [
        "this_sender", "this_channel", "everything",
    ]  # fmt: skip


def luminance(colour: str) -> float:
    """As WCAG 2 reckons it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_stand_out_from_their_grounds(colours: dict[str, str]) -> None:
    """WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for the edges of what can be pressed (1.4.11)."""
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    for ink, ground in READ_ON:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["field"], colours["card"]) >= 3
    for used in re.findall(r"var\(--([\w-]+)\)", STYLE):
        assert used in colours
