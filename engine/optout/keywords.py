"""What an answer means: does it opt out, opt in again, or must a person look at it? Pure, and all of it decided here.

An answer acts when a keyword is all it says, words of courtesy aside ("STOP", "Stop. Thank you!", "stopp bitte"). A
keyword inside a sentence that opts out ("please stop sending me this", "STOP 12345") is for a person to read; one that
opts in means nothing there. A word that only contains a keyword (`nonstop`) is another word. What opts out outranks
what opts in. No answer of a machine opts anybody out.

What is decided does not depend on whether the contact is blocked, but for words of everyday talk (YES): those
unblock who is blocked, and mean nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from tactful.elements.contract import NOTHING, Level
from tactful.elements.options.words import COURTESY, normalise, signs_of, unaccented, words_of
from tactful.engine.optout.automatic import why_automatic
from tactful.engine.optout.own_words import own_words
from tactful.engine.project_options import KeywordRule, PackRule

if TYPE_CHECKING:
    from tactful.engine.optout.packs import Pack, Words

LONGEST = 20_000
"""Characters of somebody's own words that are looked at."""

_LONGEST_SAID = 100  # words that may be all keyword and courtesy: "stop stop stop …"
_WIDEST_GAP = 5  # words that `…` stands for
_INDEXED = 3  # letters of a stem: shorter ones there are none
_FOREIGN = "\0"  # stands for an address of the web or of mail: a word like no other

Code = Literal[
    "keyword", "courtesy", "sentence", "automatic", "empty", "help", "not-blocked", "nothing"
]  # fmt: skip
"""Why it was so decided, for tools: the keyword alone, or with courtesy; inside a sentence; not by a person; without
words; asks for help; a word of everyday talk by somebody who is not blocked; nothing that stands in a rule."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an answer means. With `block` and `unblock`, `level` says how far; with `review`, how far it would.

    `keyword` is the word as the rule has it, and `rule` the rule; both None where no word was found. A decision `none`
    may have them: for `help`, and for words that mean nothing here. `normalised` is the text as compared, `why` a
    plain sentence for the evidence, `code` the same for tools.
    """

    decision: Literal["block", "unblock", "review", "none"]
    keyword: str | None
    rule: KeywordRule | PackRule | None
    level: Level | None
    normalised: str
    why: str
    code: Code

    @property
    def reply(self) -> str | None:
        """What the rule answers to this, once. A pack's reply is for words that block only."""
        if self.rule is None or self.decision not in {"block", "unblock"}:
            return None
        return self.rule.reply if self.decision == "block" or isinstance(self.rule, KeywordRule) else None

    @property
    def ends_here(self) -> bool:
        """Whether waiting journeys do not see the message: it acted, and its rule does not forward it."""
        return self.rule is not None and self.decision in {"block", "unblock"} and not self.rule.forward


_Kind = Literal["block", "unblock", "help", "review", "doubt"]
"""`review` is for a person to read wherever it stands, `doubt` where it is all that is said."""


class _Word(NamedTuple):
    """A word of a rule. The lower its `rank`, the sooner it is the one: the rule's own words before a pack's, those
    for this sender before those for all, then the order of the file."""

    rank: tuple[bool, bool, int]
    kind: _Kind
    written: str
    rule: KeywordRule | PackRule
    conversational: bool
    source: str


class _Run(NamedTuple):
    """Words in a row, as compared, and what they mean."""

    words: tuple[str, ...]
    word: _Word


class _Pattern(NamedTuple):
    """Runs of words with gaps between. A word that ends in `*` stands for all that begin so."""

    runs: tuple[tuple[str, ...], ...]
    word: _Word


