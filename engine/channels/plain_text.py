"""Text in simpler shapes: one line of it, and what an email's HTML says. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"head", "script", "style", "template"})
# fmt: off
_PARAGRAPHS = frozenset({
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table", "ul", "ol", "blockquote",
})
_BLOCKS = _PARAGRAPHS | {
    "address", "article", "aside", "center", "div", "dl", "dt", "dd", "fieldset", "figure", "footer", "form",
    "header", "li", "main", "nav", "section", "tbody", "tfoot", "thead", "tr",
}
# fmt: on

# Not all that does not print: emoji and Persian need their joiners.
_BETWEEN_WORDS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """A text as a subject or a name can hold it: one line, single blanks, no control characters."""
    return _BETWEEN_WORDS.sub(" ", text).strip(" ")


def plain_text(html: str) -> str:
    """The text a reader would see: paragraphs apart, list items with `- `, a link as `text (url)`, an image
    as its description. Any text is taken for HTML, however broken; never raises.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._unseen: str | None = None
        self._link: tuple[str, int, int] | None = None  # its address, and where its text begins

    def text(self) -> str:
        lines = [" ".join(line.split()) for line in self._lines]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":  # a head nobody closed ends here
            self._unseen = None
        if self._unseen:
            return
        if tag in _UNSEEN:
            self._unseen = tag
            return
        values = {name: value or "" for name, value in attrs}
        self._break_for(tag)
        if tag == "br":
            self._lines.append("")
        elif tag == "hr":
            self._lines += ["---", ""]
        elif tag == "li":
            self._lines[-1] += "- "
        elif tag in ("td", "th"):
            self._lines[-1] += " "
        elif tag == "img":
            self._lines[-1] += values.get("alt", "")
        elif tag == "a":
            self._end_link()
            self._link = (values.get("href", "").strip(), len(self._lines) - 1, len(self._lines[-1]))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = None
        elif not self._unseen:
            if tag == "a":
                self._end_link()
            self._break_for(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._lines[-1] += data.replace("\n", " ")

    def close(self) -> None:
        super().close()
        self._end_link()

    def _break_for(self, tag: str) -> None:
        if tag in _BLOCKS:
            if self._lines[-1].strip(" -"):
                self._lines.append("")
            if tag in _PARAGRAPHS and len(self._lines) > 1 and self._lines[-2]:
                self._lines.append("")

    def _end_link(self) -> None:
        if self._link is None:
            return
        address, line, column = self._link
        self._link = None
        said = " ".join(" ".join([self._lines[line][column:], *self._lines[line + 1 :]]).split())
        if not address or address.startswith(("#", "javascript:")):
            return
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if said in (shown, address):
            return
        if not said:  # an image without description, say
            self._lines[-1] += shown
        else:
            self._lines[-1] = f"{self._lines[-1].rstrip()} ({shown})"
