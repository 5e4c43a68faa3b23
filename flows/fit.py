"""Fits what is written into a pydantic model, or says at each place why it does not fit, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tactful.elements.options.mistake import Mistake
from tactful.elements.options.written import kind_of
from tactful.flows.pieces import Entry, ListPiece, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Report, listed, quoted
from tactful.flows.text import Source, Spot

Model = TypeVar("Model", bound=BaseModel)

_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{0,15})?", re.ASCII)
_MOST_FAULTS = 1_000  # of one element; a report shows fewer
_MOST_REPEATED = 20  # keys that stand twice, in one element, whose later value is tried as well


@dataclass(frozen=True)
class Owner:
    """What the options belong to: its `name` for messages (`send_email`), and the spot of a fault of the whole.

    `beside` are keys that stand among the options without being one (`type`, `next`). `texts` are the sources of the
    files that options name, by the name used; `context` is handed to the validators.
    """

    name: str
    spot: Spot
    beside: frozenset[str] = frozenset()
    texts: Mapping[str, Source] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Fault:
    """An error of pydantic's, brought to the deepest piece of its path that is written.

    `label` names what is at fault for a message, `holder` what that stands in. Of an error about a key that is
    missing or unknown, `written` is the key; `outermost` where it belongs to the model itself.
    """

    kind: str
    message: str
    context: Mapping[str, Any]
    piece: Piece
    key: Spot
    label: str
    holder: str
    written: str
    outermost: bool

    @property
    def mistake(self) -> Mistake | None:
        error = self.context.get("error")
        return error if isinstance(error, Mistake) else None

    @property
    def whole(self) -> bool:
        """Whether it is no single option that is at fault."""
        return not self.written

    @property
    def about_keys(self) -> bool:
        return self.kind in ("missing", "extra_forbidden")


def fit(model: type[Model], piece: MapPiece, owner: Owner, report: Report) -> Model | None:
    """The options as the model reads them; None when anything does not fit, all of which is then reported.

    Where a key stands twice, the first counts, and the later one is tried in its place, to tell its mistakes as well.
    """
    inner = {name for name, option in model.model_fields.items() if option.alias not in (None, name)}
    if misnamed := inner & piece.entries.keys():  # `for_`: a name in Python, never written
        for name in misnamed:
            message = f"{quoted(owner.name)} has no option {quoted(name)}"
            hint = report.meant(name, option_names(model))
            report.error(piece.entries[name].spot, "unknown-option", message, hint)
        owner = replace(owner, beside=owner.beside | misnamed)
    made, faults = _try(model, piece, owner, {})
    meant = {
        report.likely(fault.written, option_names(model))
        for fault in faults
        if fault.outermost and fault.kind == "extra_forbidden"
    }
    for fault in faults:
        # What is missing under a misspelt name is told once, at that name.
        told_already = fault.kind == "missing" and fault.outermost and fault.written in meant
        if not told_already and not (fault.whole and misnamed):
            _tell(fault, model, owner, report)
    for holder, entry in islice(_repeated(piece, owner.beside), _MOST_REPEATED):
        first = holder.entries[entry.key].piece
        for fault in _try(model, piece, owner, {id(first): entry.piece})[1]:
            if entry.at <= fault.piece.start <= max(entry.piece.end, entry.at) and fault.piece is not piece:
                _tell(fault, model, owner, report)
    return None if faults or misnamed else made


def option_names(model: type[BaseModel]) -> list[str]:
    """The names of a model's options as they are written."""
    return [option.alias or name for name, option in model.model_fields.items()]


def _try(
    model: type[Model], piece: MapPiece, owner: Owner, swapped: dict[int, Piece]
) -> tuple[Model | None, list[_Fault]]:
    """Validate; where text was wanted and a number stands, once more with the number's spelling, and where a number
    was wanted and a text stands that may be read as one (`1.10`), with that number."""
    made, faults = _validate(model, piece, owner, swapped, {})
    spelled = {id(fault.piece): other for fault in faults if (other := _read_otherwise(fault)) is not None}
    if not spelled:
        return made, _best(faults)
    made, again = _validate(model, piece, owner, swapped, spelled)
    still = {id(fault.piece) for fault in again}
    kept = [fault for fault in again if id(fault.piece) not in spelled or fault.mistake]
    told = {id(fault.piece) for fault in kept}
    kept += [f for f in faults if id(f.piece) in spelled and id(f.piece) in still and id(f.piece) not in told]
    return made, _best(kept)


