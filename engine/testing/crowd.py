"""A crowd that behaves like people: who they are and what they do with what they get, drawn from a seed.

Nothing here is random: the same seed makes the same crowd, which does the same things at the same times. All
addresses are set aside for examples.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import select

from tactful.elements.contract import Instant, MessageKey
from tactful.engine.channels import Accepted, Outcome, Outgoing
from tactful.engine.clock import SetClock
from tactful.engine.compose import Engine
from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields
from tactful.engine.delivery import Lane
from tactful.engine.incoming import Incoming
from tactful.engine.optout.links import OptOutLinks
from tactful.engine.runner import Runner
from tactful.engine.senders import Sender
from tactful.engine.store.statements import CONTACT, MESSAGE

MINUTE, HOUR = 60_000, 3_600_000

STEP = 30 * MINUTE
"""Everything a crowd does happens at whole and half hours, so that thousands can be told of in one go."""

_PEOPLE = (
    ("Ana", "HR", "Europe/Zagreb"), ("Ben", "GB", "Europe/London"), ("Chloé", "FR", "Europe/Paris"),
    ("Dai", "GB", "Europe/London"), ("Emil", "DE", "Europe/Berlin"), ("Farah", "AE", "Asia/Dubai"),
    ("Gita", "IN", "Asia/Kolkata"), ("Hugo", "PT", "Europe/Lisbon"), ("Ines", "ES", "Europe/Madrid"),
    ("Jakob", "DK", "Europe/Copenhagen"), ("Klara", "CZ", "Europe/Prague"), ("Luca", "IT", "Europe/Rome"),
    ("Maja", "PL", "Europe/Warsaw"), ("Noor", "NL", "Europe/Amsterdam"), ("Olga", "SI", "Europe/Ljubljana"),
    ("Petra", "AT", "Europe/Vienna"), ("Rosa", "BR", "America/Sao_Paulo"), ("Sven", "SE", "Europe/Stockholm"),
    ("Tariq", "MA", "Africa/Casablanca"), ("Una", "IE", "Europe/Dublin"), ("Vera", "RS", "Europe/Belgrade"),
    ("Wanda", "US", "America/New_York"), ("Yuki", "JP", "Asia/Tokyo"), ("Zoe", "GR", "Europe/Athens"),
)  # fmt: skip


def chance(seed: int, *of: object) -> float:
    """A number from 0 up to 1, the same for the same arguments for ever."""
    drawn = blake2b("/".join(map(str, (seed, *of))).encode(), digest_size=8).digest()
    return int.from_bytes(drawn) / 2**64


def people(number: int, seed: int) -> list[ContactFields]:
    """So many contacts; every second one has a phone."""
    crowd = []
    for count in range(1, number + 1):
        name, country, zone = _PEOPLE[(count - 1) % len(_PEOPLE)]
        key = f"{name.lower().replace('é', 'e')}-{count}"
        orders = int(12 * chance(seed, key, "orders") ** 3)
        phone = None
        if chance(seed, key, "phone") < 0.5 and count <= 78_000:  # +1 201…988 555-0100…0199: for fiction
            phone = f"+1{201 + (count - 1) // 100}55501{(count - 1) % 100:02}"
        attributes = {"first_name": name, "country": country, "orders": orders}
        crowd.append(ContactFields(key, f"{key}@example.com", phone, zone, attributes))
    return crowd


@dataclass(frozen=True, slots=True)
class Got:
    """A message that came: which, of which element, to whom."""

    key: MessageKey
    element: str
    contact: str


Deed = tuple[int, Incoming]
"""How many milliseconds from now, and what a contact then does."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What people do about a basket they left, and about what the flow `win-back` of the starter sends them."""

    seed: int

    def basket(self, key: str) -> Deed:
        """Everybody leaves a basket within ten hours; some are too small to be worth a letter."""
        value = 12 + round(180 * self._chance(key, "value") ** 2)
        return self._within(10 * HOUR, key, "basket"), Incoming("basket_abandoned", key, data={"value": value})

    def about(self, got: Got) -> Iterator[Deed]:
        """What the one who gets a message does about it."""
        key, element = got.contact, got.element
        match element:
            case "offer" | "voucher":
                if self._chance(key, element, "opens") < 0.62:
                    # Most within hours, some days later: too late for a flow that waits two days.
                    opens = self._sooner(10 * MINUTE, 60 * HOUR, key, element, "opens when")
                    yield opens, Incoming("opened", message=got.key)
                    if self._chance(key, element, "buys") < 0.3:
                        buys = opens + self._sooner(20 * MINUTE, 24 * HOUR, key, element, "buys when")
                        yield buys, self._purchase(key)
                elif self._chance(key, element, "buys anyway") < 0.06:
                    yield self._within(40 * HOUR, key, element, "buys anyway when"), self._purchase(key)
            case "ask":
                if self._chance(key, "answers") < 0.6:
                    answers = self._sooner(STEP, 30 * HOUR, key, "answers when")
                    yield answers, Incoming("replied", message=got.key, data={"text": self._answer(key)})

    def _purchase(self, key: str) -> Incoming:
        return Incoming("purchased", key, data={"value": 20 + round(200 * self._chance(key, "spends") ** 2)})

    def _answer(self, key: str) -> str:
        said = ("Yes please!", "yes", "ok 👍", "Great, thanks", "No.", "no thank you", "STOP", "who is this?")
        return said[int(len(said) * self._chance(key, "says"))]

    def _chance(self, *of: object) -> float:
        return chance(self.seed, *of)

    def _within(self, most: int, *of: object) -> int:
        return int(most * self._chance(*of))

    def _sooner(self, least: int, most: int, *of: object) -> int:
        """Between the two, and as often within the first hour as on the last day."""
        return int(least * (most / least) ** self._chance(*of))


