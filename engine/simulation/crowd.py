"""Who comes, and when: drawn from the rates, or the people of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tactful.elements.contract import NOTHING, Contact, Instant
from tactful.engine.contacts_file import ContactFields
from tactful.engine.simulation.behaviour import People, Rates
from tactful.engine.simulation.chance import ONE, below, first, lot, numbers
from tactful.engine.simulation.conduct import CROWD, span_of

_NONE: frozenset[str] = frozenset()
_NOBODYS = 999_000_000_000  # no country has the code 999
_FIRST_ATTRIBUTE = 4  # the draws before are for when they come, email, phone and zone


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of a file, or of the database. `agreed` are the channels on which a consent of theirs is on record; None
    where nobody knows: then that is drawn."""

    fields: ContactFields
    agreed: frozenset[str] | None = None


class Crowd:
    """People by number, from 1: the same number is the same person, with the same seed. `people` are those of a file;
    where it holds fewer than are asked for, they come again, as somebody else."""

    def __init__(self, rates: Rates, seed: int, begins: Instant, people: Sequence[Person] = ()) -> None:
        self._begins = begins
        self._over = span_of(rates.entry.over)
        self._people = people
        self._drawn = _Drawn(rates.contacts, seed)

    def contacts(self, first: int, last: int) -> Iterator[tuple[Contact, Instant, frozenset[str]]]:
        """The contacts from one number to another, when each comes, and the channels on which they agreed to be
        written to."""
        people, begins, over, drawn = self._people, self._begins + 1, self._over, self._drawn
        for number in range(first, last + 1):
            draws = drawn.draws(number)
            agreed = drawn.agreed(draws) if drawn.consents else _NONE
            if people:
                round_, at = divmod(number - 1, len(people))
                who = people[at]
                agreed = agreed if who.agreed is None else who.agreed
                contact = _known(who.fields, number, round_)
            else:
                contact = drawn.contact(number, draws)
            yield contact, begins + draws[0] * over // ONE, agreed


def _known(who: ContactFields, number: int, round_: int) -> Contact:
    key = f"{who.key} ({round_ + 1})" if round_ else who.key
    return Contact(number, key, who.attributes, who.tags, who.email, who.phone, who.time_zone)


class _Drawn:
    """People who do not exist. No message ever leaves for them."""

    def __init__(self, people: People, seed: int) -> None:
        self._seed = seed
        self._email = below(people.email)
        self._phone = below(people.phone)
        self._zone = people.time_zone
        self._attributes = tuple(people.attributes.items())
        self._tags = tuple((tag, below(share)) for tag, share in people.tags.items())
        self.consents = tuple((channel, below(share)) for channel, share in people.consent.items())
        # One lot has sixteen draws; who has more attributes, tags and consents gets more lots.
        self._first_consent = _FIRST_ATTRIBUTE + len(self._attributes) + len(self._tags)
        many = self._first_consent + len(self.consents)
        self._first = first(min(many, 16))
        self._more = range(1, 1 + (many - 1) // 16)

    def draws(self, number: int) -> Sequence[int]:
        """What decides of a contact: first when they come, the rest is for this class."""
        draws = self._first(lot(self._seed, CROWD, number))
        if self._more:
            return [*draws, *(draw for more in self._more for draw in numbers(self._seed, CROWD, number, more))]
        return draws

    def agreed(self, draws: Sequence[int]) -> frozenset[str]:
        """The channels they agreed to be written to on."""
        drawn = enumerate(self.consents, self._first_consent)
        return frozenset(channel for at, (channel, bound) in drawn if draws[at] < bound)

    def contact(self, number: int, draws: Sequence[int]) -> Contact:
        """A contact of whom there is no more than draws."""
        attributes, tags = NOTHING, _NONE
        if self._attributes:
            values = ((name, drawn(draws[at])) for at, (name, drawn) in enumerate(self._attributes, _FIRST_ATTRIBUTE))
            attributes = {name: value for name, value in values if value is not None}
        if self._tags:
            first = _FIRST_ATTRIBUTE + len(self._attributes)
            tags = frozenset(tag for at, (tag, bound) in enumerate(self._tags, first) if draws[at] < bound)
        key = f"contact-{number}"
        return Contact(
            number, key, attributes, tags,
            f"{key}@example.com" if draws[1] < self._email else None,
            f"+{_NOBODYS + number}" if draws[2] < self._phone else None,
            self._zone(draws[3]) if self._zone is not None else None,
        )  # fmt: skip
