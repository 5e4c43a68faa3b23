"""`make bench`: what a contact costs, beside the floor, on this machine and in one run.

The engine and the floor take turns, several times; what is printed are medians. Processor time is compared, not
seconds: what else the machine does changes those.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import floor, journey


def main() -> None:
    """Measure, print a table or JSON."""
    options = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    options.add_argument("--contacts", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    gc.set_threshold(50_000, 20, 50)  # as the daemon has it
    costs: list[journey.Costs] = []
    floors: list[float] = []
    for number in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            floors.append(floor.run(Path(folder) / "floor.db", asked.contacts))
            engine = journey.prepare(f"sqlite:///{folder}/engine.db", asked.contacts)
            gc.collect()
            gc.freeze()
            costs.append(journey.run(engine, asked.contacts))
            journey.check(engine, asked.contacts)
            engine.close()
            gc.unfreeze()
        print(f"round {number + 1} of {asked.rounds}", file=sys.stderr)
    phases = {name: median(each.phases[name] for each in costs) for name in journey.PHASES}
    whole, least = median(each.whole for each in costs), median(floors)
    if asked.json:
        figures = {"contacts": asked.contacts, "phases_us": phases, "whole_us": whole, "floor_us": least}
        print(json.dumps(figures, indent=2))
        return
    print(f"the standard journey, {asked.contacts:,} contacts, SQLite, microseconds of processor time a contact")
    for name, cost in phases.items():
        print(f"  {name:10} {cost:8.1f}")
    print(f"  {'whole':10} {whole:8.1f}")
    print(f"  {'floor':10} {least:8.1f}   the same rows, plain statements in batches")
    print(f"  {'ratio':10} {whole / least:8.1f}")


main()
