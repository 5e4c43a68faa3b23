"""Values worth trying: what the conditions of a flow compare with, and what lies right beside it. Pure.

A condition is read as a tree, and every comparison in it gives values to the names it looks at: `entry.value >= 60` has
60, 61 and 59 tried. Whether they do what is wanted is not asked here: that is found out by trying.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from phonenumbers import PhoneNumberFormat, example_number, format_number, region_code_for_country_code

from tactful.elements.options import syntax
from tactful.elements.options.condition import Condition
from tactful.elements.options.expression import CONTACT_FIELDS, ROOTS
from tactful.elements.options.paths import Words
from tactful.elements.options.template import Template
from tactful.elements.options.wall_time import read_date
from tactful.engine.addresses import BadAddress, email_address, phone_number
from tactful.engine.instants import zone_names

Name = tuple[str, ...]
"""What has a value: `("contact", "orders")`, `("entry", "cart", "total")`, and `("tag", "vip")` for whether the contact
bears a tag."""

Values = Mapping[Name, Any]
"""What is chosen: of the contact (`contact`, `tag`), of the event that begins the journey (`entry`), and of what comes
at an element: `("at", element, property)` of the event awaited, `("then", element, attribute)` of the contact
changed."""

Pools = Mapping[Name, list[Any]]
"""The values to try for each name; None stands for having none."""

TAG = "tag"
OTHER = "something else"
EMAIL, PHONE = "ana@example.com", "+447700900100"
"""Set aside for examples and for fiction."""

ANSWER = "Let me think about it"
"""What nobody looks for in an answer."""

_FUNCTIONS = ("contains", "starts_with", "ends_with")


def nested(values: Values, *of: str) -> dict[str, Any]:
    """The values whose names begin so, as data: `("entry", "cart", "total")` becomes `{"cart": {"total": …}}`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name[: len(of)] != of or value is None:
            continue
        *path, last = name[len(of) :]
        inner = found
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[last] = value
    return found


def tags_in(values: Values, *of: str) -> frozenset[str]:
    """The tags among the values whose names begin so."""
    return frozenset(name[-1] for name, value in values.items() if name[:-1] == (*of, TAG) and value is True)


def conditions_in(value: object) -> Iterator[Condition]:
    """The conditions among the options of an element, however deep in lists and mappings."""
    match value:
        case Condition():
            yield value
        case Mapping():
            for each in value.values():
                yield from conditions_in(each)
        case list() | tuple():
            for each in value:
                yield from conditions_in(each)


def words_in(value: object) -> Iterator[Words]:
    """The lists of words among the options of an element that are looked for in answers."""
    match value:
        case Words():
            yield value
        case Mapping():
            for each in value.values():
                yield from words_in(each)


def names_in(condition: Condition) -> tuple[Name, ...]:
    """The names a condition looks at, and its tags, each once, in their order."""
    found: list[Name] = []
    for node in ast.walk(syntax.parse(condition.text)):
        match node:
            case ast.Attribute() if (name := _name(node)) is not None:
                found.append(name)
            case ast.Call(func=ast.Name(id="has_tag"), args=[ast.Constant(value=str(tag))]):
                found.append((TAG, tag))
    whole = [name for name in found if not any(name != other and other[: len(name)] == name for other in found)]
    return tuple(dict.fromkeys(whole))


def pools(conditions: Iterable[Condition], today: date) -> dict[Name, list[Any]]:
    """The values to try for each name, those that conditions name themselves first, and none at all last."""
    found: dict[Name, dict[tuple[str, str], Any]] = {}

    def add(name: Name, values: Iterable[Any]) -> None:
        pool = found.setdefault(name, {})
        for value in values:
            pool.setdefault((type(value).__name__, repr(value)), value)

    for condition in conditions:
        for node in ast.walk(syntax.parse(condition.text)):
            for name, values in _values_at(node, today):
                add(name, values)
        for name in names_in(condition):
            add(name, [True, False] if name not in found else ())
    for name in found:
        add(name, [*_of_contacts(name), None])
    return {name: list(pool.values()) for name, pool in found.items()}


def _values_at(node: ast.AST, today: date) -> Iterator[tuple[Name, list[Any]]]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            for one, op, other in zip(sides, ops, comparators, strict=False):
                yield from _compared(one, op, other, today)
                yield from _compared(other, op, one, today)
        case ast.Call(func=ast.Name(id=function), args=[first, second]) if function in _FUNCTIONS:
            name, part = _name(first), _constant(second)
            if name is not None and part is not None:
                yield name, [*_with_part(name, function, part), OTHER]
        case ast.Call(func=ast.Name(id="is_empty"), args=[first]) if (name := _name(first)) is not None:
            yield name, [OTHER]
        case ast.Call(func=ast.Name(id="has_tag"), args=[ast.Constant(value=str(tag))]):
            yield (TAG, tag), [True]


