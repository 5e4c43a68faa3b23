"""The element `update_contact`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tactful.elements import contract
from tactful.elements.contract import Element, Leave, Stay, Visit
from tactful.elements.options.expression import CONTACT_FIELDS
from tactful.elements.options.mistake import Mistake
from tactful.elements.options.written import kind_of


def _attribute(name: str) -> str:
    if name in CONTACT_FIELDS:
        raise Mistake(f"`{name}` is not an attribute, and flows do not change it", code="reserved-name")
    if not name.isidentifier() or name.startswith("__"):
        raise Mistake(f"`{name}` cannot name an attribute", hint="letters, digits and `_`", code="bad-name")
    return name


def _value(value: object) -> object:
    """A JSON value as contacts have them. It is stored as it stands."""
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        raise Mistake("values are stored as they stand: this would store the template itself", code="not-a-value")
    if isinstance(value, list | tuple):
        return [_item(item) for item in value]
    return value if value is None else _item(value)


def _item(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise Mistake("this is not a finite number", code="not-a-value")
    if not isinstance(value, str | int | float):  # true and false are whole numbers to Python
        raise Mistake(f"an attribute cannot hold {kind_of(value)} here", code="not-a-value")
    return value


def _tag(tag: str) -> str:
    tag = tag.strip()
    if not tag:
        raise Mistake("a tag cannot be empty", code="empty")
    return tag


Tag = Annotated[str, AfterValidator(_tag)]


class UpdateContact(Element):
    """Changes what is known of the contact: sets attributes, adds and removes tags.

    `set` gives attributes their values: text, a number, true or false, a list of these, a date as
    `2026-12-24`. An attribute set to nothing (`tier: null`) is removed. Values are stored as they stand.
    `add_tags` and `remove_tags` are lists of tags; to add one the contact has, or remove one they have not,
    changes nothing.

    The next element already sees the change, and so does every flow that watches for it.

    Example:
        make_gold:
          type: update_contact
          set: {tier: gold, welcomed: true}
          add_tags: [club]
          remove_tags: [prospect]
          next: end
    """

    set: Mapping[Annotated[str, AfterValidator(_attribute)], Annotated[Any, BeforeValidator(_value)]] = Field(
        default_factory=dict,
        description="Attributes with their new values; `null` removes one.",
    )
    add_tags: tuple[Tag, ...] = Field((), description="Tags the contact gets.")
    remove_tags: tuple[Tag, ...] = Field((), description="Tags the contact loses.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not (self.set or self.add_tags or self.remove_tags):
            raise Mistake("this changes nothing: give it `set`, `add_tags` or `remove_tags`", code="missing-option")
        if both := sorted({*self.add_tags} & {*self.remove_tags}):
            raise Mistake(f"the tag `{both[0]}` is both added and removed", code="duplicate")
        return self

    def summary(self) -> str:
        changes = [f"no {name}" if value is None else f"{name} = {_shown(value)}" for name, value in self.set.items()]
        changes += [f"+ {tag}" for tag in self.add_tags]
        changes += [f"- {tag}" for tag in self.remove_tags]
        return ", ".join(changes)

    def enter(self, visit: Visit) -> Leave | Stay:
        return self._leave

    @cached_property
    def _leave(self) -> Leave:
        return Leave(effects=(contract.UpdateContact(dict(self.set), self.add_tags, self.remove_tags),))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)