class _Mailbox:
    """A connector that takes every message and remembers which came since it was last emptied."""

    def __init__(self) -> None:
        self._came: list[MessageKey] = []

    def send(self, batch: Sequence[Outgoing]) -> Iterator[tuple[MessageKey, Outcome]]:
        for each in batch:
            self._came.append(each.key)
            yield each.key, Accepted()

    def emptied(self) -> list[MessageKey]:
        """The messages that came since."""
        came, self._came = self._came, []
        return came

    def close(self) -> None:
        """Nothing to close."""


class Play:
    """A crowd and an engine in virtual time. `run` lets the crowd leave their baskets and live on until nothing is
    under way any more.

    Unlike a `World`, which notes every message at every step for tests to ask about, it holds nothing but what is still
    to come, and so plays many thousands.
    """

    def __init__(
        self,
        engine: Engine,
        senders: Mapping[str, Sender],
        habits: Habits,
        now: Instant,
        links: OptOutLinks | None = None,
    ) -> None:
        self.clock = SetClock(now)
        self.events = 0
        self._engine = engine
        self._habits = habits
        self._runner = Runner(engine, self.clock)
        self._mailbox = _Mailbox()
        self._lanes = {
            name: Lane(
                name, sender.model_copy(update={"rate": None}), engine.outbox, self.clock, self._mailbox, links=links
            )
            for name, sender in senders.items()
        }
        self._coming: list[tuple[Instant, int, Incoming]] = []

    def run(self, crowd: Sequence[ContactFields], tell: Callable[[Instant], None] = lambda now: None) -> None:
        """Play it all. `tell` is called with the time as it passes."""
        put_contacts(self._engine.host, crowd, self.clock.now())
        self._plan(self._habits.basket(each.key) for each in crowd)
        due = self._settle()
        while (now := self._next(due)) is not None:
            self.clock.set(now)
            happening = []
            while self._coming and self._coming[0][0] <= now:
                happening.append(heapq.heappop(self._coming)[2])
            self._engine.host.tell(happening, now)  # which fires the timers that were due before
            due = self._settle()
            self._plan(deed for got in self._got() for deed in self._habits.about(got))
            tell(now)

    def _next(self, due: Instant | None) -> Instant | None:
        moments = [] if due is None else [due]
        return min([*moments, self._coming[0][0]] if self._coming else moments, default=None)

    def _plan(self, deeds: Iterable[Deed]) -> None:
        now = self.clock.now()
        for after, what in deeds:
            self.events += 1
            steps = max(1, -(-(now + after) // STEP) - now // STEP)
            heapq.heappush(self._coming, ((now // STEP + steps) * STEP, self.events, what))

    def _settle(self) -> Instant | None:
        """Let everything happen that is due; when something is due next."""
        while True:
            timer = self._runner.work()
            now, waiting = self.clock.now(), self._engine.outbox.waiting()
            if not sum(self._lanes[sender].deliver() for sender, due_at in waiting.items() if due_at <= now):
                return min((at for at in (timer, *waiting.values()) if at is not None and at > now), default=None)

    def _got(self) -> list[Got]:
        came = self._mailbox.emptied()
        if not came:
            return []
        statement = (
            select(MESSAGE.c.journey, MESSAGE.c.step, MESSAGE.c.element, CONTACT.c.key)
            .join(CONTACT, CONTACT.c.id == MESSAGE.c.contact)
            .where(MESSAGE.c.journey.in_({key.journey for key in came}))
        )
        with self._engine.store.read() as tx:
            known = {(row[0], row[1]): Got(MessageKey(row[0], row[1]), row[2], row[3]) for row in tx.execute(statement)}
        return [known[key] for key in came]
