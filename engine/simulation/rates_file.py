"""Reads a rates file, or tells all that is wrong with it, each at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tactful.elements.contract import Send
from tactful.elements.options.channel import CHANNELS, MESSAGE_EVENTS
from tactful.elements.options.written import kind_of
from tactful.engine.instants import zone_names
from tactful.engine.simulation.behaviour import Rates
from tactful.flows.fit import Owner, fit
from tactful.flows.model import Flow, Place
from tactful.flows.pieces import Entry, MapPiece, Piece, ScalarPiece, value_spot
from tactful.flows.problem import Problem, Report, listed, quoted
from tactful.flows.source import read
from tactful.flows.text import LARGEST

REPORTED_BY = {
    "bounces": "bounced", "delivered": "delivered", "opens": "opened", "clicks": "clicked", "replies": "replied",
    "opts_out": "opted_out", "complains": "complained",
}  # fmt: skip
"""What people do, and the event that tells of it."""


def read_rates(path: Path, flow: Flow | None = None) -> tuple[Rates | None, tuple[Problem, ...]]:
    """Read a rates file; None where there is a mistake, and all problems. `flow` is the one it is for: elements it does
    not have are mistakes. A file that cannot be read is a problem too; nothing is raised."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        return None, (Problem(Place(str(path), 1, 1), "error", "file-unreadable", f"the file cannot be read: {why}"),)
    document, found = read(str(path), raw)
    report = Report(found)
    rates = None
    if document is not None:
        root: Piece = document.root
        if isinstance(root, ScalarPiece) and root.value is None:  # an empty file: everything as usual
            root = MapPiece(document.source, 0, 0, flow=False)
        if isinstance(root, MapPiece):
            rates = fit(Rates, root, Owner("a rates file", root.spot), report)
            _check(root, flow, report)
        else:
            message = f"the file is {kind_of(root.plain())}, not a mapping (`key: value`)"
            report.error(root.spot, "wrong-type", message, "begin with `channels:`, for example")
    return None if report.failed else rates, report.problems(str(path))


def _check(root: MapPiece, flow: Flow | None, report: Report) -> None:
    for entry in _below(root, "channels"):
        if _check_channel(entry, report):
            _check_reports(entry, entry.key, report)
    for people in _below(root, "contacts"):
        if people.key == "consent" and isinstance(people.piece, MapPiece):
            for entry in people.piece.all_entries():
                _check_channel(entry, report)
    sends = {} if flow is None else {id: n.element.sends for id, n in flow.nodes.items() if isinstance(n.element, Send)}
    for entry in _below(root, "elements"):
        if flow is not None and entry.key not in sends:
            there = f"those that send are {listed(sends)}" if sends else None
            what = "sends nothing" if entry.key in flow.nodes else "is no element of this flow"
            message = f"{quoted(entry.key)} {what}"
            report.error(entry.spot, "unknown-element", message, report.meant(entry.key, sends) or there)
        elif on := sends.get(entry.key):
            _check_reports(entry, on, report)
    for entry in _below(root, "events"):
        _check_own(entry, report)
    _check_zones(root, report)


def _check_channel(entry: Entry, report: Report) -> bool:
    if entry.key in CHANNELS:
        return True
    hint = report.meant(entry.key, CHANNELS) or f"there are {listed(CHANNELS)}"
    report.error(entry.spot, "unknown-channel", f"there is no channel {quoted(entry.key)}", hint)
    return False


def _check_reports(entry: Entry, channel: str, report: Report) -> None:
    if not isinstance(entry.piece, MapPiece):
        return
    for doing in entry.piece.all_entries():
        event = REPORTED_BY.get(doing.key)
        if event is not None and event not in CHANNELS[channel].reports:
            message = f"nobody ever learns that a message on {channel} was {event.replace('_', ' ')}"
            report.error(doing.spot, "never-reported", message, "leave it out")
    for own in _below(entry.piece, "events"):
        _check_own(own, report)


def _check_own(entry: Entry, report: Report) -> None:
    if entry.key in MESSAGE_EVENTS:
        word = next((word for word, event in REPORTED_BY.items() if event == entry.key), entry.key)
        message = f"{quoted(entry.key)} is an event of a message, not one of your own"
        report.error(entry.spot, "not-an-own-event", message, f"write {quoted(word)} below a channel or an element")


def _check_zones(root: MapPiece, report: Report) -> None:
    for entry in _below(root, "contacts"):
        if entry.key != "time_zone":
            continue
        known = zone_names()
        if isinstance(entry.piece, ScalarPiece):
            named = [(entry.piece.text, value_spot(entry.piece, entry.spot))]
        elif isinstance(entry.piece, MapPiece):
            named = [(each.key, each.spot) for each in entry.piece.all_entries()]
        else:
            named = []
        for name, spot in named:
            if name not in known:
                hint = report.meant(name, known) or "such as `Europe/Zagreb`"
                report.error(spot, "unknown-zone", f"{quoted(name)} is not a time zone", hint)


def _below(piece: MapPiece, key: str) -> Iterator[Entry]:
    entry = piece.entries.get(key)
    if entry is not None and isinstance(entry.piece, MapPiece):
        yield from entry.piece.all_entries()
