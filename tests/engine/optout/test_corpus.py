"""Precision and recall of what is decided, on answers labelled by what people mean (corpus.yaml).

The words of the packs and this corpus have one author, so the figures say how well the two agree, more than what to
expect of strangers; the row `own-words` is nearer to that.

A block that nobody asked for is a customer lost, an opt-out that was missed is a message after STOP. The one must not
happen here at all; the other may only where the word is misspelt past recognition, and never for a sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tactful.engine.optout.keywords import Decision, Rulebook, decide
from tactful.engine.optout.packs import pack, pack_names
from tactful.engine.project_options import PackRule
from tactful.flows.source import read

CORPUS = Path(__file__).with_name("corpus.yaml")
LABELS = ("block", "sentence", "own-words", "review", "unblock", "none")
ASKS_TO_OPT_OUT = frozenset({"block", "sentence", "own-words"})


@dataclass(frozen=True)
class Answer:
    packs: tuple[str, ...]
    expect: str
    text: str
    headers: Mapping[str, str]
    blocked: bool

    def __str__(self) -> str:
        return f"{self.text!r} {dict(self.headers) or ''} ({', '.join(self.packs)})"


@dataclass(frozen=True)
class Judged:
    answer: Answer
    decision: Decision


@lru_cache
def rulebook(packs: tuple[str, ...]) -> Rulebook:
    return Rulebook([PackRule(pack=name, level="any_sender") for name in packs], None, pack)


def answers() -> list[Answer]:
    document, problems = read(CORPUS.name, CORPUS.read_bytes())
    assert document is not None, problems
    assert not problems, [problem.render() for problem in problems]
    found = []
    for group in document.data:
        for text in group["texts"]:
            item: dict[str, Any] = text if isinstance(text, dict) else {"text": str(text)}
            headers: dict[str, str] = dict(item.get("headers") or {})
            blocked = bool(group.get("blocked", False))
            found.append(Answer(tuple(group["packs"]), group["expect"], item["text"], headers, blocked))
    return found


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [
        Judged(
            answer,
            decide(answer.text, rulebook(answer.packs), blocked_now=answer.blocked, headers=answer.headers),
        )
        for answer in answers()
    ]


def of(judged, label):
    return [one for one in judged if one.answer.expect == label]


def listed(found):
    return "\n".join(f"  {one.answer} -> {one.decision.decision}: {one.decision.why}" for one in found)


def share(part, whole):
    return len(part) / len(whole) if whole else 1.0


def figures(judged):
    """The table that is printed, as lines."""
    counts = Counter((one.answer.expect, one.decision.decision) for one in judged)
    decisions = ("block", "review", "unblock", "none")
    lines = [f"{len(judged)} answers, {len({name for one in judged for name in one.answer.packs})} packs"]
    lines.append(f"{'meant':<10}" + "".join(f"{decision:>9}" for decision in decisions) + f"{'all':>9}")
    lines += [
        f"{label:<10}"
        + "".join(f"{counts[label, decision]:>9}" for decision in decisions)
        + f"{sum(counts[label, decision] for decision in decisions):>9}"
        for label in LABELS
    ]
    for name, precision, recall in (("block", *block(judged)), ("unblock", *unblock(judged))):
        lines.append(f"{name}: precision {precision:.4f}, recall {recall:.4f}")
    needless = [one for one in of(judged, "none") if one.decision.decision == "review"]
    lines.append(f"read by a person for nothing: {len(needless)} of {len(of(judged, 'none'))}")
    return lines


def block(judged):
    """Precision and recall of blocks. To block who asked for it in a sentence is right as well."""
    blocked = [one for one in judged if one.decision.decision == "block"]
    right = [one for one in blocked if one.answer.expect in ASKS_TO_OPT_OUT]
    meant = of(judged, "block")
    return share(right, blocked), share([one for one in meant if one.decision.decision == "block"], meant)


def unblock(judged):
    unblocked = [one for one in judged if one.decision.decision == "unblock"]
    meant = of(judged, "unblock")
    right = [one for one in unblocked if one.answer.expect == "unblock"]
    return share(right, unblocked), share([one for one in meant if one.decision.decision == "unblock"], meant)


def test_the_corpus_is_large_and_balanced(judged):
    assert len(judged) >= 500
    assert {one.answer.expect for one in judged} == set(LABELS)
    assert share([one for one in judged if one.answer.expect not in ASKS_TO_OPT_OUT], judged) >= 0.4
    assert len({(one.answer.packs, one.answer.blocked, str(one.answer)) for one in judged}) == len(judged)


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_is_tried(name):
    tried = {answer.expect for answer in answers() if name in answer.packs}
    assert tried >= {"block", "sentence", "none", "unblock"}


def test_figures(judged, record_property):
    """Nothing is held here: the lines are shown at the end of the run (conftest.py), and stand in its report."""
    for line in figures(judged):
        record_property("keywords", line)


def test_nobody_is_blocked_who_did_not_ask_for_it(judged):
    wrong = [one for one in judged if one.decision.decision == "block" and one.answer.expect not in ASKS_TO_OPT_OUT]
    assert not wrong, "\n" + listed(wrong)


def test_nobody_is_unblocked_who_did_not_ask_for_it(judged):
    wrong = [one for one in judged if one.decision.decision == "unblock" and one.answer.expect != "unblock"]
    assert not wrong, "\n" + listed(wrong)


def test_who_asks_to_opt_out_is_blocked(judged):
    missed = [one for one in of(judged, "block") if one.decision.decision != "block"]
    assert block(judged)[1] >= 0.97, "\n" + listed(missed)


def test_who_asks_to_hear_again_is_unblocked(judged):
    missed = [one for one in of(judged, "unblock") if one.decision.decision != "unblock"]
    assert unblock(judged)[1] >= 0.97, "\n" + listed(missed)


def test_a_sentence_that_opts_out_is_never_passed_over(judged):
    missed = [one for one in of(judged, "sentence") if one.decision.decision not in {"block", "review"}]
    assert not missed, "\n" + listed(missed)


def test_what_is_in_doubt_is_read_by_a_person(judged):
    acted = [one for one in of(judged, "review") if one.decision.decision != "review"]
    assert not acted, "\n" + listed(acted)
