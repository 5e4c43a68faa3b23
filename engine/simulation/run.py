"""A whole crowd, over all seeds and all processors.

A crowd is cut into pieces; each is played from beginning to end by itself, and only its counts come back. So a
million contacts take no more memory than some thousands, and it does not matter which process plays which piece.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context

from tactful.elements import catalogue
from tactful.elements.contract import Instant
from tactful.engine.project import Project
from tactful.engine.project_options import KeywordRule, Links, PackRule
from tactful.engine.rules.permission import NO_POLICY, Policy
from tactful.engine.simulation.behaviour import Rates
from tactful.engine.simulation.conduct import Drawing
from tactful.engine.simulation.crowd import Crowd, Person
from tactful.engine.simulation.life import Life
from tactful.engine.simulation.machine import LINKS, Machine
from tactful.engine.simulation.outcome import Tally
from tactful.engine.simulation.passage import ENTER
from tactful.engine.simulation.spot import DAY
from tactful.flows.load import load_sources
from tactful.flows.model import ByEvent, ByHand, Flow

PIECE = 2_000
"""Contacts played at a time."""

WORTH_A_PROCESS = 20_000
"""Contacts for which it takes longer to play them than to start another process."""


@dataclass(frozen=True)
class Trial:
    """What is simulated: a flow, the project around it, and a crowd. `people` are those of a file, or none: then the
    crowd is drawn. Plain data, so that another process can be told of it."""

    sources: Mapping[str, str]
    contacts: int
    begins: Instant
    days: int
    rates: Rates = field(default_factory=Rates)
    people: Sequence[Person] = ()
    policy: Policy = NO_POLICY
    transactional: frozenset[str] = frozenset()
    links: Links = LINKS
    senders: Mapping[str, str] = field(default_factory=dict)
    keywords: tuple[KeywordRule | PackRule, ...] = ()

    @classmethod
    def of(
        cls, flow: Flow, project: Project | None, contacts: int, begins: Instant, days: int, rates: Rates,
        people: Sequence[Person] = (),
    ) -> Trial:  # fmt: skip
        """A trial of a flow in its project."""
        trial = cls(dict(flow.sources), contacts, begins, days, rates, people)
        if project is None:
            return trial
        return cls(
            trial.sources, contacts, begins, days, rates, people, project.policy, project.transactional,
            project.opt_out.links, {name: each.channel for name, each in (project.senders or {}).items()},
            project.keyword_rules,
        )  # fmt: skip

    @property
    def until(self) -> Instant:
        """When it ends."""
        return self.begins + self.days * DAY

    def flow(self) -> Flow:
        """The flow, loaded from its texts."""
        loaded = load_sources(self.sources, catalogue())
        assert loaded.flow is not None, "it was loaded before"
        return loaded.flow

    def machine(self) -> Machine:
        """The flow, made ready."""
        return Machine(self.flow(), self.begins, self.until, self.policy, self.transactional, self.links)


class Stage:
    """A trial made ready in this process."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.machine = trial.machine()
        entry = self.machine.flow.entry
        self._event = entry.event if isinstance(entry, ByEvent) else None
        self._by_hand = isinstance(entry, ByHand)

    def play(self, seed: int, first: int, last: int) -> Tally:
        """Play the contacts from one number to another; what came of it."""
        trial, machine = self.trial, self.machine
        tally = Tally(machine)
        conduct = Drawing(machine, trial.rates, seed, trial.senders, trial.keywords)
        crowd = Crowd(trial.rates, seed, trial.begins, trial.people)
        for contact, came_at, agreed in crowd.contacts(first, last):
            life = Life(machine, conduct, tally, contact, trial.until, None, agreed)
            conduct.begin(life, came_at, self._event)
            if self._by_hand:
                life.plan(came_at + 1, (ENTER, None, None))
            life.live(came_at)
            tally.end(life)
        return tally


def simulate(
    trial: Trial, seeds: Sequence[int], processes: int | None = None, done: Callable[[int], None] = lambda done: None
) -> list[Tally]:
    """Play a trial once for each seed; what came of each. `done` is told how many contacts have been played.

    With more than one of the `processes` (None: as many as there are processors, where it is worth it), the program
    that calls must be importable, as with all of `multiprocessing`.
    """
    stage = Stage(trial)
    pieces = [
        (at, seed, first, min(first + PIECE - 1, trial.contacts))
        for at, seed in enumerate(seeds)
        for first in range(1, trial.contacts + 1, PIECE)
    ]
    tallies = [Tally(stage.machine) for _ in seeds]
    if processes is None:
        processes = min(os.cpu_count() or 1, 1 + len(seeds) * trial.contacts // WORTH_A_PROCESS)
    played = 0
    for at, tally in _over(processes, trial, pieces) if processes > 1 else _here(stage, pieces):
        tallies[at].add(tally)
        played += tally.contacts
        done(played)
    return tallies


Piece = tuple[int, int, int, int]


def _here(stage: Stage, pieces: Sequence[Piece]) -> Iterator[tuple[int, Tally]]:
    for at, seed, first, last in pieces:
        yield at, stage.play(seed, first, last)


def _over(processes: int, trial: Trial, pieces: Sequence[Piece]) -> Iterator[tuple[int, Tally]]:
    # Spawned, not forked, on every system alike: whoever calls may have threads.
    with ProcessPoolExecutor(processes, get_context("spawn"), _get_ready, (trial,)) as pool:
        waiting, left = set[Future[tuple[int, Tally]]](), iter(pieces)
        while True:
            waiting |= {pool.submit(_play, piece) for piece in islice(left, 2 * processes - len(waiting))}
            if not waiting:
                return
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for each in ready:
                yield each.result()


_stage: list[Stage] = []  # of a process that plays pieces: made once


def _get_ready(trial: Trial) -> None:
    _stage[:] = [Stage(trial)]


def _play(piece: Piece) -> tuple[int, Tally]:
    at, seed, first, last = piece
    return at, _stage[0].play(seed, first, last)
