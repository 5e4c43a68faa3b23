"""From the text of a condition to closures: the grammar, what each part means, and what it needs to be.

Python's own parser reads the text (it is never run), a short whitelist admits what the language has, and each
admitted part becomes a closure over its parts, once. A closure takes the scope it is evaluated in, a plain
tuple, and neither raises nor loops over anything but a list in the data.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tactful.elements.options import comparison, syntax
from tactful.elements.options.mistake import Mistake, meant
from tactful.elements.options.wall_time import read_date
from tactful.elements.options.written import NameUse

if TYPE_CHECKING:
    from tactful.elements.contract import Contact, Event

Scope = tuple["Contact", "Event", "Event", Mapping[str, Any], int, ZoneInfo]
"""What a condition looks at: contact, entry, event, the journey's values, now, the contact's zone."""
CONTACT, ENTRY, EVENT, JOURNEY, NOW, ZONE = range(6)

Value = Callable[[Scope], Any]
"""Gives a value of the data; None is a missing one."""
Test = Callable[[Scope], bool]

ROOTS = ("contact", "entry", "event", "journey")
CONTACT_FIELDS = ("id", "email", "phone", "time_zone")
"""What every contact has besides its attributes."""

ANYTHING = frozenset({"text", "number", "boolean", "date", "list"})

DEEPEST = 40


class Demand(NamedTuple):
    """What the place a name stands in asks of its type: one of `kinds`; `because` completes "… is a number,
    but "."""

    use: NameUse
    kinds: frozenset[str]
    because: str


class Pair(NamedTuple):
    """Two names compared with each other, which only makes sense for values of one kind."""

    left: NameUse
    right: NameUse


class Compiled(NamedTuple):
    """A condition ready to be asked, and what was learnt of it on the way."""

    test: Test
    names: tuple[NameUse, ...]
    demands: tuple[Demand, ...]
    pairs: tuple[Pair, ...]
    uses_time: bool


def compile_condition(text: str) -> Compiled:
    """Read a condition. Raises `Mistake` with the offset in `text` at which it cannot be understood."""
    return _Reader(text).read()


class _Part(NamedTuple):
    """A compiled part of an expression: how to get its value, and what is known of it without any data."""

    value: Value
    kind: str | None = None
    """`text`, `number`, `boolean`, `list`, `day` (a text that is a date), `moment` (`now()`); None: only the
    data knows."""
    literal: bool = False
    constant: Any = None
    use: NameUse | None = None
    test: Test | None = None
    """For a part that is true or false by itself."""


