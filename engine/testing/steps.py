"""The steps of a scenario: what is done, and what is expected. Pure data; `docs` of each word are its class's.

An element stands for its newest message. "Since the last act" is since the act before the expectation began, or,
before the first act, since the scenario began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tactful.elements.options.duration import Duration
from tactful.engine.contacts_file import ContactFields
from tactful.flows.model import Place

# --- Acts ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enter:
    """Bring the contact in by hand. `flow` is its id; `data` what the journey remembers as `entry.`."""

    flow: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happens:
    """An event of the contact's own."""

    event: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reported:
    """A message's event: `delivered`, `opened`, `clicked`, `bounced` or `complained`, with its properties."""

    event: str
    element: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replies:
    """The contact answers: a message of the element `to`, or what a `sender` sent."""

    text: str
    to: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class OptsOut:
    """The contact follows the opt-out link of the message, and confirms."""

    element: str


@dataclass(frozen=True, slots=True)
class Blocks:
    """Somebody puts the contact on the Do Not Contact list by hand, or (`there` false) takes them off it: on a
    channel, for any sender or, with `sender`, for this one."""

    channel: str
    sender: str | None
    there: bool


@dataclass(frozen=True, slots=True)
class Fails:
    """The provider refuses the next message of the element, for good."""

    element: str


@dataclass(frozen=True, slots=True)
class Changes:
    """The contact is changed from outside."""

    fields: ContactFields


@dataclass(frozen=True, slots=True)
class After:
    """So much time passes."""

    duration: Duration


@dataclass(frozen=True, slots=True)
class Until:
    """Time passes up to a moment, as written."""

    moment: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The engine is killed and started again."""


Act = Enter | Happens | Reported | Replies | OptsOut | Blocks | Fails | Changes | After | Until | Restart

# --- Expectations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WasSent:
    """Since the last act: exactly one message of the element, with the text `contains` in it if given."""

    element: str
    contains: str | None = None


@dataclass(frozen=True, slots=True)
class WasNotSent:
    """Since the last act: no message of the element."""

    element: str


@dataclass(frozen=True, slots=True)
class WasHeld:
    """Since the last act: a message of the element was held."""

    element: str


@dataclass(frozen=True, slots=True)
class WasSuppressed:
    """Since the last act: a message of the element was suppressed."""

    element: str


@dataclass(frozen=True, slots=True)
class WasAnswered:
    """Since the last act: a keyword rule answered, with this text in it."""

    contains: str


@dataclass(frozen=True, slots=True)
class GoalReached:
    """Since the last act: the goal."""

    name: str


@dataclass(frozen=True, slots=True)
class NotEntered:
    """Since the last act: no journey began."""


@dataclass(frozen=True, slots=True)
class StandsAt:
    """As it stands: where the newest journey is."""

    element: str


@dataclass(frozen=True, slots=True)
class Ended:
    """As it stands: the newest journey has ended, however; the last element it visited."""

    element: str


@dataclass(frozen=True, slots=True)
class Took:
    """As it stands: the elements the newest journey visited, with the one it stands at."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContactIs:
    """As it stands: attributes of the contact; None for one they do not have."""

    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """As it stands: whether the contact is `there`, on the Do Not Contact list, by an entry for any sender; with
    `sender`, by one at either level that stops this sender."""

    channel: str
    sender: str | None
    there: bool


Expectation = (
    WasSent | WasNotSent | WasHeld | WasSuppressed | WasAnswered | GoalReached | NotEntered | StandsAt | Ended | Took
    | ContactIs | Listed
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """A step in its place. `word` is what it is called in the file, `written` the line it stands on."""

    word: str
    what: Act | Expectation
    place: Place
    written: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that was read. `at` is when it begins, as written."""

    name: str
    contact: ContactFields
    at: str | None
    steps: tuple[Step, ...]
    place: Place