class Rulebook:
    """The rules in force for one sender, made ready once: making takes milliseconds, deciding microseconds.

    `keywords` are the project's (`opt_out.keywords`), `sender` the one that was answered, `packs` finds a pack by its
    name (`packs.pack`) and may raise what it likes for a name it does not know. Never changes.
    """

    __slots__ = ("_courtesy", "_patterns", "_runs", "_signs", "_stems", "words")

    def __init__(
        self, keywords: Iterable[KeywordRule | PackRule], sender: str | None, packs: Callable[[str], Pack]
    ) -> None:
        words: list[_Word] = []
        courtesy, negations = set(COURTESY), set[str]()
        for at, rule in enumerate(keywords):
            if not rule.enabled or rule.sender not in (None, sender):
                continue
            rank = (isinstance(rule, PackRule), rule.sender is None, at)
            if isinstance(rule, KeywordRule):
                words.append(_Word(rank, rule.action, rule.keyword, rule, rule.conversational, "the project's rule"))
                continue
            pack = packs(rule.pack)
            of_kind: tuple[tuple[_Kind, Iterable[Words]], ...] = (
                ("block", pack.block),
                ("unblock", pack.unblock),
                ("help", pack.help),
                ("review", (entry for entry in pack.review if not entry.alone)),
                ("doubt", (entry for entry in pack.review if entry.alone)),
            )
            words += [
                _Word(rank, kind, word, rule, entry.conversational, f"{rule.pack}: {entry.source}")
                for kind, entries in of_kind
                for entry in entries
                for word in entry.words
            ]
            courtesy.update(word for entry in pack.courtesy for word in entry.words)
            negations.update(word for entry in pack.negations for word in entry.words)
        self.words: tuple[_Word, ...] = tuple(sorted(words, key=lambda word: word.rank))
        self._courtesy: dict[str, list[tuple[str, ...]]] = {}
        for polite in sorted({_compared(word) for word in courtesy} - {_compared(word) for word in negations}):
            self._courtesy.setdefault(polite[0], []).append(polite)
        self._signs: dict[frozenset[str], _Word] = {}
        self._runs: dict[str, list[_Run]] = {}
        self._patterns: dict[str, list[_Pattern]] = {}
        self._stems: dict[str, list[_Pattern]] = {}
        for word in self.words:
            self._enter(word)

    def _enter(self, word: _Word) -> None:
        if not normalise(word.written):
            self._signs.setdefault(signs_of(word.written), word)
        elif word.kind == "review":
            pattern = _Pattern(tuple(_pattern_words(run) for run in word.written.split("…")), word)
            first = pattern.runs[0][0]
            index, key = (self._stems, first[:_INDEXED]) if first.endswith("*") else (self._patterns, first)
            index.setdefault(key, []).append(pattern)
        else:
            run = _Run(_compared(word.written), word)
            of_first = self._runs.setdefault(run.words[0], [])
            if not any(other.words == run.words and other.word.kind == word.kind for other in of_first):
                of_first.append(run)

    def says(self, words: Sequence[str], kind: _Kind) -> tuple[_Word, bool] | None:
        """The word of a kind that is all these words say, courtesy aside, and whether it is so without courtesy."""
        for run in self._runs.get(words[0], ()):
            if run.word.kind == kind and run.words == tuple(words):
                return run.word, True
        word = self._read(words, kind).get(len(words))
        return None if word is None else (word, False)

    def is_courtesy(self, words: Sequence[str]) -> bool:
        """Whether these are words of courtesy and nothing else; also true of no words at all."""
        return len(words) in self._read(words, None)

    def _read(self, words: Sequence[str], kind: _Kind | None) -> dict[int, _Word | None]:
        """How far these words can be read as keywords of a kind and courtesy, from left to right: for each length that
        can, the best keyword in it, None where there is none."""
        best: dict[int, _Word | None] = {0: None}
        if len(words) > _LONGEST_SAID:
            return best
        for at in range(len(words)):
            if at not in best:
                continue
            before = best[at]
            for run in self._runs.get(words[at], ()):
                if run.word.kind == kind and self._stands(run.words, words, at):
                    found = run.word if before is None or run.word.rank < before.rank else before
                    _keep_better(best, at + len(run.words), found)
            for polite in self._courtesy.get(words[at], ()):
                if self._stands(polite, words, at):
                    _keep_better(best, at + len(polite), before)
        return best

    def within(self, words: Sequence[str], kind: Literal["block", "unblock"]) -> _Word | None:
        """The first word of a kind that stands somewhere among these; for `block`, what is for review too."""
        for at, first in enumerate(words):
            for run in self._runs.get(first, ()):
                if run.word.kind == kind and self._stands(run.words, words, at):
                    return run.word
            if kind == "block" and (found := self._asks(words, at)) is not None:
                return found
        return None

    def sign(self, text: str) -> _Word | None:
        """The word that is a sign, and all there is in a text without letters."""
        return self._signs.get(signs_of(text)) if self._signs else None

    def _asks(self, words: Sequence[str], at: int) -> _Word | None:
        first = words[at]
        for pattern in self._patterns.get(first, ()):
            if _fits(pattern.runs, words, at):
                return pattern.word
        for pattern in self._stems.get(first[:_INDEXED], ()):
            if _fits(pattern.runs, words, at):
                return pattern.word
        return None

    @staticmethod
    def _stands(run: tuple[str, ...], words: Sequence[str], at: int) -> bool:
        return len(run) == 1 or tuple(words[at : at + len(run)]) == run


