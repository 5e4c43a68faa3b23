"""What was found, as a table for a terminal, as data, and as the figures of a page."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import WALL, Chapter, Figure, shown
from benchmarks.plot import plot
from benchmarks.scale import Scale

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
FIGURES = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)


def machine() -> str:
    """What it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def print_tables(chapters: Sequence[Chapter]) -> None:
    """For people."""
    console = Console()
    for chapter in chapters:
        table = Table(title=chapter.title, caption=chapter.said, title_justify="left", caption_justify="left")
        table.add_column("", ratio=1)
        for name in ("tactful", "floor", "ratio", "target", ""):
            table.add_column(name, justify="right" if name != "" else "left", no_wrap=True)
        for each in chapter.figures:
            table.add_row(_named(each), *_cells(each), {True: "[green]met", False: "[red]not met", None: ""}[each.met])
        console.print(table)
        console.print()


def as_data(chapters: Sequence[Chapter], scale: Scale) -> dict[str, Any]:
    """For scripts."""
    return {
        "machine": machine(), "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": {name: getattr(scale, name) for name in scale.__slots__},
        "chapters": [
            {"title": each.title, "said": each.said, "figures": [figure.plain() for figure in each.figures]}
            for each in chapters
        ],
    }  # fmt: skip


def write(page: Path, chapters: Sequence[Chapter]) -> None:
    """Renew the figures of a page, between its two marks, and the plot beside it. All else stays as it is written."""
    text = page.read_text(encoding="utf-8")
    if FIGURES.search(text) is None:
        raise SystemExit(f"{page} has no place for figures: put `{BEGIN}` and `{END}` where they belong")
    page.write_text(FIGURES.sub(lambda _: _figures(page, chapters), text), encoding="utf-8")
    if points := [point for each in chapters for point in each.points]:
        page.with_suffix(".svg").write_text(plot(points), encoding="utf-8")


def _figures(page: Path, chapters: Sequence[Chapter]) -> str:
    measured = [figure for each in chapters for figure in each.figures]
    held = [figure for figure in measured if figure.met is not None]
    lines = [BEGIN, f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}.", ""]
    lines.append(f"Of {len(held)} figures that have a target, {sum(bool(figure.met) for figure in held)} meet it.")
    for chapter in chapters:
        lines += ["", f"### {chapter.title}", "", chapter.said, ""]
        if chapter.points:
            lines += [f"![What a contact costs, with more and more behind it]({page.stem}.svg)", ""]
        lines += ["| | tactful | floor | ratio | target | |", "|---|--:|--:|--:|--:|---|"]
        met = {True: "met", False: "**not met**", None: ""}
        lines += [f"| {_named(each)} | {' | '.join(_cells(each))} | {met[each.met]} |" for each in chapter.figures]
    return "\n".join([*lines, END])


def _named(figure: Figure) -> str:
    return f"{figure.what}, {figure.unit}" + (" (wall-clock)" if figure.clock == WALL else "")


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    return (
        shown(figure.value),
        "" if figure.floor is None else shown(figure.floor),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        "" if figure.target is None else str(figure.target),
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor()