class _Reader:
    """Compiles one condition. Collects its names while it goes down the tree."""

    def __init__(self, text: str) -> None:
        self.uses: list[NameUse] = []
        self.demands: list[Demand] = []
        self.pairs: list[Pair] = []
        self.uses_time = False
        self.depth = 0
        self.shift = len(text) - len(text.lstrip())
        self.source = syntax.spare_keywords(text.strip())
        self.tree = syntax.parse(text)

    def read(self) -> Compiled:
        test = self.test(self.tree)
        names = tuple(sorted(self.uses, key=lambda use: use.at))
        return Compiled(test, names, tuple(self.demands), tuple(self.pairs), self.uses_time)

    def offset(self, node: ast.expr) -> int:
        """Where a node stands in the text; the parser counts bytes, we count characters."""
        return self.shift + len(self.source.encode()[: node.col_offset].decode(errors="ignore"))

    def wrong(self, node: ast.expr, message: str, hint: str | None = None, code: str = "bad-condition") -> Mistake:
        return Mistake(message, self.offset(node), hint, code)

    def deeper(self, node: ast.expr) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(node, f"a condition nests {DEEPEST} deep at most", code="too-deep")

    # -- what is true or false --------------------------------------------------------------------

    def test(self, node: ast.expr) -> Test:
        """Compile a part as something true or false."""
        self.deeper(node)
        try:
            match node:
                case ast.BoolOp(op=ast.And(), values=values):
                    return comparison.all_of([self.test(value) for value in values])
                case ast.BoolOp(values=values):
                    return comparison.any_of([self.test(value) for value in values])
                case ast.UnaryOp(op=ast.Not(), operand=operand):
                    negated = self.test(operand)
                    return lambda scope: not negated(scope)
                case ast.Compare():
                    return self.compare(node)
            part = self.part(node)
            if part.test is not None:
                return part.test
            if part.kind not in (None, "boolean"):
                raise self.wrong(node, "this is a value, neither true nor false", "compare it with something")
            if part.use is not None:
                self.demands.append(Demand(part.use, frozenset({"boolean"}), "stands here as if it were true or false"))
            value = part.value
            return lambda scope: value(scope) is True
        finally:
            self.depth -= 1

    def compare(self, node: ast.Compare) -> Test:
        nodes = [node.left, *node.comparators]
        parts = [self.part(one) for one in nodes]
        links = [
            self.link(nodes[index], parts[index], op, nodes[index + 1], parts[index + 1])
            for index, op in enumerate(node.ops)
        ]
        return links[0] if len(links) == 1 else comparison.all_of(links)

    def link(self, left_node: ast.expr, left: _Part, op: ast.cmpop, right_node: ast.expr, right: _Part) -> Test:
        """One comparison of a chain."""
        name = _OPERATORS.get(type(op))
        if name is None:
            word = "==" if isinstance(op, ast.Is) else "!="
            raise self.wrong(right_node, "`is` compares nothing here", f"write `{word}`")
        if name in ("in", "not in"):
            return self.member(left_node, left, name, right_node, right)
        for node, part in ((left_node, left), (right_node, right)):
            if part.kind == "list":
                raise self.wrong(node, f"a list cannot be compared by `{name}`", "write `… in [a, b]`")
            if part.kind == "boolean" and name not in ("==", "!="):
                raise self.wrong(node, f"true and false have no order, so `{name}` says nothing")
        if left.literal and right.literal:
            raise self.wrong(left_node, "both sides are fixed, so this never changes")
        self.check_kinds(right_node, left, right)
        self.demand(left, right)
        self.demand(right, left)
        if left.use is not None and right.use is not None:
            self.pairs.append(Pair(left.use, right.use))
        if "moment" in (left.kind, right.kind) or "day" in (left.kind, right.kind):
            return comparison.of_times(left.value, name, right.value)
        if right.literal:
            return comparison.with_constant(left.value, name, right.constant)
        if left.literal:
            return comparison.with_constant(right.value, comparison.MIRRORED[name], left.constant)
        return comparison.of_values(left.value, name, right.value)

    def check_kinds(self, node: ast.expr, left: _Part, right: _Part) -> None:
        """Refuse what can never hold, where both sides are known without any data."""
        if left.kind and right.kind and not _SAME_KIND[left.kind] & _SAME_KIND[right.kind]:
            raise self.wrong(node, f"{_A[left.kind]} is never like {_A[right.kind]}", code="type-mismatch")

    def demand(self, part: _Part, other: _Part) -> None:
        if part.use is not None and other.kind is not None:
            kinds = {"day": {"date", "text"}, "moment": {"date"}}.get(other.kind, {other.kind})
            self.demands.append(Demand(part.use, frozenset(kinds), f"is compared with {_A[other.kind]}"))

    def member(self, left_node: ast.expr, left: _Part, name: str, right_node: ast.expr, right: _Part) -> Test:
        if left.kind in ("list", "moment"):
            raise self.wrong(left_node, f"{_A[left.kind]} is never in a list")
        if right.kind not in (None, "list"):
            hint = "write `contains(…, …)` for a part of a text" if right.kind == "text" else None
            raise self.wrong(right_node, f"`{name}` asks for a list, and here is {_A[right.kind]}", hint)
        if right.use is not None:
            self.demands.append(Demand(right.use, frozenset({"list"}), f"stands after `{name}`"))
        if not right.literal:
            return comparison.in_list(left.value, name == "in", right.value)
        if left.literal:
            raise self.wrong(left_node, "both sides are fixed, so this never changes")
        if left.use is not None:
            kinds = {_kind_of_constant(item) for item in right.constant}
            wider = frozenset(kinds | ({"text", "date"} if "day" in kinds else set())) - {"day"}
            self.demands.append(Demand(left.use, wider, f"is looked for in a list of {_listed(kinds)}"))
        return comparison.in_constants(left.value, name == "in", right.constant)

    # -- values ---------------------------------------------------------------------------------

    def part(self, node: ast.expr) -> _Part:
        """Compile a part as a value."""
        self.deeper(node)
        try:
            match node:
                case ast.Constant(value=value):
                    return self.constant(node, value)
                case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if not isinstance(
                    value, bool
                ):
                    return self.constant(node, -value)
                case ast.Name(id=name):
                    return self.name(node, name)
                case ast.Attribute():
                    return self.attribute(node)
                case ast.List(elts=items) | ast.Tuple(elts=items):
                    return self.list(node, items)
                case ast.Call():
                    return self.call(node)
                case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                    test = self.test(node)
                    return _Part(test, "boolean", test=test)
                case ast.BinOp(op=op):
                    hint = _INSTEAD.get(type(op))
                    raise self.wrong(node, "conditions do no arithmetic", hint)
                case ast.UnaryOp():
                    raise self.wrong(node, "conditions do no arithmetic")
                case ast.Subscript():
                    raise self.wrong(node, "`[…]` picks nothing here", "write `event.cart.total`")
                case ast.JoinedStr():
                    raise self.wrong(node, "write the text in plain quotes")
            raise self.wrong(node, "this is not part of the language of conditions")
        finally:
            self.depth -= 1

    def constant(self, node: ast.expr, value: object) -> _Part:
        if isinstance(value, float) and not math.isfinite(value):
            raise self.wrong(node, "this number is too large")
        if isinstance(value, bool):
            return _fixed(value, "boolean")
        if isinstance(value, int | float):
            return _fixed(value, "number")
        if isinstance(value, str):
            return _fixed(value, _kind_of_constant(value))
        if value is None:
            raise self.wrong(node, "`None` is no value", "write `is_empty(contact.…)`")
        raise self.wrong(node, "this is not part of the language of conditions")

    def name(self, node: ast.expr, name: str) -> _Part:
        if name in ("true", "false"):
            return _fixed(name == "true", "boolean")
        if name in ROOTS:
            raise self.wrong(node, f"`{name}` by itself is no value", f"write `{name}.` and the name of an attribute")
        if name in ("null", "none", "nil"):
            raise self.wrong(node, f"`{name}` is no value", "write `is_empty(contact.…)`")
        hint = "write `true`" if name.lower() == "true" else "write `false`" if name.lower() == "false" else None
        if name in _FUNCTIONS:
            hint = f"write `{name}(…)`"
        elif name in ("AND", "OR", "NOT", "IN"):
            hint = f"write `{name.lower()}`"
        hint = hint or f'write `contact.{name}` for an attribute, `"{name}"` for the text'
        raise self.wrong(node, f"`{name}` is not known here", hint, "unknown-name")

    def attribute(self, node: ast.Attribute) -> _Part:
        path: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            path.insert(0, syntax.spoken(inner.attr))
            inner = inner.value
        if not isinstance(inner, ast.Name):
            raise self.wrong(
                inner, "a name begins with `contact.`, `entry.`, `event.` or `journey.`", code="unknown-name"
            )
        root = inner.id
        if root not in ROOTS:
            hint = meant(root, ROOTS) or "there are `contact.`, `entry.`, `event.` and `journey.`"
            raise self.wrong(inner, f"`{root}.` is not known here", hint, "unknown-name")
        if any(name.startswith("__") for name in path):
            raise self.wrong(node, "names do not begin with two underscores", code="unknown-name")
        if len(path) > 8:
            raise self.wrong(node, "this name has too many parts", code="too-deep")
        if root == "contact" and len(path) > 1:
            raise self.wrong(
                node, f"`contact.{path[0]}` has no parts", f"write `contact.{'_'.join(path)}`", "unknown-name"
            )
        at = self.offset(node)
        use = NameUse(root, path[0], tuple(path), at, 1, at + 1)
        self.uses.append(use)
        return _Part(comparison.getter(root, path), use=use)

    def list(self, node: ast.expr, items: list[ast.expr]) -> _Part:
        parts = [self.part(item) for item in items]
        for item, part in zip(items, parts, strict=True):
            if not part.literal or part.kind == "list":
                raise self.wrong(item, "a list holds texts, numbers, true and false, nothing else")
        if not parts:
            raise self.wrong(node, "nothing is ever in an empty list", "write `is_empty(…)` to ask for an empty value")
        return _fixed([part.constant for part in parts], "list")

    def call(self, node: ast.Call) -> _Part:
        if not isinstance(node.func, ast.Name):
            raise self.wrong(node, "there are no methods", f"there are {_FUNCTION_LIST}", "unknown-function")
        name = node.func.id
        known = _FUNCTIONS.get(name)
        if known is None:
            hint = meant(name, _FUNCTIONS) or f"there are {_FUNCTION_LIST}"
            raise self.wrong(node, f"there is no function `{name}`", hint, "unknown-function")
        wants, written = known
        if node.keywords or len(node.args) != len(wants) or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise self.wrong(node, f"`{name}` is written `{written}`", code="bad-call")
        parts = [self.part(arg) for arg in node.args]
        for arg, part, kinds in zip(node.args, parts, wants, strict=True):
            kind = "text" if part.kind == "day" and "text" in kinds else part.kind
            if kind is not None and kind not in kinds and not (kind == "day" and "date" in kinds):
                raise self.wrong(arg, f"`{name}` cannot look at {_A[kind]} here", f"write `{written}`", "type-mismatch")
            if part.use is not None and kinds != ANYTHING:
                self.demands.append(Demand(part.use, kinds, f"stands in `{name}(…)`, which asks for {_either(kinds)}"))
        if all(part.literal for part in parts) and name not in ("now", "has_tag", "days_since", "days_until"):
            raise self.wrong(node, "this looks at nothing, so it never changes")
        values = [part.value for part in parts]
        if name in ("now", "days_since", "days_until"):
            self.uses_time = True
            kind = "moment" if name == "now" else "number"
            return _Part(comparison.FUNCTIONS[name](*values), kind)
        if name == "has_tag" and not (parts[0].literal and str(parts[0].constant).strip()):
            raise self.wrong(node, "`has_tag` asks for one tag, in quotes", f"write `{written}`", "bad-call")
        test = comparison.FUNCTIONS[name](*values)
        return _Part(test, "boolean", test=test)


