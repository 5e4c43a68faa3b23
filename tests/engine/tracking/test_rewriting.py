"""Links are found as a browser finds them, and all else of a text stays as it was, byte for byte."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tactful.engine.tracking.rewriting import LONGEST_URL, read, written

BASE = "https://go.acme.example"
OURS = f"{BASE}/c/TOKEN"
PIXEL = f"{BASE}/v/TOKEN.gif"
IMAGE = f'<img src="{PIXEL}" width="1" height="1" alt="" style="border:0">'
EXAMPLES = Path(__file__).parents[3] / "examples"


def urls(html: str) -> list[str]:
    return [link.url for link in read(html, BASE).links]


def rewritten(html: str) -> str:
    page = read(html, BASE)
    return written(page, {link.url: OURS for link in page.links}, None)


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ('<a href="https://x.example/">', "https://x.example/"),
        ("<a href='https://x.example/'>", "https://x.example/"),
        ("<a href=https://x.example/>", "https://x.example/"),
        ("<A HREF=HTTPS://X.example/a>", "HTTPS://X.example/a"),
        ("<a\n\thref\n=\n' https://x.example/ '\n>", "https://x.example/"),
        ('<a class="b" data-x href="http://x.example" style="a>b">', "http://x.example"),
        ('<a/href="https://x.example/"/>', "https://x.example/"),
        ('<a title="<a href=\'https://no.example\'>" href="https://x.example/">', "https://x.example/"),
        ('<a href="https://x.example/?a=1&amp;b=2">', "https://x.example/?a=1&b=2"),
        ('<a href="https://x.example/?a=1&b=2&copy=3&reg;=4">', "https://x.example/?a=1&b=2&copy=3®=4"),
        ('<a href="https://x.example/?a&copyright&lt&#38;&#x26;z">', "https://x.example/?a&copyright<&&z"),
        ('<a href="https&#58;//x.example">', "https://x.example"),
        ('<a href="https://x.example/1" href="https://x.example/2">', "https://x.example/1"),
        ('<a href="https://büro.example/ž?q=a b">', "https://büro.example/ž?q=a b"),
        ('<a href="https://x.example/"', None),
        ('<a href="https://x.example/>', None),
        ('<a href="mailto:ana@x.example">', None),
        ('<a href="tel:+385911234567">', None),
        ('<a href="#top">', None),
        ('<a href="/basket">', None),
        ('<a href="//x.example/">', None),
        ('<a href="javascript:alert(1)">', None),
        ('<a href="ftp://x.example/">', None),
        ('<a href="https://">', None),
        ('<a href="https:///x">', None),
        ("<a href>", None),
        ("<a href=>", None),
        ('<a name="x">', None),
        ('<abbr href="https://x.example/">', None),
        ('<a-b href="https://x.example/">', None),
        ('<link href="https://x.example/style.css">', None),
        ('<a data-href="https://x.example/">', None),
        ('</a href="https://x.example/">', None),
        ('< a href="https://x.example/">', None),
        ('<a href="https://x.example/" data-track="no">', None),
        ("<a DATA-TRACK=No href=https://x.example/>", None),
        ('<a data-track="yes" href="https://x.example/">', "https://x.example/"),
        (f'<a href="{BASE}/o/abc">', None),
        (f'<a href="{BASE.upper()}/O/abc">', None),
        (f'<a href="{BASE}/c/abc">', None),
        (f'<a href="{BASE}/offers">', f"{BASE}/offers"),
        ('<a href="https://x.example/a\nb">', None),
        ('<a href="https://x.example/&#13;&#10;Set-Cookie:a">', None),
        ('<a href="https://x.example/\ud800">', None),
        (f'<a href="https://x.example/{"a" * (LONGEST_URL - 18)}">', f"https://x.example/{'a' * (LONGEST_URL - 18)}"),
        (f'<a href="https://x.example/{"a" * (LONGEST_URL - 17)}">', None),
        (f'<a href="https://x.example/{"ž" * (LONGEST_URL // 2 - 8)}">', None),
    ],
)
def test_the_link_of_a_tag(html: str, url: str | None) -> None:
    assert urls(html) == ([] if url is None else [url])


@pytest.mark.parametrize(
    "around",
    [
        "<!-- {} -->",
        "<!--[if mso]><v:roundrect>{}</v:roundrect><![endif]-->",
        "<!-- {} --!>",
        "<!-- {}",
        "<!doctype {}",
        "<style>/* {} */</style>",
        "<STYLE>/* {} */",
        "<script>var a = '{}'</script>",
        "<title>{}</title>",
        "<textarea>{}</textarea>",
        "<plaintext>{}",
        '<p title="{}',
        "<p title='{}'>",
    ],
)
def test_a_link_that_nobody_can_follow_is_left_alone(around: str) -> None:
    assert urls(around.format("<a href=https://x.example/>x</a>")) == []


@pytest.mark.parametrize(
    "before",
    ["<!-->", "<!--->", "<!-- a -- b -->", "<!-- a --!>",
     "<![if !mso]>", "<?xml version='1.0'?>", "</>", "</ a>", "<", "a < b", "<3",
     "<style>a>b{}</style >", "<style></stylesheet></style>", "<br/>", '<p title=">">', "<p title='\">'>", "<p =a=b>",
     "<p a= >", "<p 'x>", "<scripts>", "&lt;a", "<a>", "<p title=a\"b>"],
)  # fmt: skip
def test_what_comes_before_hides_no_link(before: str) -> None:
    assert urls(f"{before}<a href=https://x.example/>x</a>") == ["https://x.example/"]


def test_every_other_byte_stays() -> None:
    html = (
        "<!DOCTYPE html>\r\n<BODY bgcolor=#fff><!-- <a href='https://no.example'> -->\n"
        "<P Class=a>Hi&nbsp;Ana & co <a CLASS='x' href = 'https://x.example/?a=1&amp;b' >x</A>\t<br/>\n"
        '<a href=https://y.example>y</a> <a href="mailto:a@x.example?subject=a&b">m</a></BODY>\n'
    )
    assert rewritten(html) == html.replace("https://x.example/?a=1&amp;b", OURS).replace("https://y.example", OURS)


def test_one_link_may_have_another_address_and_one_none() -> None:
    page = read("<a href=https://x.example/1>1</a><a href=https://x.example/2>2</a>", BASE)
    assert written(page, {"https://x.example/2": OURS}, None) == (
        f"<a href=https://x.example/1>1</a><a href={OURS}>2</a>"
    )


def test_an_address_is_written_so_that_it_is_read_as_it_is() -> None:
    base = "https://go.acme.example/a\"b'c&lt;d>"
    for quote in ('"', "'", ""):
        page = read(f"<a href={quote}https://x.example/{quote} class=x>", base)
        text = written(page, {"https://x.example/": f"{base}/c/T"}, f"{base}/v/T.gif")
        reader = Reader(text)
        assert reader.hrefs == [f"{base}/c/T"]
        assert reader.images == [f"{base}/v/T.gif"]


@pytest.mark.parametrize(
    ("html", "with_pixel"),
    [
        ("<body><p>Hi</p></body></html>", "<body><p>Hi</p>{}</body></html>"),
        ("<BODY>Hi</BODY >", "<BODY>Hi{}</BODY >"),
        ("<body></body>late</body>", "<body></body>late{}</body>"),
        ("<p>Hi", "<p>Hi{}"),
        ("<p>Hi</p></html>", "<p>Hi</p></html>{}"),
        ("", "{}"),
        ("<p>Hi<!-- </body> -->", "<p>Hi<!-- </body> -->{}"),
        ("<p>Hi<!-- </body>", "<p>Hi{}<!-- </body>"),
        ("<p>Hi<style>p{}", "<p>Hi{}<style>p{}"),
        ("<p>Hi<a href='x", "<p>Hi{}<a href='x"),
        ("<p>Hi</p></body><!-- z", "<p>Hi</p>{}</body><!-- z"),
    ],
)
def test_the_pixel_stands_where_it_is_seen(html: str, with_pixel: str) -> None:
    assert written(read(html, BASE), {}, PIXEL) == with_pixel.replace("{}", IMAGE, 1)


# --- whatever the text -----------------------------------------------------------------------------

PIECES = st.sampled_from([
    "<a href='https://x.example/?a=1&amp;b=2'>", '<A HREF="https://y.example/">', "<a href=http://z.example/a>", "</a>",
    "<a href='mailto:a@x.example'>", "<a href='#x'>", f"<a href='{BASE}/o/t'>",
    "<a href='https://x.example/' data-track=no>",
    "<p class='a b'>", "</p>", "<br/>", "<!-- x -->", "<!--[if mso]> <a href='https://m.example/'> <![endif]-->",
    "<style>p > a{}</style>", "<title>T</title>", "<script>'<a href=https://s.example/>'</script>",
    "&amp;", "&nbsp;", "&",
    "<!doctype html>", "<body>", "</body>", "</html>", "text", "Žana 👋", " ", "\r\n", "<img src='https://i.example/a.png'>",
    "<td background=https://i.example/b.png>", "<a name=x>", "<a title='>' href='https://t.example/'>",
])  # fmt: skip


class Reader(HTMLParser):
    """What the standard library reads, with the addresses of links put aside."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[object] = []
        self.hrefs: list[str] = []
        self.images: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = [list(each) for each in attrs]
        self.images += [value for name, value in attrs if tag == "img" and name == "src"]
        for each in attrs if tag == "a" else []:
            if each[0] == "href":
                self.hrefs.append(each[1])
                each[1] = "(address)"
        self._note(tag, attrs)

    def handle_startendtag(self, tag, attrs):
        self._note("start and end", tag, attrs)

    def handle_endtag(self, tag):
        self._note("end", tag)

    def handle_data(self, data):
        if self.found and isinstance(self.found[-1], str):  # it may come in pieces
            self.found[-1] += data
        else:
            self.found.append(data)

    def handle_entityref(self, name):
        self.handle_data(f"&{name}")

    def handle_charref(self, name):
        self.handle_data(f"&#{name}")

    def handle_comment(self, data):
        self._note("comment", data)

    def handle_decl(self, decl):
        self._note("declaration", decl)

    def handle_pi(self, data):
        self._note("instruction", data)

    def unknown_decl(self, data):
        self._note("unknown", data)

    def _note(self, *what):
        self.found.append(what)


