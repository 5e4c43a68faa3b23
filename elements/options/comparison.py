"""What comparisons mean: closures over the values of a condition.

A missing value (None) makes every comparison false, `!=` too. Values of different kinds are not equal and
have no order; true is not 1. A comparison with `now()` or with a date is one of times, see `of_times`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tactful.elements.options.wall_time import (
    EPOCH,
    MILLISECOND,
    day_of_date,
    instant_of_date,
    read_date,
    wall_of,
)

if TYPE_CHECKING:
    from tactful.elements.options.expression import Scope, Test, Value

Operator = Callable[[Any, Any], bool]
_ORDER: dict[str, Operator] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The operator that says the same with its sides exchanged."""

_NUMBERS = (int, float)


# --- Getting at the data -----------------------------------------------------------------------------


def getter(root: str, path: Sequence[str]) -> Value:
    """The value of `root.path`: a part that is missing, or lies in something without parts, is None."""
    name, rest = path[0], tuple(path[1:])
    first = _first(root, name)
    if not rest:
        return first

    def nested(scope: Scope) -> Any:
        value = first(scope)
        for part in rest:
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    return nested


def _first(root: str, name: str) -> Value:
    if root == "contact":
        # Its own fields come before attributes of the same name, which could only mislead.
        match name:
            case "id":
                return lambda scope: scope[0].key
            case "email":
                return lambda scope: scope[0].email
            case "phone":
                return lambda scope: scope[0].phone
            case "time_zone":
                return lambda scope: scope[0].time_zone
        return lambda scope: scope[0].attributes.get(name)
    if root == "entry":
        if name == "name":
            return lambda scope: scope[1].name
        return lambda scope: scope[1].data.get(name)
    if root == "event":
        if name == "name":
            return lambda scope: scope[2].name
        return lambda scope: scope[2].data.get(name)
    return lambda scope: scope[3].get(name)


# --- Joining -----------------------------------------------------------------------------------------


