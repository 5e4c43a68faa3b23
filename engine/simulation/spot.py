"""An element in its place, made ready to be walked a million times; and the words that walking is spoken of in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tactful.elements.contract import Contact, Event, Purpose
from tactful.elements.options.duration import Duration
from tactful.flows.model import Node

if TYPE_CHECKING:
    from tactful.engine.simulation.life import Life
    from tactful.engine.simulation.passage import Passage

MINUTE, QUARTER, HOUR, DAY = 60_000, 900_000, 3_600_000, 86_400_000
NEVER = 1 << 62
"""Later than anything."""

KINDS = ("bounced", "delivered", "opened", "clicked", "replied", "opted_out", "complained")
"""What can happen with a message, in the order it is counted in."""

Answer = str | int | None
"""Leave by an exit (its name), stay until a moment, or stay without one."""


class Deaf:
    """The one who heard something that was not what they waited for."""


DEAF: Final = Deaf()

Enter = Callable[["Life", "Passage"], Answer]
Hear = Callable[["Life", "Passage", Event], "Answer | Deaf"]


class Spot:
    """An element in its place, ready to be walked.

    `number` counts spots in the order of the file; `exits` maps each way out to its number among all ways out of the
    flow and the spot it leads to (None: the end). `enter`, `time_up` and `hear` are the element's answers; `hear` says
    `DEAF` where the event is not what was awaited. `hears_log`: events of before the stay may end it. `sends` is the
    message it sends, None where the element is to be asked itself or sends nothing.
    """

    __slots__ = ("asked", "enter", "exits", "hear", "hears_log", "id", "node", "number", "sends", "time_up")

    def __init__(self, node: Node, number: int) -> None:
        self.id = node.id
        self.node = node
        self.number = number
        self.exits: dict[str, tuple[int, Spot | None]] = {}
        self.enter: Enter = _never
        self.time_up: Enter = _never
        self.hear: Hear = _hears_nothing
        self.hears_log = False
        self.asked = False
        self.sends: Sending | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """What a send puts in the outbox. `sender` is empty where nobody named one: the message has failed then. `address`
    is where it goes to: of a contact, None where they have no such address. `guarded`: the project asks for a consent,
    or for the hours of a country."""

    channel: str
    sender: str
    purpose: Purpose
    valid_for: Duration | None
    address: Callable[[Contact], str | None]
    guarded: bool


def _never(life: Life, journey: Passage) -> Answer:
    raise AssertionError("nobody stays here until a moment")


def _hears_nothing(life: Life, journey: Passage, event: Event) -> Answer | Deaf:
    return DEAF
