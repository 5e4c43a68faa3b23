"""The connector of a world: messages that only seem to leave."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.channels import Accepted, Outcome, Outgoing, Refused


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that left: which, from which element, to whom, when, and its rendered texts by name."""

    key: MessageKey
    element: str
    contact: str
    channel: str
    destination: str
    at: Instant
    parts: Mapping[str, str]
    sender: str = ""

    def says(self, text: str) -> bool:
        """Whether one of its texts holds this; in HTML, also as a reader sees it (`&amp;` is `&`)."""
        seen = (html.unescape(part) if name == "html" else part for name, part in self.parts.items())
        return any(text in part for part in (*self.parts.values(), *seen))


class Post:
    """Takes every message, unless told to refuse the next ones. `taken` is what left, in its order."""

    def __init__(self, element_of: Callable[[MessageKey], str]) -> None:
        self.taken: list[Outgoing] = []
        self._element_of = element_of
        self._refusals: dict[str | None, list[Refused]] = defaultdict(list)

    def refuse_next(self, refusal: Refused, element: str | None = None) -> None:
        """Refuse the next message; with `element`, the next one of that element."""
        self._refusals[element].append(refusal)

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            yield each.key, self._refusal(each.key) or self._take(each)

    def _refusal(self, key: MessageKey) -> Refused | None:
        if self._refusals[None]:
            return self._refusals[None].pop(0)
        theirs = self._refusals[self._element_of(key)]
        return theirs.pop(0) if theirs else None

    def _take(self, message: Outgoing) -> Accepted:
        self.taken.append(message)
        return Accepted()

    def close(self) -> None:
        """Nothing to close."""
