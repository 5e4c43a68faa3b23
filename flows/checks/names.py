"""Names in conditions, templates and options: attributes contacts have, and what there is where it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tactful.elements.options.condition import Condition
from tactful.elements.options.expression import CONTACT_FIELDS
from tactful.elements.options.moment import Moment
from tactful.elements.options.template import Template
from tactful.elements.options.wall_time import read_date
from tactful.elements.options.written import NameUse, kind_of
from tactful.elements.update_contact import UpdateContact
from tactful.flows.draft import Draft, DraftNode, Path
from tactful.flows.model import AttributeType, ByEvent, ByHand, BySchedule, BySegment
from tactful.flows.pieces import MapPiece, Piece, ScalarPiece, step_into
from tactful.flows.problem import listed, quoted
from tactful.flows.text import Spot

TEMPLATE_ROOTS = ("contact", "entry", "journey", "flow", "message", "opt_out_link", "now", "today")
"""What a template may name."""

SpotAt = Callable[[int], Spot]
"""Where a character of a text stands."""


def check_names(draft: Draft) -> None:
    """All conditions, templates, moments and attributes of a flow."""
    _check_header(draft)
    for node in draft.all_nodes():
        for path, value in node.options():
            if isinstance(value, Condition):
                _check_element_condition(value, path, node, draft)
            elif isinstance(value, Template):
                _check_template(value, path, node, draft)
            elif isinstance(value, Moment) and value.attribute is not None:
                _check_moment(value.attribute, node.spot_of(path), draft)
        if isinstance(node.element, UpdateContact):
            _check_update(node.element, node, draft)


def _check_header(draft: Draft) -> None:
    entry = draft.entry
    at_entry = "nobody has entered yet where it is decided who comes in"
    if isinstance(entry, ByEvent) and entry.where is not None:
        refused = {
            "entry": ("the event is called `event` here", "write `event.{name}`"),
            "journey": (at_entry, None),
        }
        _check_condition(entry.where, _along(draft.piece_at("entry", "where")), refused, draft)
    elif isinstance(entry, BySegment):
        refused = dict.fromkeys(("entry", "event", "journey"), (at_entry, None))
        _check_condition(entry.holds, _along(draft.piece_at("entry", "segment")), refused, draft)
    elif isinstance(entry, BySchedule) and entry.audience is not None:
        refused = dict.fromkeys(("entry", "event", "journey"), (at_entry, None))
        _check_condition(entry.audience, _along(draft.piece_at("entry", "audience")), refused, draft)
    for rule, piece in draft.stop_rules:
        if rule.where is not None:
            _check_condition(rule.where, _along(piece.get("where")), {}, draft)
        if rule.when is not None:
            refused = {"event": ("no event is looked at here", "use a rule with `event` and `where`")}
            _check_condition(rule.when, _along(piece.get("when")), refused, draft)


def _along(piece: Piece | None) -> SpotAt:
    assert piece is not None
    return piece.spot_at if isinstance(piece, ScalarPiece) else lambda offset: piece.spot


Refused = Mapping[str, tuple[str, str | None]]
"""Roots without meaning in a place: why, and what to write instead (`{name}` stands for what follows the root)."""


def _check_condition(condition: Condition, at: SpotAt, refused: Refused, draft: Draft) -> None:
    for use in condition.names:
        if use.root in refused:
            why, instead = refused[use.root]
            hint = instead.format(name=".".join(use.path)) if instead else None
            draft.report.error(at(use.at), "no-such-name-here", f"{quoted(str(use))} means nothing here: {why}", hint)
    if draft.around.attributes is not None and not draft.report.full:
        for mistake in condition.misfits(draft.around.attributes):
            draft.report.error(at(mistake.at or 0), mistake.code, mistake.message, mistake.hint)


def _check_element_condition(condition: Condition, path: Path, node: DraftNode, draft: Draft) -> None:
    def at(offset: int) -> Spot:
        return node.spot_within(path, offset)

    _check_condition(condition, at, {}, draft)
    # Outside of waits, `event` is another word for `entry`.
    roots = ("entry",) if node.element is not None and node.element.family == "wait" else ("entry", "event")
    _check_entry_data([use for use in condition.names if use.root in roots], at, draft)


def _check_entry_data(uses: Iterable[NameUse], at: SpotAt, draft: Draft) -> None:
    """`entry.` has values only where an event brought the contact in."""
    if draft.entry is None or isinstance(draft.entry, ByEvent):
        return
    for use in uses:
        if not use.name or use.name == "name":
            continue
        if isinstance(draft.entry, ByHand):
            message = f"{quoted(str(use))} has a value only if one is given when somebody is entered by hand"
            draft.report.warning(at(use.at), "no-entry-event", message)
        else:
            message = f"{quoted(str(use))} never has a value: no event brings contacts into this flow"
            draft.report.error(at(use.at), "no-entry-event", message)


def _check_template(template: Template, path: Path, node: DraftNode, draft: Draft) -> None:
    source = draft.texts.get(template.file) if template.file is not None else None

    def at(offset: int) -> Spot:
        return Spot(source, offset) if source is not None else node.spot_within(path, offset)

    uses = template.names()
    for use in uses:
        if use.root not in TEMPLATE_ROOTS:
            hint = draft.report.meant(use.root, TEMPLATE_ROOTS)
            attributes = {*(draft.around.attributes or ()), *CONTACT_FIELDS}
            if use.root == "event":
                hint = f"the event that began the journey is `entry`: `entry.{'.'.join(use.path) or '…'}`"
            elif use.root in attributes or hint is None:
                hint = f"did you mean `contact.{use.root}`?"
            draft.report.error(at(use.at), "unknown-name", f"a text knows no {quoted(use.root)}", hint)
        elif use.root == "contact" and use.name:
            _check_attribute(use.name, at(use.at), draft)
    _check_entry_data([use for use in uses if use.root == "entry"], at, draft)


def _check_attribute(name: str, spot: Spot, draft: Draft) -> AttributeType | None:
    """The declared type of an attribute; None where it has none, or nothing is declared."""
    attributes = draft.around.attributes
    if attributes is None or name in CONTACT_FIELDS:
        return None
    if name not in attributes:
        hint = draft.report.meant(name, [*attributes, *CONTACT_FIELDS])
        if hint is None and attributes:
            hint = f"the project declares {listed(sorted(attributes))}"
        draft.report.error(spot, "unknown-attribute", f"contacts have no {quoted(name)}", hint)
    return attributes.get(name)


def _check_moment(attribute: str, spot: Spot, draft: Draft) -> None:
    kind = _check_attribute(attribute, spot, draft)
    if kind is not None and kind != "date":
        message = f"`contact.{attribute}` is a {kind}, not a date"
        draft.report.error(spot, "type-mismatch", message)


def _check_update(element: UpdateContact, node: DraftNode, draft: Draft) -> None:
    written = step_into(node.piece, "set")
    if not isinstance(written, MapPiece):
        return
    for name, value in element.set.items():
        kind = _check_attribute(name, written.entries[name].spot, draft)
        if kind is not None and not _suits(value, kind):
            shown = step_into(written, name)
            given = quoted(shown.text) if isinstance(shown, ScalarPiece) else kind_of(value)
            hint = "put it in quotes" if kind == "text" and not isinstance(value, list) else None
            what = "`true` or `false`" if kind == "boolean" else f"a {kind}"
            message = f"{quoted(name)} is {what}, not {given}"
            draft.report.error(node.spot_of(("set", name)), "type-mismatch", message, hint)


def _suits(value: Any, kind: AttributeType) -> bool:
    if value is None:  # takes the attribute away
        return True
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float)
    if kind == "list":
        return isinstance(value, list | tuple)
    if kind == "date":
        return isinstance(value, str) and read_date(value) is not None
    return isinstance(value, str)