def all_of(tests: Sequence[Test]) -> Test:
    """True when all are; the first that is not ends the asking."""
    if len(tests) == 2:
        first, second = tests
        return lambda scope: first(scope) and second(scope)

    def every(scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost more than the tests
            if not test(scope):
                return False
        return True

    return every


def any_of(tests: Sequence[Test]) -> Test:
    """True when one is; the first that is ends the asking."""
    if len(tests) == 2:
        first, second = tests
        return lambda scope: first(scope) or second(scope)

    def some(scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if test(scope):
                return True
        return False

    return some


# --- Comparing ---------------------------------------------------------------------------------------


def with_constant(value: Value, name: str, constant: Any) -> Test:
    """Compare a value with a text, a number or true/false: the usual case, and the fast one."""
    order = _ORDER[name]
    kind = type(constant)
    if kind is str:
        if name == "==":
            return lambda scope: value(scope) == constant  # nothing but a text equals a text
        if name == "!=":
            return lambda scope: (found := value(scope)) is not None and found != constant

        def by_text(scope: Scope) -> bool:
            found = value(scope)
            return isinstance(found, str) and order(found, constant)

        return by_text
    if kind is bool:
        if name == "==":
            return lambda scope: value(scope) is constant
        return lambda scope: (found := value(scope)) is not None and found is not constant

    unequal = name == "!="

    def by_number(scope: Scope) -> bool:
        found = value(scope)
        kind = type(found)
        if kind is int or kind is float:
            return order(found, constant)
        return unequal and found is not None

    return by_number


def of_values(left: Value, name: str, right: Value) -> Test:
    """Compare two values of the data."""
    if name == "==":

        def equal(scope: Scope) -> bool:
            a, b = left(scope), right(scope)
            return a is not None and b is not None and same(a, b)

        return equal
    if name == "!=":

        def unequal(scope: Scope) -> bool:
            a, b = left(scope), right(scope)
            return a is not None and b is not None and not same(a, b)

        return unequal
    order = _ORDER[name]

    def ordered(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        return ((isinstance(a, str) and isinstance(b, str)) or (_is_number(a) and _is_number(b))) and order(a, b)

    return ordered


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def same(a: object, b: object) -> bool:
    """Whether two values of the data are equal: of one kind, and alike. Lists compare by their items, which
    are no lists themselves; mappings are never equal to anything."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same_item, a, b))
    return _same_item(a, b)


def _same_item(a: object, b: object) -> bool:
    if isinstance(a, str):
        return isinstance(b, str) and a == b
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return isinstance(a, _NUMBERS) and isinstance(b, _NUMBERS) and a == b


def in_constants(value: Value, wanted: bool, constants: Sequence[Any]) -> Test:
    """Whether a value is one of a fixed list (`wanted`), or is none of it. Missing: neither."""
    texts = frozenset(one for one in constants if isinstance(one, str))
    others = [one for one in constants if not isinstance(one, str)]

    def member(scope: Scope) -> bool:
        found = value(scope)
        if found is None:
            return False
        if isinstance(found, str):
            return (found in texts) is wanted
        return any(_same_item(found, one) for one in others) is wanted

    return member


def in_list(value: Value, wanted: bool, items: Value) -> Test:
    """Whether a value is in a list of the data (`wanted`), or not. False where either is missing, or there is
    no list."""

    def member(scope: Scope) -> bool:
        found, among = value(scope), items(scope)
        if found is None or not isinstance(among, list | tuple):
            return False
        return any(_same_item(found, one) for one in among) is wanted

    return member


# --- Times -------------------------------------------------------------------------------------------


def of_times(left: Value, name: str, right: Value) -> Test:
    """Compare where one side is `now()` or a written date, so that the other is read as a date too.

    A date stands for its whole day in the contact's zone: a moment compares with it by its day, so
    `contact.last_order <= "2026-12-24"` includes that evening. Two moments compare as such. A text that is no
    date has no order here, and equals only the same text.
    """
    order = _ORDER[name]

    def timed(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if a is None or b is None:
            return False
        zone = scope[5]
        first, second = _as_time(a), _as_time(b)
        if first is None or second is None:
            return name == "!="
        if isinstance(first, datetime) and isinstance(second, datetime):
            first_at, second_at = instant_of_date(first, zone), instant_of_date(second, zone)
            return first_at is not None and second_at is not None and order(first_at, second_at)
        first_day, second_day = day_of_date(first, zone), day_of_date(second, zone)
        return first_day is not None and second_day is not None and order(first_day, second_day)

    return timed


def _as_time(value: object) -> date | None:
    if isinstance(value, str):
        return read_date(value)
    return value if isinstance(value, date) else None


def _days_between(value: object, now: int, zone: ZoneInfo) -> int | None:
    """Calendar days from the day of a value to today, in the zone; None where it is no date."""
    time = _as_time(value)
    day = day_of_date(time, zone) if time is not None else None
    return None if day is None else (wall_of(now, zone).date() - day).days


# --- Functions ---------------------------------------------------------------------------------------


def contains(whole: Value, part: Value) -> Test:
    """Whether a text has another in it (case matters), or a list an item."""

    def test(scope: Scope) -> bool:
        a, b = whole(scope), part(scope)
        if isinstance(a, str):
            return isinstance(b, str) and b in a
        return isinstance(a, list | tuple) and b is not None and any(_same_item(b, one) for one in a)

    return test


def starts_with(whole: Value, part: Value) -> Test:
    """Whether a text begins with another."""

    def test(scope: Scope) -> bool:
        a, b = whole(scope), part(scope)
        return isinstance(a, str) and isinstance(b, str) and a.startswith(b)

    return test


def ends_with(whole: Value, part: Value) -> Test:
    """Whether a text ends with another."""

    def test(scope: Scope) -> bool:
        a, b = whole(scope), part(scope)
        return isinstance(a, str) and isinstance(b, str) and a.endswith(b)

    return test


def is_empty(value: Value) -> Test:
    """Whether there is no value, or only blanks, or a list of nothing."""

    def test(scope: Scope) -> bool:
        found = value(scope)
        if found is None:
            return True
        if isinstance(found, str):
            return not found or found.isspace()
        return isinstance(found, list | tuple | Mapping) and not found

    return test


def has_tag(tag: Value) -> Test:
    """Whether the contact bears a tag."""
    return lambda scope: tag(scope) in scope[0].tags


def now() -> Value:
    """The moment of asking, as a datetime in UTC."""
    return lambda scope: EPOCH + scope[4] * MILLISECOND


def days_since(value: Value) -> Value:
    """Calendar days since a date, by the contact's zone: 0 today, 1 yesterday, negative for what is to
    come."""
    return lambda scope: _days_between(value(scope), scope[4], scope[5])


def days_until(value: Value) -> Value:
    """Calendar days until a date, by the contact's zone: 0 today, 1 tomorrow, negative for what has
    passed."""
    return lambda scope: None if (days := _days_between(value(scope), scope[4], scope[5])) is None else -days


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (contains, starts_with, ends_with, is_empty, has_tag, now, days_since, days_until)
}