def _read_otherwise(fault: _Fault) -> str | float | None:
    piece = fault.piece
    if not isinstance(piece, ScalarPiece) or piece.value is None:
        return None
    if not isinstance(piece.value, str):
        return piece.text
    if fault.kind.startswith(("int", "float", "decimal")) and not piece.style and _NUMBER.fullmatch(piece.text):
        return float(piece.text)
    return None


def _validate(
    model: type[Model], piece: MapPiece, owner: Owner, swapped: dict[int, Piece], spelled: dict[int, Any]
) -> tuple[Model | None, list[_Fault]]:
    instead: dict[int, Any] | None = dict(spelled) or None
    if swapped:
        instead = {**spelled, **{first: later.plain(spelled) for first, later in swapped.items()}}
    data = {key: entry.piece.plain(instead) for key, entry in piece.entries.items() if key not in owner.beside}
    try:
        return model.model_validate(data, context=dict(owner.context)), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return None, [_located(one, piece, owner, swapped) for one in found[:_MOST_FAULTS]]


def _located(error: Any, root: MapPiece, owner: Owner, swapped: dict[int, Piece]) -> _Fault:
    path = error["loc"]
    piece: Piece = root
    key, label, holder = owner.spot, owner.name, owner.name
    for step in path:
        if isinstance(piece, MapPiece) and isinstance(step, str) and step in piece.entries:
            entry = piece.entries[step]
            piece, key, label, holder = entry.piece, entry.spot, step, label
            if id(piece) in swapped:
                piece = swapped[id(piece)]
                key = piece.spot
        elif isinstance(piece, ListPiece) and isinstance(step, int) and 0 <= step < len(piece.items):
            piece = piece.items[step]
            key, label, holder = piece.spot, f"{label}, item {step + 1}", label
    if error["type"] == "missing":
        holder = label
    if path and path[-1] == "[key]":
        piece = ScalarPiece(piece.source, key.offset, key.offset + len(label), label, "'")
    context = error.get("ctx", {})
    written = str(path[-1]) if path else ""
    return _Fault(error["type"], error["msg"], context, piece, key, label, holder, written, len(path) == 1)


def _best(faults: list[_Fault]) -> list[_Fault]:
    """One fault a piece, and of a value that may be this or that, only the faults of what it comes nearest to."""
    chosen: dict[tuple[int, str | None], _Fault] = {}
    for fault in faults:
        slot = (id(fault.piece), fault.written if fault.about_keys else None)
        if slot not in chosen or (fault.mistake and not chosen[slot].mistake):
            chosen[slot] = fault
    kept = list(chosen.values())
    spans = sorted((fault.piece.start, fault.piece.end) for fault in kept)
    return [fault for fault in kept if fault.about_keys or not _holds_another(fault.piece, spans)]


def _holds_another(piece: Piece, spans: list[tuple[int, int]]) -> bool:
    if isinstance(piece, ScalarPiece):
        return False
    return any(piece.start <= start and end < piece.end for start, end in spans)


def _repeated(piece: MapPiece, beside: frozenset[str]) -> Iterator[tuple[MapPiece, Entry]]:
    """All entries below whose key stood before, with the mapping they stand in."""
    for entry in piece.repeated:
        if entry.key not in beside:
            yield piece, entry
    for entry in piece.entries.values():
        if entry.key not in beside:
            yield from _repeated_below(entry.piece)


def _repeated_below(piece: Piece) -> Iterator[tuple[MapPiece, Entry]]:
    if isinstance(piece, MapPiece):
        yield from _repeated(piece, frozenset())
    elif isinstance(piece, ListPiece):
        for item in piece.items:
            yield from _repeated_below(item)


# --- In plain words ------------------------------------------------------------------------------


