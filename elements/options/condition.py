"""Conditions: `contact.country in ["DE", "AT"] and entry.value > 100`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zoneinfo import ZoneInfo

from tactful.elements.options.expression import CONTACT_FIELDS, Compiled, Test, compile_condition
from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.written import NameUse, Written

if TYPE_CHECKING:
    from tactful.elements.contract import Contact, Event


class Condition(Written):
    """A question about a contact and what happened to them, that holds or does not.

    There are `== != < <= > >= in`, `and or not`, brackets, text, numbers, true, false and lists; names
    `contact.`, `entry.`, `event.` and `journey.`; and the functions `contains starts_with ends_with is_empty
    has_tag now days_since days_until`. A missing value makes every comparison false (`!=` too), and so `not`
    of it true. A name alone holds only if its value is true. Text is compared with upper and lower case
    apart, text and numbers are never equal. Where a date in quotes or `now()` stands on one side, the other
    is read as a date, and a date without a time means its whole day in the contact's zone. Nested data of
    events is reached by dots: `event.cart.total`.

    `names` are the names it uses, in the order of the text; `uses_time` says whether it may begin or cease to
    hold by the passing of time alone.
    """

    __slots__ = ("_compiled", "_test", "names", "uses_time")

    KIND: ClassVar[str] = "a condition"
    FORMAT: ClassVar[str] = "tactful-condition"
    EXAMPLES: ClassVar[tuple[str, ...]] = (
        'contact.country == "DE"',
        "contact.orders >= 5",
        'has_tag("vip") and not is_empty(contact.city)',
    )

    names: tuple[NameUse, ...]
    uses_time: bool
    _test: Test
    _compiled: Compiled

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a condition of at most 2,000 characters. Raises `Mistake`."""
        compiled = compile_condition(text)
        return cls()._set(
            text=text,
            names=compiled.names,
            uses_time=compiled.uses_time,
            _test=compiled.test,
            _compiled=compiled,
        )

    @classmethod
    def read(cls, value: object) -> Self:
        if isinstance(value, bool):  # `when: true` is not text in YAML, and means what it says
            return cls.parse("true" if value else "false")
        return super().read(value)

    def holds(
        self,
        contact: Contact,
        entry: Event,
        event: Event,
        values: Mapping[str, Any],
        now: int,
        zone: ZoneInfo,
    ) -> bool:
        """Whether it holds. Never raises on any data made of JSON values, and takes no longer than the data
        is long."""
        return self._test((contact, entry, event, values, now, zone))

    def where(self, root: str, name: str) -> int | None:
        """The offset in the text at which `root.name` is first used; None if it is not."""
        return next((use.at for use in self.names if use.root == root and use.name == name), None)

    def misfits(self, attributes: Mapping[str, str]) -> list[Mistake]:
        """What does not fit a declared contact schema (name to `text number boolean date list`): attributes
        it does not have, and uses its types rule out. In the order of the text; at most one for each use of a
        name."""
        known = {**attributes, **dict.fromkeys(CONTACT_FIELDS, "text")}
        found: dict[int, Mistake] = {}
        for use in self.names:
            if use.root == "contact" and use.name not in known:
                hint = meant(use.name, known) or ('write `has_tag("…")`' if use.name in ("tag", "tags") else None)
                found[use.at] = Mistake(f"contacts have no `{use.name}`", use.at, hint, "unknown-attribute")
        for use, kinds, because in self._compiled.demands:
            if use.root == "contact" and use.name in known and known[use.name] not in kinds:
                found.setdefault(use.at, _mismatch(use, f"is {_A[known[use.name]]}, but {because}"))
        for left, right in self._compiled.pairs:
            kinds_of = [known.get(use.name) if use.root == "contact" else None for use in (left, right)]
            if None not in kinds_of and kinds_of[0] != kinds_of[1]:
                kinds_said = [_A[kind] for kind in kinds_of if kind]
                because = f"is {kinds_said[0]}, but is compared with `{right}`, which is {kinds_said[1]}"
                found.setdefault(left.at, _mismatch(left, because))
        return [found[at] for at in sorted(found)]


def _mismatch(use: NameUse, because: str) -> Mistake:
    return Mistake(f"`{use}` {because}", use.at, code="type-mismatch")


_A = {"text": "a text", "number": "a number", "boolean": "true or false", "date": "a date", "list": "a list"}
