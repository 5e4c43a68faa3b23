"""The text of a condition as a syntax tree, or what is wrong with it in words for someone who does not write
Python."""

from __future__ import annotations

import ast
import keyword
import re

from tactful.elements.options.mistake import Mistake

LONGEST = 2_000
"""Characters of a condition. Whoever needs more wants two elements."""

# Python's keywords are ordinary names in the data of events (`event.from`, `event.class`). Where one stands
# after a dot, a letter no one writes takes the place of its first, so that the parser reads a name; lengths
# stay as they were.
_SPARED = {chr(0x1401 + place) + word[1:]: word for place, word in enumerate(keyword.kwlist)}
_SPARING = {word: spared for spared, word in _SPARED.items()}
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_AFTER_A_DOT = re.compile(rf"{_QUOTED}|(?<=\.)(?P<word>{'|'.join(keyword.kwlist)})\b")
_NUMBER = re.compile(r"(?<![\w.])[0-9][\w.]*")

_SLIPS = (
    (r"<>|=<|=>", "there is no such comparison", "there are `== != < <= > >= in`"),
    (r"(?<![=!<>])=(?!=)", "a single `=` compares nothing", "write `==`"),
    (r"&&|&", "`&` joins nothing", "write `and`"),
    (r"\|\||\|", "`|` joins nothing", "write `or`"),
    (r"!(?!=)", "`!` denies nothing", "write `not`"),
    (r"\b(AND|OR|NOT|IN)\b", "`and`, `or`, `not` and `in` are written in lower case", None),
    (
        "[\u201c\u201d\u201e\u2018\u2019«»]",
        "these are not the quotes of a program",
        'write straight ones: `"`',
    ),
)


def parse(text: str) -> ast.expr:
    """The tree of a condition; its columns count from the first character of `text.strip()`. Raises
    `Mistake`."""
    source = spare_keywords(text.strip())
    shift = len(text) - len(text.lstrip())
    if not source:
        raise Mistake("a condition is missing", hint='for example `contact.country == "DE"`', code="empty")
    if len(text) > LONGEST:
        raise Mistake(f"a condition has {LONGEST:,} characters at most, this one {len(text):,}", code="too-long")
    _refuse(source, shift)
    try:
        return ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise _misread(source, shift, error) from None
    except (ValueError, RecursionError, MemoryError):  # the parser's own limits
        raise Mistake("this condition is nested too deeply to read", code="too-deep") from None


def spare_keywords(source: str) -> str:
    """The source as the parser gets it, as long as it was: a keyword after a dot is made a name."""
    return _AFTER_A_DOT.sub(lambda found: _SPARING[found["word"]] if found["word"] else found[0], source)


def spoken(name: str) -> str:
    """A name as it was written, undoing `spare_keywords`."""
    return _SPARED.get(name, name)


def _refuse(source: str, shift: int) -> None:
    """Raise `Mistake` for what Python reads, some of it under protest, and conditions do not mean."""
    for at, character in enumerate(source):
        if character in "\r\n":
            raise Mistake("a condition is one line", shift + at, "in YAML, fold it: `>-`", "bad-condition")
        if (ord(character) < 32 and character != "\t") or 0xD800 <= ord(character) <= 0xDFFF:
            raise Mistake("there is an invisible character here", shift + at, code="bad-condition")
    if found := re.search(r"(?<!\\)(?:\\\\)*\\(?![\\\"'])", source):
        hint = "it stands before a quote or another `\\` only; write it twice"
        raise Mistake("a single `\\` means nothing", shift + found.end() - 1, hint, "bad-condition")
    bare = _without_quoted(source)
    if found := re.search("#", bare):
        raise Mistake("a condition has no comments", shift + found.start(), code="bad-condition")
    for found in _NUMBER.finditer(bare):
        if not re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", found[0]):
            hint = f'write `"{found[0]}"` if it is a text'
            raise Mistake(f"`{found[0]}` is not a number", shift + found.start(), hint, "bad-condition")


def _without_quoted(source: str) -> str:
    """The source with its texts blotted out, as long as it was."""
    return re.sub(_QUOTED, lambda found: '"' + "_" * (len(found[0]) - 2) + '"', source)


def _misread(source: str, shift: int, error: SyntaxError) -> Mistake:
    """The parser's complaint, or the slip that brought it about."""
    bare = _without_quoted(source)
    for pattern, message, hint in _SLIPS:
        if found := re.search(pattern, bare):
            return Mistake(message, shift + found.start(), hint, "bad-condition")
    if found := re.search(r"(==|!=|<=|>=|<|>|\band|\bor|\bnot|\bin|,|\()$", source):
        return Mistake(f"something is missing after `{found[0]}`", shift + found.start(), code="bad-condition")
    at = shift + min(max((error.offset or 1) - 1, 0), len(source) - 1)
    detail = (error.msg or "").lower()
    if "unterminated string" in detail:
        return Mistake("a quote is opened here and not closed", at, code="bad-condition")
    if "was never closed" in detail or "unmatched" in detail or "does not match" in detail:
        return Mistake("the brackets do not match", at, code="bad-condition")
    if "too many nested" in detail or "overflow" in detail:
        return Mistake("this condition is nested too deeply to read", code="too-deep")
    return Mistake("this is not a condition from here on", at, code="bad-condition")