@given(st.lists(PIECES, max_size=30).map("".join))
@example((EXAMPLES / "win-back" / "offer.html").read_text(encoding="utf-8"))
@example((EXAMPLES / "welcome" / "guide.html").read_text(encoding="utf-8"))
def test_another_reader_sees_no_change_but_addresses_and_the_pixel(html: str) -> None:
    page = read(html, BASE)
    before, after = Reader(html), Reader(written(page, {link.url: OURS for link in page.links}, PIXEL))
    pixel = ("img", [["src", PIXEL], ["width", "1"], ["height", "1"], ["alt", ""], ["style", "border:0"]])
    at = after.found.index(pixel)
    around = after.found[:at], after.found[at + 1 :]
    if around[0] and around[1] and isinstance(around[0][-1], str) and isinstance(around[1][0], str):
        around = around[0][:-1], [around[0][-1] + around[1][0], *around[1][1:]]
    assert [*around[0], *around[1]] == before.found
    tracked = {link.url for link in page.links}
    assert len(before.hrefs) == len(after.hrefs)
    for was, now in zip(before.hrefs, after.hrefs, strict=True):
        assert now == was or (now == OURS and was.strip() in tracked)
    assert after.hrefs.count(OURS) == len(page.links)


ANYTHING = st.text(st.sampled_from("<>/!-?='\" \n\taAhHrReEfFstyle:&;#x.0bod"), max_size=200) | st.text(max_size=100)


@given(st.lists(PIECES | ANYTHING, max_size=12).map("".join))
def test_put_back_it_is_what_it_was_byte_for_byte(html: str) -> None:
    page = read(html, BASE)
    addresses = {url: f"{BASE}/c/n{number}n" for number, url in enumerate({link.url for link in page.links})}
    text = written(page, addresses, PIXEL)
    assert text.count(IMAGE) == 1
    raw = iter([html[link.start : link.end] for link in page.links])
    assert re.sub(rf"{re.escape(BASE)}/c/n\d+n", lambda _: next(raw), text.replace(IMAGE, "")) == html
    assert not list(raw)


@pytest.mark.parametrize(
    "piece", ["<a href='", "<!--", "<style>", "<a ", "<", "</", "<a href=https://x.example/ ", "=", "<a a='b'"]
)
def test_a_hostile_text_is_read_in_time(piece: str) -> None:
    read(piece * 100_000, BASE)  # with one step too many a letter this would take hours
