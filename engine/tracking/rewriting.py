"""Where the links of an HTML text are, and the text with other addresses in them. Pure.

Every other byte of the text stays as it is, however it is written: the reading here takes note of places and changes
nothing. It finds markup as a browser does (HTML Standard, 13.2.5), because a link that a browser sees elsewhere, or
not at all, would be broken by rewriting it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from html.entities import html5

LONGEST_URL = 2_048
"""Bytes. Longer addresses are left as they are; so are those with control characters, which no header may hold."""

OUR_PAGES = ("o", "c", "v")
"""What follows our own address in opt-out links, click links and pixels. None of them is rewritten."""

_BLANK = r"[ \t\n\f\r]"
_BARE = r"""[^ \t\n\f\r"'>][^ \t\n\f\r>]*+"""
# A name may begin with `=`. Where a value is in quotes that never end nothing matches: such a tag never ends either.
_ATTRIBUTE = re.compile(
    rf"""(?P<name>[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+)
    (?: {_BLANK}*+ = {_BLANK}*+ (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?P<bare>{_BARE}) | (?=>) )
      | (?! {_BLANK}*+ = ) )""",
    re.VERBOSE,
)
_UNNAMED = re.compile(r"\?P<\w+>").sub("?:", _ATTRIBUTE.pattern)
_REST_OF_TAG = re.compile(rf"(?: [ \t\n\f\r/]++ | {_UNNAMED} )*+ >", re.VERBOSE)
_MARKUP = re.compile(
    r"<(?: (?P<comment>!--) | (?P<odd>[!?]|/(?![A-Za-z])) | (?P<end>/?)(?P<tag>[A-Za-z][^ \t\n\f\r/>]*+) )",
    re.VERBOSE,
)
_COMMENT_ENDS = re.compile(r"-?>|[\s\S]*?--!?>")  # `<!-->` and `<!--->` are whole comments
_RAW = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
"""In these everything is text up to their end."""

_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9A-Fa-f]+);?|([A-Za-z][A-Za-z0-9]*;?)(=?))")
_WEB = re.compile(r"https?://[^/\\?#]", re.IGNORECASE | re.ASCII)
_NOT_IN_URLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Link:
    """Where an address stands in a text (its value, without the quotes), and the address as it is meant."""

    start: int
    end: int
    url: str


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML text that was read: its links that may be followed by way of us, and where a pixel goes."""

    html: str
    links: tuple[Link, ...]
    pixel_at: int


def read(html: str, base_url: str) -> Page:
    """Read an HTML text, any text. Links are those of `<a href>` that lead to `http` and `https`, are not our own
    (below `base_url`), and do not say `data-track="no"`. A pixel goes before the last `</body>`; where there is none to
    the end, or before what never ends (a comment nobody closed, say), in which nobody would see it."""
    ours = tuple(f"{base_url}/{page}/".lower() for page in OUR_PAGES)
    links: list[Link] = []
    body_ends, ends = None, len(html)
    for tag, start, after in _tags(html):
        if after > len(html):
            ends = start
        elif tag == "/body":
            body_ends = start
        elif tag == "a":
            link = _link(html, start + 2, after)
            if link is not None and not link.url.lower().startswith(ours):
                links.append(link)
    return Page(html, tuple(links), ends if body_ends is None else body_ends)


def written(page: Page, addresses: Mapping[str, str], pixel: str | None) -> str:
    """The text with other addresses in its links, by the one each link has (a link whose address has no other stays),
    and with a pixel from the address `pixel`."""
    changes = [(link.start, link.end, escape(addresses[link.url])) for link in page.links if link.url in addresses]
    if pixel is not None:
        image = f'<img src="{escape(pixel)}" width="1" height="1" alt="" style="border:0">'
        changes.append((page.pixel_at, page.pixel_at, image))
    parts, done = [], 0
    for start, end, text in sorted(changes):
        parts += [page.html[done:start], text]
        done = end
    return "".join([*parts, page.html[done:]])


def _tags(html: str) -> Iterator[tuple[str, int, int]]:
    """The tags of a text: each one's name in lower case (`/` before that of an end tag), where it begins and what comes
    after it. What never ends comes last, with an end beyond the text."""
    never = len(html) + 1
    at = 0
    while markup := _MARKUP.search(html, at):
        start, tag = markup.start(), ""
        if markup["comment"]:
            ended = _COMMENT_ENDS.match(html, markup.end())
            at = ended.end() if ended else never
        elif markup["odd"]:
            at = html.find(">", markup.end()) + 1 or never
        else:
            tag = (markup["end"] + markup["tag"]).lower()
            ended = _REST_OF_TAG.match(html, markup.end())
            at = ended.end() if ended and tag != "plaintext" else never
        yield tag, start, at
        if at == never:
            return
        if tag in _RAW:
            closed = _RAW[tag].search(html, at)
            if closed is None:
                yield "", start, never
                return
            at = closed.start()


def _link(html: str, start: int, end: int) -> Link | None:
    """The link that the attributes of an `<a>` make. Of several of one name the first counts."""
    found: dict[str, re.Match[str]] = {}
    for attribute in _ATTRIBUTE.finditer(html, start, end):
        found.setdefault(attribute["name"].lower(), attribute)
    if "href" not in found or ("data-track" in found and _value(found["data-track"])[1].strip().lower() == "no"):
        return None
    (begins, ends), url = _value(found["href"])
    if not _WEB.match(url) or _NOT_IN_URLS.search(url) or len(url.encode()) > LONGEST_URL:
        return None
    return Link(begins, ends, url)


def _value(attribute: re.Match[str]) -> tuple[tuple[int, int], str]:
    """Where an attribute's value stands, and what it says, without the blanks around it."""
    for kind in ("double", "single", "bare"):
        if attribute[kind] is not None:
            return attribute.span(kind), _REFERENCE.sub(_referred, attribute[kind]).strip(" \t\n\f\r")
    return (attribute.end(), attribute.end()), ""


def _referred(reference: re.Match[str]) -> str:
    """The letter a reference in an attribute stands for. `&copy=1` and `&copyright` are none: in old addresses an
    ampersand is just that."""
    name, equals = reference[1], reference[2]
    if name is None:
        return unescape(reference[0])
    return reference[0] if name not in html5 or (equals and not name.endswith(";")) else html5[name] + equals