def _compared(one: ast.expr, op: ast.cmpop, other: ast.expr, today: date) -> Iterator[tuple[Name, list[Any]]]:
    """Values for the name on one side of a comparison."""
    match one:
        case ast.Call(func=ast.Name(id="days_since" | "days_until" as function), args=[inner]):
            name, number = _name(inner), _constant(other)
            if name is not None and isinstance(number, int | float):
                back = -1 if function == "days_since" else 1
                days = [back * (int(number) + more) for more in (0, 1, -1)]
                # Days go by on the way: also what is far enough from the line that it stays on its side.
                yield name, [str(today + timedelta(days=each)) for each in (*days, 0, 365, -365)]
            return
    name = _name(one)
    if name is None:
        return
    match other:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            yield name, [*(value for item in items if (value := _constant(item)) is not None), OTHER]
        case ast.Call(func=ast.Name(id="now")):
            yield name, [str(today + timedelta(days=days)) for days in (-1, 1, 0)]
        case ast.Attribute():  # two names: values that are alike, and some that are not
            yield name, [1, 2, 3, "a", "b"]
        case _ if (constant := _constant(other)) is not None:
            yield name, [[constant], [OTHER]] if isinstance(op, ast.In | ast.NotIn) else _beside(constant)


def _beside(constant: Any) -> list[Any]:
    """A value, and those right before and after it."""
    match constant:
        case bool():
            return [constant, not constant]
        case int() | float():
            return [constant, constant + 1, constant - 1]
        case str() if (day := read_date(constant)) is not None:
            return [constant, *(str(day + timedelta(days=days))[:10] for days in (1, -1))]
    return [constant, OTHER]


def _with_part(name: Name, function: str, part: Any) -> list[Any]:
    """Values that have a part in the place a function looks at: a text or, for `contains`, also a list."""
    if name == ("contact", "email") and isinstance(part, str):
        return [f"ana@mail{part}", f"ana{part}", f"{part}@example.com"]  # those that are no addresses are left out
    if name == ("contact", "phone") and function == "starts_with" and isinstance(part, str):
        return list(_phones(part))
    return [part, [part]] if function == "contains" else [part]


def _phones(prefix: str) -> Iterator[str]:
    """Telephone numbers of the country a prefix belongs to."""
    digits = prefix.removeprefix("+")
    for length in (1, 2, 3):
        if len(digits) >= length and digits[:length].isdigit():
            region = region_code_for_country_code(int(digits[:length]))
            number = example_number(region) if region not in ("ZZ", "001") else None
            if number is not None:
                yield format_number(number, PhoneNumberFormat.E164)


def _of_contacts(name: Name) -> list[Any]:
    """More for what every contact has: a text that is no address would be none of theirs."""
    match name:
        case ("contact", "time_zone"):
            return ["Europe/Zagreb"]
        case ("contact", "email"):
            return [EMAIL]
        case ("contact", "phone"):
            return [PHONE]
    return []


def _name(node: ast.AST) -> Name | None:
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, syntax.spoken(node.attr))
        node = node.value
    return (node.id, *path) if path and isinstance(node, ast.Name) and node.id in ROOTS else None


def _constant(node: ast.AST) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Name(id="true" | "false" as word):
            return word == "true"
    return None


def _is_own(field: str, value: str) -> bool:
    try:
        match field:
            case "email":
                return email_address(value) == value
            case "phone":
                return phone_number(value) == value
    except BadAddress:
        return False
    return field != "time_zone" or value in zone_names()


def samples(templates: Iterable[Template], types: Mapping[str, str] | None) -> dict[Name, Any]:
    """Something for each name of contacts and entries that texts print."""
    found: dict[Name, Any] = {}
    for use in (use for template in templates for use in template.names()):
        if use.root not in ("contact", "entry") or not use.path or use.name in (*CONTACT_FIELDS, "tags", "name"):
            continue
        kind = (types or {}).get(use.name, "text") if use.root == "contact" else "text"
        text = "Ana" if "name" in use.path[-1] else f"their {use.path[-1].replace('_', ' ')}"
        found[use.root, *use.path] = _SAMPLES.get(kind, text)
    return found


_SAMPLES: Mapping[str, Any] = MappingProxyType({"number": 1, "boolean": True, "date": "2026-01-12", "list": ["a", "b"]})


def fits(name: Name, value: Any, types: Mapping[str, str] | None) -> bool:
    """Whether a contact may have this value: as far as the project declares attributes, and addresses have a form."""
    if value is None or name[0] != "contact":
        return True
    field = name[1]
    if field in CONTACT_FIELDS:
        return isinstance(value, str) and _is_own(field, value)
    kind = None if types is None else types.get(field)
    match kind:
        case None:
            return types is None
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "date":
            return isinstance(value, str) and read_date(value) is not None
    return isinstance(value, str)
