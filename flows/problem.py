"""What is wrong with a file, and where: one form for every mistake and every warning."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tactful.elements.options.mistake import did_you_mean
from tactful.flows.model import Place
from tactful.flows.text import Spot

Severity = Literal["error", "warning"]

MOST_PROBLEMS = 500
"""A file with more mistakes than this is told of the first so many that were found, and that there may be more."""

_MOST_GUESSES = 10_000
"""How many words one load may compare when it looks for what a mistyped word meant: at most some 0.4 s worth."""

_LONGEST_WORD = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or warning.

    `code` is a short word in kebab-case, stable for tools; `message` one plain sentence without a full stop.
    `source_line` is the line it is about (long ones cut to the neighbourhood, control characters replaced),
    `caret` the offset in it of the character meant; None and 0 where there is no line to show.
    """

    place: Place
    severity: Severity
    code: str
    message: str
    hint: str | None = None
    source_line: str | None = None
    caret: int = 0

    def render(self) -> str:
        """`file:line:col: error: message [code]`, the source line, a caret under it, and the hint where
        there is one."""
        file, line, column = self.place.file, self.place.line, self.place.column
        lines = [f"{printable(file)}:{line}:{column}: {self.severity}: {printable(self.message)} [{self.code}]"]
        if self.source_line is not None and self.source_line.strip():
            lines.append("    " + self.source_line)
            lines.append("    " + _blank(self.source_line[: self.caret]) + "^")
        if self.hint:
            lines.append("  hint: " + printable(self.hint))
        return "\n".join(lines)

    def in_short(self) -> str:
        """`file:line:col [code]`: where it is and what kind of problem, and nothing that stands in the file."""
        return f"{printable(self.place.file)}:{self.place.line}:{self.place.column} [{self.code}]"

    def as_json(self) -> dict[str, Any]:
        """The same as plain data: file, line, column, severity, code, message, hint, source_line."""
        return {
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "source_line": self.source_line,
        }


def problem_at(spot: Spot, code: str, message: str, hint: str | None = None, severity: Severity = "error") -> Problem:
    """A problem at a spot of a source, with the line it stands on."""
    line, caret = spot.source.excerpt(spot.offset)
    return Problem(spot.place, severity, code, message, hint, line, caret)


class Report:
    """Gathers the problems of one load, each once, and gives them in the order of the file."""

    def __init__(self, found: Iterable[Problem] = ()) -> None:
        self._found: dict[tuple[Place, str, str], Problem] = {}
        self._left_out = 0
        self._guesses_left = _MOST_GUESSES
        for problem in found:
            self.add(problem)

    def add(self, problem: Problem) -> None:
        """Take a problem, unless it was told already (an alias brings one piece of text to several places)."""
        key = (problem.place, problem.code, problem.message)
        if key in self._found:
            return
        if len(self._found) >= MOST_PROBLEMS and problem.severity == "error":
            self._left_out += 1
        elif len(self._found) < MOST_PROBLEMS:
            self._found[key] = problem

    def error(self, spot: Spot, code: str, message: str, hint: str | None = None) -> None:
        """Something that stops the load."""
        if len(self._found) >= MOST_PROBLEMS:
            self._left_out += 1  # without drawing up what nobody will read
        else:
            self.add(problem_at(spot, code, message, hint))

    def warning(self, spot: Spot, code: str, message: str, hint: str | None = None) -> None:
        """Something that is allowed, and seldom meant."""
        self.add(problem_at(spot, code, message, hint, "warning"))

    def likely(self, word: str, choices: Iterable[str]) -> str | None:
        """The choice a mistyped word most likely meant; None where none is near, or too much was compared already."""
        if len(word) > _LONGEST_WORD or self._guesses_left <= 0:
            return None
        near = [choice for choice in choices if abs(len(choice) - len(word)) <= 1 + len(word) // 2]
        if len(near) > self._guesses_left:
            self._guesses_left = 0  # or the list would be gone through for each of a thousand words
            return None
        self._guesses_left -= len(near)
        return did_you_mean(word, near)

    def meant(self, word: str, choices: Iterable[str]) -> str | None:
        """The hint for a mistyped word, such as "did you mean `opened`?", or None."""
        choice = self.likely(word, choices)
        return f"did you mean {quoted(choice)}?" if choice is not None else None

    @property
    def count(self) -> int:
        """How many problems there are so far; to tell whether more came."""
        return len(self._found) + self._left_out

    @property
    def full(self) -> bool:
        """Whether no further problem would be listed, so that looking for more only costs time."""
        return len(self._found) >= MOST_PROBLEMS

    @property
    def failed(self) -> bool:
        """Whether there is an error among the problems."""
        return self._left_out > 0 or any(problem.severity == "error" for problem in self._found.values())

    def problems(self, first: str | None = None) -> tuple[Problem, ...]:
        """All problems by line and column, those of the file `first` before those of others."""
        found = sorted(self._found.values(), key=lambda problem: _order(problem, first))
        if self.full:
            message = f"these are the first {MOST_PROBLEMS} mistakes, and there may be more"
            found.append(Problem(found[-1].place, "error", "too-many-problems", message))
        return tuple(found)


def quoted(word: str) -> str:
    """A word of the file as a message shows it: in backticks, shortened where long, on one line."""
    word = printable(word)
    return f"`{word if len(word) <= _LONGEST_WORD else word[: _LONGEST_WORD - 1] + '…'}`"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words in backticks as a sentence has them: `a`, `b` and `c`; of many, the first ten."""
    shown = [quoted(word) for word in words]
    if len(shown) > 10:
        shown = [*shown[:10], f"{len(shown) - 10} more"]
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}" if len(shown) > 1 else "".join(shown)


def printable(text: str) -> str:
    """Text without what moves a terminal's cursor or breaks the line."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def _order(problem: Problem, first: str | None) -> tuple[bool, str, int, int, str]:
    place = problem.place
    return place.file != first, place.file, place.line, place.column, problem.severity


def _blank(text: str) -> str:
    """Blanks as wide as the text, so that a caret stands under what it points at."""
    return "".join(
        "" if unicodedata.combining(char) else "  " if unicodedata.east_asian_width(char) in "WF" else " "
        for char in text
    )
