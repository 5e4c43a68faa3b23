"""What is wrong with a written option, said so that its writer can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class Mistake(ValueError):  # a ValueError, so that pydantic reports it in its place
    """An option that cannot be read.

    `message` is one plain sentence without a full stop. `at` is the offset of the fault in the written text
    (characters from 0; None: the text as a whole), and where `file` is set, in the text of that file. `hint`
    says what to write instead. `code` is a short word in kebab-case, stable for tools.
    """

    def __init__(
        self,
        message: str,
        at: int | None = None,
        hint: str | None = None,
        code: str = "bad-value",
        file: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint
        self.code = code
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.at, self.hint, self.code, self.file)


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """The choice a mistyped word most likely meant, or None where none is near.

    Case and the difference between `-`, `_` and blanks count for nothing.
    """

    def plain(name: str) -> str:
        return name.casefold().replace("-", "_").replace(" ", "_")

    by_plain = {plain(choice): choice for choice in choices}
    near = get_close_matches(plain(word), by_plain, n=1, cutoff=0.6)
    return by_plain[near[0]] if near else None


def meant(word: str, choices: Iterable[str]) -> str | None:
    """The hint for a mistyped word, "did you mean `opened`?", or None."""
    choice = did_you_mean(word, choices)
    return f"did you mean `{choice}`?" if choice else None
