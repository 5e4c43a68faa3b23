"""What was found, as a table for a terminal, as data, and as the figures of a page."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.figures import WALL, Chapter, Figure, shown
from benchmarks.plot import plot
from benchmarks.scale import Scale


def machine() -> str:
    """What it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def print_tables(chapters: Mapping[str, Chapter]) -> None:
    """For people."""
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a file has room
    for chapter in chapters.values():
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("", overflow="fold")
        table.add_column("tactful", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for name in ("floor", "ratio"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("target", no_wrap=True)
        for each in chapter.figures:
            *cells, target = _cells(each)
            met = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}[each.met]
            table.add_row(each.what, *cells, f"{target}  {met}".strip())
        console.print(f"[bold]{chapter.title}[/]")
        console.print(chapter.said, style="dim", highlight=False)
        console.print(table)


def as_data(chapters: Mapping[str, Chapter], scale: Scale) -> dict[str, Any]:
    """For scripts."""
    return {
        "machine": machine(), "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": {name: getattr(scale, name) for name in scale.__slots__},
        "benchmarks": {
            name: {"title": each.title, "said": each.said, "figures": [figure.plain() for figure in each.figures]}
            for name, each in chapters.items()
        },
    }  # fmt: skip


def write(page: Path, chapters: Mapping[str, Chapter]) -> None:
    """Renew the figures of some benchmarks, by their names, between the marks a page has for them, and the plot beside
    it. All else stays as it is written."""
    text = page.read_text(encoding="utf-8")
    for name, chapter in chapters.items():
        text = _between(text, f"figures: {name}", _figures(page, chapter))
        if chapter.points:
            page.with_suffix(".svg").write_text(plot(chapter.points), encoding="utf-8")
    page.write_text(_between(text, "targets", _targets(text)), encoding="utf-8")


def _between(text: str, mark: str, lines: Sequence[str]) -> str:
    """A text with other lines between a mark and its end."""
    begin, end = f"<!-- {mark} -->", "<!-- end -->"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"the page has no place for these figures: put `{begin}` and `{end}` where they belong")
    return "\n".join([before + begin, *lines, rest[rest.index(end) :]])


def _targets(text: str) -> list[str]:
    """What the tables of a page say of targets: those of this run, and of those before."""
    met = re.findall(r"\| met \|$", text, re.MULTILINE)
    missed = re.findall(
        r"^\| (.*?) \| (.*?) \| (.*?) \|.*?\| (\S*) \| ([^|]+) \| \*\*not met\*\* \|$", text, re.MULTILINE
    )
    lines = [f"Of {len(met) + len(missed)} figures that have a target, {len(met)} meet it."]
    if missed:
        lines += ["These do not:", ""]
    for what, value, unit, ratio, target in missed:
        lines.append(
            f"- {what}: {f'{ratio} of floor' if 'floor' in target else f'{value} {unit}'}; the target is {target}"
        )
    return lines


def _figures(page: Path, chapter: Chapter) -> list[str]:
    picture = f"![What a contact costs, with more and more behind it]({page.stem}.svg)"
    met = {True: "met", False: "**not met**", None: ""}
    return [
        f"### {chapter.title}", "", chapter.said, "", *([picture, ""] if chapter.points else []),
        "| | tactful | | floor | ratio | target | |", "|---|--:|---|--:|--:|--:|---|",
        *(f"| {each.what} | {' | '.join(_cells(each))} | {met[each.met]} |" for each in chapter.figures),
        "", f"{datetime.now(UTC):%Y-%m-%d}, {machine()}.",
    ]  # fmt: skip


def _cells(figure: Figure) -> tuple[str, str, str, str, str]:
    """The value, its unit, the floor's value, the ratio, the target."""
    return (
        shown(figure.value),
        figure.unit + (", wall-clock" if figure.clock == WALL else ""),
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
