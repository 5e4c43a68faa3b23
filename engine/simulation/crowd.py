"""Who comes, and when: drawn from the rates, or the people of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tactful.elements.contract import NOTHING, Contact, Instant
from tactful.engine.contacts_file import ContactFields
from tactful.engine.simulation.behaviour import People, Rates
from tactful.engine.simulation.chance import ONE, below, first, lot, numbers
from tactful.engine.simulation.conduct import CROWD, span_of

_NO_TAGS: frozenset[str] = frozenset()
_NOBODYS = 999_000_000_000  # no country has the code 999
_FIRST_ATTRIBUTE = 4  # the draws before are for when they come, email, phone and zone


class Crowd:
    """People by number, from 1: the same number is the same person, with the same seed. `people` are those of a file;
    where it holds fewer than are asked for, they come again, as somebody else."""

    def __init__(self, rates: Rates, seed: int, begins: Instant, people: Sequence[ContactFields] = ()) -> None:
        self._seed = seed
        self._begins = begins
        self._over = span_of(rates.entry.over)
        self._people = people
        self._drawn = _Drawn(rates.contacts)

    def contacts(self, first: int, last: int) -> Iterator[tuple[Contact, Instant]]:
        """The contacts from one number to another, and when each comes."""
        seed, begins, over = self._seed, self._begins + 1, self._over
        made, take = self._known if self._people else self._drawn.contact, self._drawn.first
        for number in range(first, last + 1):
            draws = take(lot(seed, CROWD, number))
            yield made(number, seed, draws), begins + draws[0] * over // ONE

    def _known(self, number: int, seed: int, draws: Sequence[int]) -> Contact:
        round_, at = divmod(number - 1, len(self._people))
        who = self._people[at]
        key = f"{who.key} ({round_ + 1})" if round_ else who.key
        return Contact(number, key, who.attributes, who.tags, who.email, who.phone, who.time_zone)


class _Drawn:
    """People who do not exist. No message ever leaves for them."""

    def __init__(self, people: People) -> None:
        self._email = below(people.email)
        self._phone = below(people.phone)
        self._zone = people.time_zone
        self._attributes = tuple(people.attributes.items())
        self._tags = tuple((tag, below(share)) for tag, share in people.tags.items())
        # One lot has sixteen draws; who has more attributes and tags gets more lots.
        many = _FIRST_ATTRIBUTE + len(self._attributes) + len(self._tags)
        self.first = first(min(many, 16))
        self._more = range(1, 1 + (many - 1) // 16)

    def contact(self, number: int, seed: int, draws: Sequence[int]) -> Contact:
        if self._more:
            draws = [*draws, *(draw for more in self._more for draw in numbers(seed, CROWD, number, more))]
        attributes, tags = NOTHING, _NO_TAGS
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