def decide(text: str | None, rules: Rulebook, *, blocked_now: bool, headers: Mapping[str, str] = NOTHING) -> Decision:
    """What an inbound message means under the rules of the sender it answers.

    `headers` are those of an email, decoded, its `Subject` among them; other messages have none. `blocked_now` says
    whether the contact is on the Do Not Contact list for that sender. Any text is taken and none hangs it; of the
    writer's own words the first 20,000 characters count.
    """
    text = text or ""
    if reason := why_automatic(text, headers):
        return Decision("none", None, None, None, normalise(text), f"no person wrote it: {reason}", "automatic")
    written = own_words(text)
    words = _words(written.words)
    decided = _of_words(written.words, words, rules, blocked_now)
    if not written.is_whole and decided.decision in {"block", "unblock"}:
        decided = _in_a_sentence(decided, "the message quoted")
    if decided.decision == "none" and written.signed and (word := rules.within(_words(written.signed), "block")):
        return _review(word, decided.normalised)
    if subject := _own_subject(headers):
        return _with_subject(decided, words, subject, rules, blocked_now)
    return decided


def _of_words(text: str, words: list[str], rules: Rulebook, blocked_now: bool) -> Decision:
    plain = " ".join(words)
    if not words:
        sign = rules.sign(text)
        if sign is None:
            return Decision("none", None, None, None, plain, "it has no words", "empty")
        if sign.kind in {"review", "doubt"}:
            return _review(sign, plain)
        return _act(sign, True, plain, blocked_now)
    spellings = _spellings(words)
    for kind in ("block", "unblock"):
        for spelling in spellings:
            if said := rules.says(spelling, kind):
                return _act(*said, plain, blocked_now)
    for spelling in spellings:
        if word := rules.within(spelling, "block"):
            return _review(word, plain)
        if doubt := rules.says(spelling, "doubt"):
            return _review(doubt[0], plain)
    if said := rules.says(words, "help"):
        return _none(said[0], plain, "which asks for help", "help")
    if word := rules.within(words, "unblock"):
        return _none(word, plain, "inside a sentence, where it unblocks nobody", "sentence")
    return Decision("none", None, None, None, plain, "it says none of the keywords", "nothing")


def _act(word: _Word, is_all: bool, plain: str, blocked_now: bool) -> Decision:
    if word.kind == "help":
        return _none(word, plain, "which asks for help", "help")
    if word.conversational and not blocked_now:
        return _none(word, plain, "an answer like any other, for nothing is blocked", "not-blocked")
    assert word.kind == "block" or word.kind == "unblock"
    with_courtesy = "" if is_all else " and words of courtesy"
    why = f"it says `{word.written}`{with_courtesy} ({word.source})"
    return Decision(
        word.kind, word.written, word.rule, word.rule.level, plain, why, "keyword" if is_all else "courtesy"
    )


def _review(word: _Word, plain: str) -> Decision:
    where = "stands in it, among other words" if word.kind != "doubt" else "may mean other things"
    why = f"`{word.written}` {where} ({word.source})"
    return Decision("review", word.written, word.rule, word.rule.level, plain, why, "sentence")


def _none(word: _Word, plain: str, why: str, code: Code) -> Decision:
    return Decision("none", word.written, word.rule, None, plain, f"it says `{word.written}`, {why}", code)


def _in_a_sentence(said: Decision, where: str) -> Decision:
    """The same word, but not to be acted on: seen in a doubtful place."""
    decision: Literal["review", "none"] = "review" if said.decision == "block" else "none"
    level = said.level if decision == "review" else None
    why = f"`{said.keyword}` stands in {where}"
    return Decision(decision, said.keyword, said.rule, level, said.normalised, why, "sentence")


# --- Subjects of emails ---

