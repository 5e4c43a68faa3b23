"""Makes scenarios for the exits of a flow: plans, solves, plays, until one takes the exit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

from tactful.elements.contract import Send
from tactful.elements.options.condition import Condition
from tactful.engine.instants import parse_instant
from tactful.engine.testing.coverage import Exit, Taken
from tactful.engine.testing.generate.people import written
from tactful.engine.testing.generate.plans import Hop, Plan, plans
from tactful.engine.testing.generate.play import Played, Stage, Strayed, channels_of, play
from tactful.engine.testing.generate.solve import Solver
from tactful.engine.testing.generate.values import Values, nested, samples

MOST_PLANS, MOST_SOLUTIONS = 8, 3
"""For each exit: how many ways to it are tried, and each with how many sets of values."""


@dataclass(frozen=True, slots=True)
class Made:
    """A scenario that was made: for which exit, and which others it takes that no scenario before it did."""

    exit: Exit
    also: tuple[Exit, ...]
    played: Played

    @property
    def name(self) -> str:
        """What it is called until somebody says what it shows."""
        return f"{self.exit.element} -> {self.exit.exit}"

    def also_shows(self, most: int) -> str:
        """The other exits in words, no more than so many of them; empty where there are none."""
        said = [f"{each.element} -> {each.exit}" for each in self.also]
        more = f" and {len(said) - most} more" if len(said) > most else ""
        return ", ".join(said[:most]) + more


@dataclass(frozen=True, slots=True)
class Unreached:
    """An exit for which none was found; why, in words."""

    exit: Exit
    why: str


class Maker:
    """Makes scenarios for one flow."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._channels = channels_of(stage.flow)
        now = parse_instant(stage.at, ZoneInfo(stage.time_zone))
        types = None if stage.project is None else stage.project.contact
        self._solver = Solver(stage.flow, self._channels, now, types)
        self._types = types

    def make(self, exits: Iterable[Exit], tell: Callable[[Exit], None]) -> tuple[list[Made], list[Unreached]]:
        """Scenarios that take these exits. Those farthest from the start are looked for first: on the way to them most
        others are taken, and one story is easier to read than all its beginnings."""
        flow = self._stage.flow
        missing = {(each.element, each.exit): each for each in exits}
        first = {key: next(plans(flow, Hop(*key)), None) for key in missing}
        made, unreached = [], []
        for key in sorted(missing, key=lambda key: -len(first[key] or ())):
            if key not in missing:
                continue
            exit = missing[key]
            tell(exit)
            played = self._one(exit) if first[key] is not None else Strayed("no path of the flow leads there")
            if isinstance(played, Strayed):
                unreached.append(Unreached(exit, played.why))
                continue
            new = [missing.pop(each) for each in list(missing) if Taken(flow.id, *each) in played.taken]
            made.append(Made(exit, tuple(each for each in new if each != exit), played))
        order = {id: number for number, id in enumerate(flow.nodes)}
        # What another one took in passing is reached after all.
        left = [each for each in unreached if (each.exit.element, each.exit.exit) in missing]
        return sorted(made, key=lambda each: order[each.exit.element]), left

    def _one(self, exit: Exit) -> Played | Strayed:
        """A scenario that takes an exit; else why there is none."""
        why = Strayed("no way to it was found")
        wanted = Taken(self._stage.flow.id, exit.element, exit.exit)
        for number, plan in enumerate(islice(plans(self._stage.flow, Hop(exit.element, exit.exit)), MOST_PLANS)):
            solved = False
            for values, rehearsal in islice(self._solver.solutions(plan), MOST_SOLUTIONS):
                solved = True
                for given in self._with_samples(plan, values):
                    contact = written(given, self._channels)
                    played = play(self._stage, plan, contact, nested(given, "entry"), rehearsal.stimuli)
                    if isinstance(played, Played) and wanted in played.taken:
                        return played
                    if isinstance(played, Strayed) and number == 0:
                        why = played
            if not solved and number == 0:
                why = Strayed(self._unsolved(plan))
        return why

    def _with_samples(self, plan: Plan, values: Values) -> Iterator[Values]:
        """The values; then the same with something for all that the texts of the messages on the way name."""
        yield values
        nodes = self._stage.flow.nodes
        sends = [node.element for hop in plan if isinstance((node := nodes[hop.element]).element, Send)]
        more = samples((template for send in sends for template in send.parts().values()), self._types)
        if more.keys() - values.keys():
            yield {**more, **values}

    def _unsolved(self, plan: Plan) -> str:
        """At which hop of a plan nothing that was tried helped."""
        best = self._solver.farthest
        if best < 0:
            return "nobody was found who enters the flow"
        hop = plan[min(best, len(plan) - 1)]
        paths = getattr(self._stage.flow.nodes[hop.element].element, "paths", {})
        asks = paths.get(hop.exit) if isinstance(paths, Mapping) else None
        said = f": `{asks.text}`" if isinstance(asks, Condition) else ""
        return f"nothing was found that makes a contact leave `{hop.element}` by `{hop.exit}`{said}"
