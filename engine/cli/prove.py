"""`tactful check --prove`: what holds on every path of the flows, and the paths on which it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tactful.flows.prove.proof import Proof, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tactful.engine.project import Project
    from tactful.flows.model import Flow, Surroundings

SAYS: Mapping[Verdict, tuple[str, str]] = {
    "holds": ("holds", "good"),
    "fails": ("does not hold", "bad"),
    "unknown": ("cannot be known", "warn"),
}
"""The answers in words, each with its style."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A flow, where it stands, and what is proved of it. `runs` is False where it has errors: its path is shown, and
    no scenario can go it."""

    file: Path
    flow: Flow
    project: Project | None
    runs: bool
    proofs: tuple[Proof, ...]


def prove_flow(file: Path, flow: Flow, project: Project | None, *, runs: bool, without: Collection[str]) -> Proved:
    """Prove what there is to prove about a flow, with what the project around it says."""
    from tactful.flows.model import LONE
    from tactful.flows.prove import prove

    around: Surroundings = LONE if project is None else project.surroundings()
    words = None if project is None else _opt_out_words(project)
    return Proved(file, flow, project, runs, prove(flow, around, words, without))


def _opt_out_words(project: Project) -> Mapping[str, frozenset[str]]:
    from tactful.engine.optout.keywords import Rulebook
    from tactful.engine.optout.packs import pack

    found = {}
    for name, sender in (project.senders or {}).items():
        if sender.two_way:
            words = Rulebook(project.opt_out.keywords, name, pack).words
            found[name] = frozenset(word.written for word in words if word.kind == "block")
    return found


def failed(proved: Sequence[Proved]) -> int:
    """How many proofs do not hold."""
    return sum(proof.verdict == "fails" for each in proved for proof in each.proofs)


def as_json(proved: Sequence[Proved]) -> list[dict[str, Any]]:
    """The proofs as `--json` has them."""
    return [
        {
            "file": str(each.file),
            "flow": each.flow.id,
            "proof": proof.word,
            "verdict": proof.verdict,
            "says": proof.says,
            "figures": dict(proof.figures),
            "path": [
                {"element": stop.element, "exit": stop.exit, "at_ms": stop.at, "note": stop.note or None}
                for stop in proof.path
            ],
            "again_from": proof.again_from,
            "counted": list(proof.counted),
        }
        for each in proved
        for proof in each.proofs
    ]


# --- On a terminal ---------------------------------------------------------------------------------


def show(proved: Sequence[Proved]) -> None:
    """Print the proofs flow by flow, and the path of each that does not hold."""
    from rich.padding import Padding
    from rich.text import Text

    from tactful.engine.cli.screen import out

    console = out()
    apart = True  # whether a line must part what comes next from what stands above
    for each in proved:
        console.print(Text.assemble("\n", (each.flow.id, "head"), ("  " + str(each.file), "dim"), "\n"))
        for proof in each.proofs:
            console.print(Padding(_sentence(proof), (0, 0, 0, 2), expand=False))
            apart = proof.verdict == "holds" or not proof.path
            if not apart:
                console.print(Padding(_path(proof), (1, 0, 1, 4), expand=False))
    counted = dict.fromkeys(said for each in proved for proof in each.proofs for said in proof.counted)
    if counted:
        said = f"Counted so: {'; '.join(counted)}. Times on a path are the soonest."
        console.print(Padding(Text(said, "dim"), (int(apart), 0, 0, 2), expand=False))


def _sentence(proof: Proof) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from tactful.engine.cli.screen import plain

    said, style = SAYS[proof.verdict]
    row = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for width in (max(len(word) for word, _ in SAYS.values()), max(map(len, _words()))):
        row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(said, style), Text(proof.word, "name"), Text(plain(proof.says)))
    return row


def _words() -> Sequence[str]:
    from tactful.flows.prove import CLAIMS

    return list(CLAIMS)


def _path(proof: Proof) -> RenderableType:
    """The path of a proof: when, which element, by which exit; a round is marked at its side."""
    from rich.table import Table
    from rich.text import Text

    from tactful.engine.cli.screen import how_long, plain

    rows = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    rows.add_column(justify="right", style="dim", no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, style="name")
    rows.add_column()
    last = len(proof.path) - 1
    for number, stop in enumerate(proof.path):
        again = proof.again_from is not None and number >= proof.again_from
        side = "" if not again else "↺ " if number == last else "│ " if number != proof.again_from else "┌ "
        exit = "stays" if stop.exit is None else stop.exit
        note = stop.note + (f", and again to {proof.path[proof.again_from or 0].element}" if side == "↺ " else "")
        note = note.removeprefix(", and ")
        rows.add_row(how_long(stop.at), Text(side + plain(stop.element)), Text(plain(exit)), Text(plain(note), "warn"))
    return rows


def sum_up(proved: Sequence[Proved], *, saved: bool) -> None:
    """Say how many proofs hold, and what may be done about those that do not."""
    from tactful.engine.cli.screen import count, say

    proofs = [proof for each in proved for proof in each.proofs]
    bad, unknown = failed(proved), sum(proof.verdict == "unknown" for proof in proofs)
    holding = len(proofs) - bad - unknown
    said: list[str | tuple[str, str]] = [
        (f"{count(holding, 'proof')} hold{'s' * (holding == 1)}", "" if bad else "good")
    ]
    if bad:
        said += [", ", (f"{bad} do{'es' * (bad == 1)} not", "bad")]
    if unknown:
        said += [", ", (f"{unknown} cannot be known", "warn")]
    say()
    say(*said)
    if bad and not saved:
        say(("  hint: --save-scenario FILE writes the paths as scenarios; --except WORD leaves a proof out", "name"))


# --- As scenarios ----------------------------------------------------------------------------------


def save(proved: Proved, file: Path) -> tuple[int, int]:
    """Write the counter-examples of a flow as scenarios: how many there are, and how many run as they are."""
    import os

    from tactful.elements import catalogue
    from tactful.engine.testing.counter_example import counter_example, written

    words = catalogue()
    shown = [proof for proof in proved.proofs if proof.verdict == "fails" and proof.path]
    found = [counter_example(proof, proved.flow, proved.project, words) for proof in shown]
    beside = os.path.relpath(proved.file.absolute(), file.absolute().parent)
    if found:
        file.write_text(written(Path(beside).as_posix(), found), encoding="utf-8")
    return len(found), sum(not each.missing for each in found)
