"""Who comes, and when: drawn from the rates, or the people of a file."""

from __future__ import annotations

from collections.abc import Sequence

from tactful.elements.contract import NOTHING, Contact, Instant
from tactful.engine.contacts_file import ContactFields
from tactful.engine.simulation.behaviour import People, Rates
from tactful.engine.simulation.chance import ONE, below, numbers
from tactful.engine.simulation.conduct import CROWD, span_of

_NO_TAGS: frozenset[str] = frozenset()
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

    def contact(self, number: int) -> tuple[Contact, Instant]:
        """A contact, and when they come."""
        draws = numbers(self._seed, CROWD, number)
        came_at = self._begins + 1 + draws[0] * self._over // ONE
        if not self._people:
            return self._drawn.contact(number, self._seed, draws), came_at
        round_, at = divmod(number - 1, len(self._people))
        who = self._people[at]
        key = f"{who.key} ({round_ + 1})" if round_ else who.key
        return Contact(number, key, who.attributes, who.tags, who.email, who.phone, who.time_zone), came_at


class _Drawn:
    """People who do not exist. No message ever leaves for them."""

    def __init__(self, people: People) -> None:
        self._email = below(people.email)
        self._phone = below(people.phone)
        self._zone = people.time_zone
        self._attributes = tuple(people.attributes.items())
        self._tags = tuple((tag, below(share)) for tag, share in people.tags.items())
        # One hash has sixteen draws; who has more attributes and tags gets more hashes.
        self._more = range(1, 1 + (_FIRST_ATTRIBUTE + len(self._attributes) + len(self._tags) - 1) // 16)

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
        return Contact(
            number,
            f"contact-{number}",
            attributes,
            tags,
            f"contact-{number}@example.com" if draws[1] < self._email else None,
            f"+999{number:09}" if draws[2] < self._phone else None,  # a country code that is nobody's
            self._zone(draws[3]) if self._zone is not None else None,
        )