def _tell(fault: _Fault, model: type[BaseModel], owner: Owner, report: Report) -> None:
    spot = owner.spot if fault.whole else value_spot(fault.piece, fault.key)
    mistake = fault.mistake
    if not fault.about_keys and isinstance(fault.piece, ScalarPiece) and fault.piece.value is None:
        report.error(spot, "empty", f"{quoted(fault.label)} is empty")
    elif mistake is not None:
        report.error(_spot_of(mistake, fault, owner) or spot, mistake.code, mistake.message, mistake.hint)
    elif fault.kind == "extra_forbidden":
        names = [*option_names(model), *owner.beside] if fault.outermost else []
        hint = report.meant(fault.written, names)
        if hint is None and names:
            hint = f"there {'are' if len(names) > 1 else 'is'} {listed(sorted(names))}"
        message = f"{quoted(fault.holder)} has no option {quoted(fault.written)}"
        report.error(fault.key, "unknown-option", message, hint)
    elif fault.kind == "missing":
        hint = _purpose_of(model, fault.written) if fault.outermost else None
        report.error(fault.key, "missing-option", f"{quoted(fault.holder)} needs {quoted(fault.written)}", hint)
    else:
        code, message = _worded(fault)
        report.error(spot, code, message, _choice_hint(fault, report))


def _spot_of(mistake: Mistake, fault: _Fault, owner: Owner) -> Spot | None:
    """Where in a scalar, or in the file an option names, the mistake is."""
    if mistake.file is not None and mistake.file in owner.texts:
        return Spot(owner.texts[mistake.file], mistake.at or 0)
    if isinstance(fault.piece, MapPiece):  # `{file: offer.html}`
        name = fault.piece.get("file")
        return name.spot if name is not None else None
    if mistake.at is not None and isinstance(fault.piece, ScalarPiece):
        return fault.piece.spot_at(mistake.at)
    return None


def _purpose_of(model: type[BaseModel], option: str) -> str | None:
    """What an option is for, by its own description."""
    if option == "within":
        return "write `within: 48 hours`, or `within: forever` for no limit"
    for name, info in model.model_fields.items():
        if option in (name, info.alias):
            return info.description.rstrip(".") if info.description else None
    return None


def _choice_hint(fault: _Fault, report: Report) -> str | None:
    if fault.kind in ("literal_error", "enum") and isinstance(fault.piece, ScalarPiece):
        choices = re.findall(r"'([^']*)'", str(fault.context.get("expected", "")))
        return report.meant(fault.piece.text, choices)
    return None


def _worded(fault: _Fault) -> tuple[str, str]:
    """Code and message of what pydantic found."""
    name, kind, context = quoted(fault.label), fault.kind, fault.context
    if kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return (
            "bad-choice",
            f"{name} must be {listed(choices, 'or') or context.get('expected')}{_but(fault.piece)}",
        )
    if kind in _BOUNDS:
        bound = context[_BOUNDS[kind][0]]
        return "out-of-range", f"{name} must be {_BOUNDS[kind][1]} {bound}{_but(fault.piece)}"
    if kind in ("too_short", "string_too_short"):
        few = context.get("min_length", 1)
        return "too-short", f"{name} is empty" if few == 1 else f"{name} must have at least {few}"
    if kind in ("too_long", "string_too_long"):
        return "too-long", f"{name} may have at most {context.get('max_length')}"
    for start, wanted in _WANTED.items():
        if kind.startswith(start):
            return "wrong-type", f"{name} must be {wanted}{_but(fault.piece)}"
    if kind in ("value_error", "assertion_error"):
        said = fault.message.partition(", ")[2] or fault.message
        return "bad-value", said.rstrip(".")
    return "bad-value", f"{name}: {fault.message[:1].lower()}{fault.message[1:]}"


_WANTED = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "finite_number": "a number",
    "bool": "`true` or `false`",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "none_required": "left empty",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _but(piece: Piece) -> str:
    """What stands there instead."""
    if isinstance(piece, ScalarPiece) and piece.value is not None:
        return f", not {quoted(piece.text)}"
    return f", not {kind_of(piece.plain())}"