_OF_AN_ANSWER = re.compile(
    r"\s*(?:re|aw|antw|sv|vs|vl|fw|fwd|wg|tr|rv|rif|r|ref|res|enc|odp|pd|ynt|atb|hv|vá|továbbítás|απ|σχετ|på|ha|at|"
    r"atsakymas|на|отг|одг|odg|od|pr|nal|fs|rép|bls|doorst|i)\s*(?:\[\d{1,3}\])?\s*[:：]",  # noqa: RUF001
    re.IGNORECASE,
)


def _own_subject(headers: Mapping[str, str]) -> str:
    """The subject, where the writer wrote it: that of an answer is ours."""
    subject = next((str(value) for name, value in headers.items() if name.lower() == "subject"), "")[:500]
    return "" if _OF_AN_ANSWER.match(subject) else subject


def _with_subject(decided: Decision, words: list[str], subject: str, rules: Rulebook, blocked_now: bool) -> Decision:
    """Mail programs unsubscribe by an email that says so in its subject, and people do."""
    if decided.decision in {"block", "review"}:
        return decided
    by_subject = _of_words(subject, _words(subject), rules, blocked_now)
    if by_subject.decision == "none":
        return decided
    if rules.is_courtesy(words):
        return by_subject
    # "Cancel" above "my table on Monday, please" is one sentence.
    by_subject = _in_a_sentence(by_subject, "the subject") if by_subject.code != "sentence" else by_subject
    return by_subject if by_subject.decision == "review" else decided


# --- Words as compared ---


def _words(text: str) -> list[str]:
    plain = unaccented(normalise(text, LONGEST))
    if "://" not in plain and "@" not in plain and "www." not in plain:
        return words_of(plain)
    words: list[str] = []
    for part in plain.split(" "):
        words += [_FOREIGN] if _is_address(part) else words_of(part)
    return words


def _is_address(part: str) -> bool:
    before, at, after = part.partition("@")
    return "://" in part or part.startswith("www.") or bool(at and before and "." in after)


def _compared(word: str) -> tuple[str, ...]:
    return tuple(words_of(unaccented(normalise(word))))


def _pattern_words(run: str) -> tuple[str, ...]:
    return tuple(
        part + "*" if written.endswith("*") else part for written in run.split() for part in _compared(written)
    )


_DRAWN_OUT = re.compile(r"(\w)\1{2,}")
_SPELT_OUT = re.compile(r"\w(?:-\w){2,}")
_NUMBERED = re.compile(r"([^\W\d_]{2,})(\d+)")


def _spellings(words: list[str]) -> list[list[str]]:
    """The words as written, and as they may be meant: `stoooop`, `s t o p`, `s-t-o-p`, `stop1`."""
    spellings = [words]
    if any(_DRAWN_OUT.search(word) for word in words):
        spellings.append([_DRAWN_OUT.sub(r"\1", word) for word in words])
    if 3 <= len(words) <= 30 and all(len(word) == 1 for word in words):
        spellings.append(["".join(words)])
    elif len(words) < 10 and any("-" in word and _SPELT_OUT.fullmatch(word) for word in words):
        spellings.append([word.replace("-", "") if _SPELT_OUT.fullmatch(word) else word for word in words])
    if any(_NUMBERED.fullmatch(word) for word in words):
        parts = [numbered.groups() if (numbered := _NUMBERED.fullmatch(word)) else (word,) for word in words]
        spellings.append([part for word in parts for part in word])
    return spellings


def _keep_better(best: dict[int, _Word | None], at: int, word: _Word | None) -> None:
    other = best.get(at)
    if at not in best or (word is not None and (other is None or word.rank < other.rank)):
        best[at] = word


def _fits(runs: tuple[tuple[str, ...], ...], words: Sequence[str], at: int) -> bool:
    """Whether the runs of a pattern stand here, each at most a gap after the one before."""
    if not _run_stands(runs[0], words, at):
        return False
    at += len(runs[0])
    for run in runs[1:]:
        for place in range(at, min(at + _WIDEST_GAP + 1, len(words))):
            if _run_stands(run, words, place):
                at = place + len(run)
                break
        else:
            return False
    return True


def _run_stands(run: tuple[str, ...], words: Sequence[str], at: int) -> bool:
    return at + len(run) <= len(words) and all(
        words[at + i].startswith(part[:-1]) if part.endswith("*") else words[at + i] == part
        for i, part in enumerate(run)
    )
