"""`make bench`: what tactful costs on this machine, beside the floor, in one run.

Processor time is compared wherever it can be: what else the machine does changes seconds. Figures by the clock on the
wall say so.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import disk_usage
from tempfile import gettempdir
from time import monotonic

from benchmarks import (
    answering,
    answering_http,
    by_http,
    contact_cost,
    idling,
    many_flows,
    page,
    peers,
    simulating,
    together,
    waiting,
)
from benchmarks.databases import Kind, databases
from benchmarks.figures import Chapter
from benchmarks.progress import say
from benchmarks.scale import FULL, QUICK, Scale, million, ten_million

BENCHMARKS: dict[str, Callable[[Scale, Sequence[Kind]], Chapter]] = {
    "journey": contact_cost.whole_journey,
    "growth": contact_cost.as_it_grows,
    "waiting": waiting.that_wait,
    "due": waiting.in_the_same_second,
    "http": by_http.by_http,
    "answer": answering.answering,
    "answer-http": answering_http.answering_by_http,
    "together": together.together,
    "idle": idling.idling,
    "flows": many_flows.many_flows,
    "simulator": simulating.simulating,
    "peers": peers.peers,
}


def main() -> None:
    """Measure, print tables or JSON, and renew a page."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("only", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; without it, all")
    options.add_argument("--quick", action="store_true", help="little of each: under a minute, and rough")
    options.add_argument("--million", action="store_true", help="a million journeys due in the same second")
    options.add_argument("--ten-million", action="store_true", help="ten million that wait, and ten million behind")
    options.add_argument("--sqlite", action="store_true", help="leave PostgreSQL out")
    options.add_argument("--divide", type=int, default=1, metavar="N", help="everything by so much less")
    options.add_argument("--json", action="store_true", help="for scripts")
    options.add_argument("--write", type=Path, metavar="PAGE", help="renew their figures in a page, and its plot")
    asked = options.parse_args()
    if unknown := [name for name in asked.only if name not in BENCHMARKS]:
        options.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    scale = _scale(asked)
    if (free := disk_usage(gettempdir()).free) < scale.disk:
        options.error(
            f"up to {scale.disk // 10**9} GB are written, and in {gettempdir()} {free // 10**9} GB are free; "
            "the variable TMPDIR names another place"
        )
    chapters = measure(scale, asked.only or list(BENCHMARKS), postgresql=not asked.sqlite)
    if asked.json:
        print(json.dumps(page.as_data(chapters, scale), indent=2, ensure_ascii=False))
    else:
        page.print_tables(chapters)
    if asked.write is not None:
        page.write(asked.write, chapters)


def measure(scale: Scale, names: Sequence[str], *, postgresql: bool = True) -> dict[str, Chapter]:
    """Run benchmarks by their names, one after the other; it says on standard error how it gets on."""
    gc.set_threshold(50_000, 20, 50)  # as the daemon has it
    chapters: dict[str, Chapter] = {}
    with databases(say, postgresql=postgresql) as kinds:
        for name in names:
            began = monotonic()
            chapters[name] = BENCHMARKS[name](scale, kinds)
            say(f"{name}: {monotonic() - began:.0f} s")
    return chapters


def _scale(asked: argparse.Namespace) -> Scale:
    scale = QUICK if asked.quick else FULL
    if asked.million:
        scale = million(scale)
    if asked.ten_million:
        scale = ten_million(scale)
    return scale.divided(asked.divide) if asked.divide > 1 else scale


if __name__ == "__main__":  # processes of a pool import this, too
    main()
