"""The simulator: visits a second, on one core and on all; and whether its memory stays flat."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from time import monotonic, process_time

import psutil

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import WALL, Chapter, Figure, Target
from benchmarks.scale import Scale
from tactful.engine.simulation.run import Trial, simulate

DAYS = 7


def simulating(scale: Scale, _: Sequence[Kind]) -> Chapter:
    """The standard journey's crowd, in virtual time."""
    cores = os.cpu_count() or 1
    _play(2_000, 1)  # what is made once is made
    few = psutil.Process().memory_info().rss
    spent = process_time()
    visits = _play(scale.simulated, 1)
    one = visits / (process_time() - spent)
    many = psutil.Process().memory_info().rss
    began, spent = monotonic(), _spent_by_others()
    visits = _play(scale.simulated * cores, cores)
    all_of_them, each = visits / (monotonic() - began), visits / (_spent_by_others() - spent)
    figures = [
        Figure("simulated on one core", one, "visits a second", target=Target(least=200_000)),
        Figure(f"simulated on {cores} cores, each by its own processor time", each, "visits a second"),
        Figure(f"simulated on {cores} cores, together", all_of_them, "visits a second", WALL),
        Figure("memory after a crowd, of that after a small one", many / few, "times", None, target=Target(1.1)),
    ]
    return Chapter(
        "The simulator",
        figures,
        f"{scale.simulated:,} contacts on the standard journey, for each core. The start of processes counts.",
    )


def _spent_by_others() -> float:
    """Seconds of processor time that processes used which this one started and saw end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _play(contacts: int, processes: int) -> int:
    trial = Trial({"flow.yaml": journey.FLOW}, contacts, journey.NOW, DAYS, senders={journey.SENDER: "email"})
    return sum(sum(tally.left) for tally in simulate(trial, [1], processes))
