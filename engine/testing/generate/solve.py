"""Finds values with which a plan is followed: hop by hop, those worth trying are tried, and each is rehearsed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

from tactful.elements.contract import Element, Instant
from tactful.elements.options.wall_time import wall_of
from tactful.elements.split import Split
from tactful.engine.interpreter import zone_of
from tactful.engine.testing.generate.people import KEY, PEOPLE, as_contact, written
from tactful.engine.testing.generate.plans import Plan
from tactful.engine.testing.generate.rehearsal import AT, THEN, Rehearsal, rehearse
from tactful.engine.testing.generate.values import (
    ANSWER,
    TAG,
    Name,
    Values,
    conditions_in,
    fits,
    names_in,
    pools,
    words_in,
)
from tactful.flows.model import ByEvent, Flow

MOST_REHEARSALS = 1_500
"""For one plan; what is not found by then is not found."""

_MOST_NAMES = 6
_ANSWERS = (ANSWER, "Who is this?", "42")
_TEXT = "text"


class Solver:
    """Solves plans of one flow, which begin at `now`. `types` are the attributes the project declares, None where it
    declares none; `channels` are those the contact is reached on."""

    def __init__(self, flow: Flow, channels: Set[str], now: Instant, types: Mapping[str, str] | None) -> None:
        self._flow = flow
        self._channels = channels
        self._now = now
        self._types = types
        zone = zone_of(as_contact({"id": "-"}), flow.settings.time_zone)
        self._today = wall_of(now, zone).date()
        entry = flow.entry.where if isinstance(flow.entry, ByEvent) else None
        self._entry = () if entry is None else (entry,)
        self._stops = tuple(rule.when for rule in flow.stop_when if rule.when is not None)
        inside = [each for node in flow.nodes.values() for each in conditions_in(dict(node.element))]
        self._pools = pools([*self._entry, *self._stops, *inside], self._today)
        self._left, self._farthest = 0, -1

    def solutions(self, plan: Plan) -> Iterator[tuple[Values, Rehearsal]]:
        """Values with which the rehearsal follows a plan to its end, no more of them than that takes; nothing where
        none are found."""
        self._left, self._farthest = MOST_REHEARSALS, -1
        seen: list[Values] = []
        for values, _ in self._better(plan, {}, self._rehearsed(plan, {})):
            fewest = self._fewest(plan, values)
            if fewest not in seen:
                seen.append(fewest)
                yield fewest, self._rehearsed(plan, fewest)

    @property
    def farthest(self) -> int:
        """How many hops of the plan solved last were taken at best, -1 where nobody was found who enters."""
        return self._farthest

    def _fewest(self, plan: Plan, values: Values) -> Values:
        """The values without those that make no difference: a contact should have nothing that means nothing."""
        for name in list(values):
            fewer = {other: value for other, value in values.items() if other != name}
            if self._rehearsed(plan, fewer).hops == len(plan):
                values = fewer
        return values

    def _rehearsed(self, plan: Plan, values: Values) -> Rehearsal:
        self._left -= 1
        went = rehearse(self._flow, plan, values, as_contact(written(values, self._channels)), self._now)
        self._farthest = max(self._farthest, went.hops)
        return went

    def _better(self, plan: Plan, values: Values, so_far: Rehearsal) -> Iterator[tuple[Values, Rehearsal]]:
        if so_far.hops >= len(plan):
            yield values, so_far
            return
        for tried in self._changes(plan, values, so_far):
            if self._left <= 0:
                return
            went = self._rehearsed(plan, tried)
            if went.hops > so_far.hops:
                yield from self._better(plan, tried, went)

    def _changes(self, plan: Plan, values: Values, so_far: Rehearsal) -> Iterator[Values]:
        """The values changed, in all ways worth trying: first what the exit itself asks for, then also what the
        element's other exits do, as little of it as may be."""
        own, all_names = self._names_at(plan, so_far)
        choices = {name: self._pool(plan, so_far, name) for name in all_names}
        yield from _each(values, {name: choices[name] for name in own})
        for name in all_names:
            if name not in own:
                choices[name] = sorted(choices[name], key=partial(_is_new, values.get(name)))
        yield from _each(values, choices)

    # --- what is worth trying where a plan is left

    def _names_at(self, plan: Plan, so_far: Rehearsal) -> tuple[list[Name], list[Name]]:
        """What decides whether the next hop is taken: the names the exit's own conditions look at; and, with them, all
        that the element's other conditions do, and the rules that stop."""
        own: list[Name] = []
        others: list[Name] = []
        if so_far.hops < 0:
            own += [_of_entry(name) for condition in self._entry for name in names_in(condition)]
        else:
            id, exit = plan[so_far.hops]
            element = self._flow.nodes[id].element
            options = dict(element)
            paths = options.get("paths")
            asks = paths.get(exit) if isinstance(paths, Mapping) else None
            own += self._named(id, element, asks, plan[: so_far.hops])
            others += self._named(id, element, options, plan[: so_far.hops])
            if not others and element.sends is None:
                others += sorted(so_far.asked)  # nothing says what it goes by: then what it asked for
        others += [name for condition in self._stops for name in names_in(condition) if _is_own(name)]
        return list(dict.fromkeys(own))[:_MOST_NAMES], list(dict.fromkeys([*own, *others]))[:_MOST_NAMES]

    def _named(self, id: str, element: Element, options: object, before: Plan) -> Iterator[Name]:
        """The names that options of an element look at, as they are chosen."""
        if isinstance(element, Split):
            yield KEY
        if any(words_in(options)):
            yield AT, id, _TEXT
        waits = element.family == "wait"
        looked_at = [name for condition in conditions_in(options) for name in names_in(condition)]
        if waits:  # what comes to hold while the journey stays is tried before what held all along
            yield from ((THEN, id, *(name if name[0] == TAG else name[1:])) for name in looked_at if _is_own(name))
        for name in looked_at:
            match name:
                case ("event", *path):
                    yield (AT, id, *path) if waits else ("entry", *path)
                case ("journey", "reply"):
                    yield from ((AT, hop.element, _TEXT) for hop in before if self._takes_answers(hop.element))
                case ("journey", *_):
                    pass  # only elements set these
                case _:
                    yield name

    def _takes_answers(self, id: str) -> bool:
        return any(words_in(dict(self._flow.nodes[id].element)))

    def _pool(self, plan: Plan, so_far: Rehearsal, name: Name) -> list[Any]:
        match name:
            case ("contact", "id"):
                return [*self._pools.get(name, [])[:-1], *PEOPLE]
            case ("at", id, "text"):
                return self._answers(id)
            case ("at", _, *path):
                return self._pools.get(("event", *path), [None])
            case ("then", _, "tag", tag):
                return self._pools.get((TAG, tag), [None])
            case ("then", _, attribute):
                return self._fitting(("contact", attribute))
            case ("entry", *path):
                both = [*self._pools.get(name, []), *self._pools.get(("event", *path), [])]
                return list({(type(value), repr(value)): value for value in both}.values()) or [None]
            case ("tag", _):
                return self._pools.get(name, [None])
        if name in self._pools:
            return self._fitting(name)
        element = self._flow.nodes[plan[max(so_far.hops, 0)].element].element
        dates = [str(self._today + timedelta(days=days)) for days in (7, -7)]
        return [value for value in [*_numbers(element), *dates, None] if fits(name, value, self._types)]

    def _fitting(self, name: Name) -> list[Any]:
        return [value for value in self._pools.get(name, [None]) if fits(name, value, self._types)]

    def _answers(self, id: str) -> list[Any]:
        """What may be answered there: the words it looks for, what conditions look for, and what nobody expects."""
        words = [word for each in words_in(dict(self._flow.nodes[id].element)) for word in each.words]
        looked_for = [*self._pools.get(("event", _TEXT), []), *self._pools.get(("journey", "reply"), [])]
        return list(dict.fromkeys([*words, *(each for each in looked_for if isinstance(each, str)), *_ANSWERS]))


def _each(values: Values, pools: Mapping[Name, list[Any]]) -> Iterator[Values]:
    """The values with each combination of what the pools hold; the names that come last change first."""
    for chosen in product(*pools.values()):
        yield {**values, **dict(zip(pools, chosen, strict=True))}


def _is_new(before: Any, value: Any) -> bool:
    return type(value) is not type(before) or value != before


def _of_entry(name: Name) -> Name:
    return ("entry", *name[1:]) if name[0] == "event" else name


def _is_own(name: Name) -> bool:
    return name[0] in ("contact", TAG)


def _numbers(element: Element) -> list[Any]:
    """The numbers among the options of an element, what lies beside them, and their differences: for what decides by
    numbers in a way of its own."""
    own = [each for _, each in element if isinstance(each, int | float) and not isinstance(each, bool)]
    apart = [one - other for one in own for other in own if one is not other]
    return list(dict.fromkeys(value + more for value in (*own, *apart) for more in (0, 1, -1)))
