"""A flow from its YAML, or all that is wrong with it.

    loaded = load_file(Path("win-back.yaml"), catalogue())
    if loaded.flow is None:
        for problem in loaded.problems: print(problem.render())

Every mistake is told in one go, each at its place; nothing half-loads. Only text that is no YAML at all ends the
reading early. A flow loads in time proportional to its size, and whatever the file holds, nothing is raised.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tactful.elements.contract import END, Element
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.written import kind_of
from tactful.flows.beside import Folder, Stored, Texts
from tactful.flows.draft import Draft, DraftNode
from tactful.flows.exits import read_next
from tactful.flows.fit import Owner, fit
from tactful.flows.header import mapping, read_entry, read_settings, read_stop_when
from tactful.flows.model import LONE, Flow, Node, Place, Surroundings
from tactful.flows.pieces import Entry, MapPiece, ScalarPiece, value_spot
from tactful.flows.problem import Problem, Report, listed, quoted
from tactful.flows.source import collector_resting, read
from tactful.flows.text import LARGEST

LANGUAGE = 1
"""The version of the language this release reads."""

KEYS = ("flow", "language", "about", "entry", "stop_when", "settings", "start", "elements")
"""The keys of a flow file, in their customary order."""

RESERVED = frozenset({END, "otherwise"})
"""What no element may be called."""

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}", re.ASCII)
"""A flow's or an element's id."""

_BESIDE_OPTIONS = frozenset({"type", "next"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading: the flow, or None where there is an error; and all problems in the order of the file.

    `whole` is the flow also where only the ways it goes are at fault: to be looked at, never to be run.
    """

    flow: Flow | None
    problems: tuple[Problem, ...]
    whole: Flow | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stopped the load; none where there is a flow."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that did not."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def load_file(path: Path, catalogue: Mapping[str, type[Element]], around: Surroundings = LONE) -> Loaded:
    """Load a flow file and the texts beside it. A file that cannot be read is a problem as well, never an exception.

    Problems name files as `path` does; `Flow.sources` has the file's name without its folder.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            return _unreadable(path, "it is not a file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
            size = path.stat().st_size if len(raw) > LARGEST else 0
    except (OSError, ValueError) as error:
        return _unreadable(path, (getattr(error, "strerror", None) or str(error)).lower())
    if size:
        return Loaded(None, tuple(read(str(path), b" " * min(size, 64 * LARGEST))[1]))
    return _load(path.name, str(path), raw, Folder(path.parent), catalogue, around)


def load_sources(
    sources: Mapping[str, str], catalogue: Mapping[str, type[Element]], around: Surroundings = LONE
) -> Loaded:
    """Load a flow from texts, as a `Flow` keeps them: the YAML file first, then the files it names. Reads no disk.

    Raises ValueError where there are no texts at all.
    """
    if not sources:
        raise ValueError("a flow has at least its YAML file")
    name, *_ = sources
    return _load(name, name, sources[name], Stored(sources), catalogue, around)


def fingerprint(sources: Mapping[str, str]) -> str:
    """The SHA-256, in hex, of a flow's texts: the first one, whatever its name, and the others by name.

    The same flow has the same fingerprint whatever its file is called, wherever it lies, and however its lines end.
    """
    name, *others = sources
    canonical = [sources[name], *([other, sources[other]] for other in sorted(others))]
    return hashlib.sha256(json.dumps(canonical, ensure_ascii=True).encode("ascii")).hexdigest()


def _unreadable(path: Path, why: str) -> Loaded:
    problem = Problem(Place(str(path), 1, 1), "error", "file-unreadable", f"the file cannot be read: {why}")
    return Loaded(None, (problem,))


def _load(
    name: str,
    shown: str,
    raw: bytes | str,
    texts: Texts,
    catalogue: Mapping[str, type[Element]],
    around: Surroundings,
) -> Loaded:
    with collector_resting():
        return _load_at_once(name, shown, raw, texts, catalogue, around)


def _load_at_once(
    name: str,
    shown: str,
    raw: bytes | str,
    texts: Texts,
    catalogue: Mapping[str, type[Element]],
    around: Surroundings,
) -> Loaded:
    document, found = read(shown, raw)
    report = Report(found)
    if document is None:
        return Loaded(None, report.problems(shown))
    if not isinstance(document.root, MapPiece):
        empty = isinstance(document.root, ScalarPiece) and document.root.value is None
        kind = "is empty" if empty else f"is {kind_of(document.data)}, not a mapping (`key: value`)"
        report.error(document.root.spot, "not-a-flow", f"the file {kind}", "a flow begins with `flow: its-id`")
        return Loaded(None, report.problems(shown))

    channels = frozenset(CHANNELS) | {kind.sends for kind in catalogue.values() if kind.sends is not None}
    draft = Draft(document.root, report, around, channels)
    _read_header(draft)
    _read_elements(draft, catalogue, texts)
    draft.texts = texts.sources

    from tactful.flows.checks import OF_PATHS, check  # brings networkx, which takes long to import

    check(draft)
    problems = report.problems(shown)
    if any(problem.severity == "error" and problem.code not in OF_PATHS for problem in problems):
        return Loaded(None, problems)
    sources = {name: document.source.text, **{used: text.text for used, text in texts.sources.items()}}
    whole = _flow(draft, sources)
    return Loaded(None if report.failed else whole, problems, whole)


def _read_header(draft: Draft) -> None:
    root, report = draft.root, draft.report
    for entry in root.all_entries():
        if entry.key not in KEYS:
            hint = report.meant(entry.key, KEYS) or f"a flow has {listed(KEYS)}"
            report.error(entry.spot, "unknown-key", f"a flow has no {quoted(entry.key)}", hint)
    draft.id = _flow_id(root, draft)
    language = root.entries.get("language")
    if language is not None and language.piece.plain() != LANGUAGE:
        message = f"language {_shown(language)} is not known; this release reads {LANGUAGE}"
        report.error(value_spot(language.piece, language.spot), "unknown-language", message, "write `language: 1`")
    about = root.entries.get("about")
    if about is not None and not isinstance(about.piece, ScalarPiece):
        message = f"`about` must be text, not {kind_of(about.piece.plain())}"
        report.error(value_spot(about.piece, about.spot), "wrong-type", message, "put it in quotes")
    entry_and_again = read_entry(root.entries.get("entry"), report)
    if entry_and_again is not None:
        draft.entry, draft.again = entry_and_again
    draft.stop_rules = read_stop_when(root.entries.get("stop_when"), report)
    draft.settings = read_settings(root.entries.get("settings"), report)
    for again in root.repeated:  # told already; but their own mistakes are told as well
        if again.key == "entry":
            read_entry(again, report)
        elif again.key == "stop_when":
            read_stop_when(again, report)
        elif again.key == "settings":
            read_settings(again, report)


def _flow_id(root: MapPiece, draft: Draft) -> str | None:
    entry = root.entries.get("flow")
    if entry is None:
        draft.report.error(root.spot, "missing-option", "the flow has no id", "begin with `flow: its-id`")
        return None
    if isinstance(entry.piece, ScalarPiece) and ID.fullmatch(entry.piece.text):
        return entry.piece.text
    spot = value_spot(entry.piece, entry.spot)
    if isinstance(entry.piece, ScalarPiece) and entry.piece.text:
        draft.report.error(spot, "bad-id", f"{_shown(entry)} cannot be a flow's id", _id_hint(entry.piece.text))
    else:
        draft.report.error(spot, "empty", "the flow's id is missing", "for example `flow: win-back`")
    return None


def _id_hint(text: str) -> str:
    better = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:100]
    if better and better != text and better not in RESERVED:
        return f"an id has lower case letters, digits, - and _: {quoted(better)}"
    return "an id has lower case letters, digits, - and _, and begins with a letter or digit"


def _shown(entry: Entry) -> str:
    piece = entry.piece
    return quoted(piece.text) if isinstance(piece, ScalarPiece) and piece.text else kind_of(piece.plain())


# --- Elements ------------------------------------------------------------------------------------


def _read_elements(draft: Draft, catalogue: Mapping[str, type[Element]], texts: Texts) -> None:
    written = draft.root.entries.get("elements")
    if written is None:
        draft.report.error(draft.root.spot, "missing-option", "the flow has no elements", "list them below `elements:`")
        return
    piece = mapping(
        written.piece, "`elements`", written.spot, draft.report, "list at least one below it: `name: {type: …}`"
    )
    if piece is None:
        return
    if not piece.entries:
        draft.report.error(piece.spot, "empty", "the flow has no elements", "list them below `elements:`")
        return
    for entry in piece.all_entries():
        node = _element(entry, draft, catalogue, texts)
        if entry.key in draft.nodes:
            draft.repeated.append(node)
        else:
            draft.nodes[entry.key] = node
    for node in draft.all_nodes():
        read_next(node, draft)
    draft.start = _start(draft)


def _element(entry: Entry, draft: Draft, catalogue: Mapping[str, type[Element]], texts: Texts) -> DraftNode:
    report = draft.report
    if entry.key in RESERVED:
        report.error(
            entry.spot,
            "reserved-id",
            f"no element may be called {quoted(entry.key)}",
            "it has a meaning of its own in `next`",
        )
    elif not ID.fullmatch(entry.key):
        report.error(entry.spot, "bad-id", f"{quoted(entry.key)} cannot be an element's id", _id_hint(entry.key))
    hint = "for example `{type: pause, for: 3 days}`"
    piece = mapping(entry.piece, quoted(entry.key), entry.spot, report, hint)
    node = DraftNode(entry.key, "", entry, piece, None)
    if piece is None:
        return node
    kind = piece.entries.get("type")
    if kind is None:
        report.error(
            entry.spot,
            "missing-option",
            f"{quoted(entry.key)} has no `type`",
            f"there are {listed(sorted(catalogue))}",
        )
        return node
    node.type = kind.piece.text if isinstance(kind.piece, ScalarPiece) else ""
    if not node.type and isinstance(kind.piece, ScalarPiece):
        report.error(kind.spot, "empty", "`type` is empty", f"there are {listed(sorted(catalogue))}")
        return node
    cls = catalogue.get(node.type)
    if cls is None:
        spot = value_spot(kind.piece, kind.spot)
        hint = report.meant(node.type, catalogue) or f"there are {listed(sorted(catalogue))}"
        report.error(spot, "unknown-type", f"there is no type of element {_shown(kind)}", hint)
        return node
    node.kind = cls
    owner = Owner(node.type, entry.spot, _BESIDE_OPTIONS, texts.sources, {"read": texts.read})
    node.element = fit(cls, piece, owner, report)
    return node


def _start(draft: Draft) -> str | None:
    entry = draft.root.entries.get("start")
    if entry is None:
        return next(iter(draft.nodes))
    text = entry.piece.text if isinstance(entry.piece, ScalarPiece) else ""
    if text in draft.nodes:
        return text
    spot = value_spot(entry.piece, entry.spot)
    if not text:
        draft.report.error(spot, "empty", "`start` must name an element", "leave it out to start at the first one")
        return None
    likely = draft.report.likely(text, draft.nodes)
    hint = f"did you mean {quoted(likely)}?" if likely else None
    draft.report.error(spot, "unknown-element", f"there is no element {quoted(text)}", hint)
    return likely


# --- The finished flow ---------------------------------------------------------------------------


def _flow(draft: Draft, sources: dict[str, str]) -> Flow:
    assert draft.id is not None
    assert draft.entry is not None
    assert draft.again is not None
    assert draft.settings is not None
    assert draft.start is not None
    about = draft.piece_at("about")
    return Flow(
        id=draft.id,
        about=about.text.strip() if isinstance(about, ScalarPiece) else "",
        entry=draft.entry,
        again=draft.again,
        stop_when=tuple(rule for rule, _ in draft.stop_rules),
        settings=draft.settings,
        start=draft.start,
        nodes=MappingProxyType({name: _node(node) for name, node in draft.nodes.items()}),
        sources=MappingProxyType(sources),
        fingerprint=fingerprint(sources),
    )


def _node(node: DraftNode) -> Node:
    assert node.element is not None
    return Node(node.id, node.type, node.element, MappingProxyType(node.exits), node.spot.place)