def _fixed(value: Any, kind: str) -> _Part:
    return _Part(lambda scope: value, kind, literal=True, constant=value)


def _kind_of_constant(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "day" if isinstance(read_date(value), date) else "text"
    return "number"


def _listed(kinds: set[str]) -> str:
    return " and ".join(sorted(_MANY[kind] for kind in kinds))


def _either(kinds: frozenset[str]) -> str:
    return " or ".join(_A[kind] for kind in sorted(kinds))


_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_INSTEAD: dict[type[ast.operator], str] = {
    ast.Sub: "a name has no `-` in it",
    ast.BitAnd: "write `and`",
    ast.BitOr: "write `or`",
}
# fmt: off
_A = {
    "text": "a text", "number": "a number", "boolean": "true or false", "list": "a list", "day": "a date",
    "moment": "a moment", "date": "a date",
}
_MANY = {"text": "texts", "number": "numbers", "boolean": "true and false", "day": "dates"}
_SAME_KIND = {
    "text": {"text"}, "number": {"number"}, "boolean": {"boolean"}, "list": {"list"},
    "day": {"time", "text"}, "moment": {"time"},
}
_TEXT, _DATE = frozenset({"text"}), frozenset({"date"})
_FUNCTIONS: dict[str, tuple[tuple[frozenset[str], ...], str]] = {
    "contains": (
        (frozenset({"text", "list"}), frozenset({"text", "number", "boolean"})),
        'contains(event.text, "later")',
    ),
    "starts_with": ((_TEXT, _TEXT), 'starts_with(contact.phone, "+385")'),
    "ends_with": ((_TEXT, _TEXT), 'ends_with(contact.email, ".example")'),
    "is_empty": ((ANYTHING,), "is_empty(contact.city)"),
    "has_tag": ((_TEXT,), 'has_tag("vip")'),
    "now": ((), "now()"),
    "days_since": ((_DATE,), "days_since(contact.last_order)"),
    "days_until": ((_DATE,), "days_until(contact.trial_ends)"),
}
# fmt: on
_FUNCTION_LIST = ", ".join(f"`{name}`" for name in _FUNCTIONS)
