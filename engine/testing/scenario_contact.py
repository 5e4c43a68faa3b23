"""The contact of a scenario: read, value by value, as a contacts file is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from tactful.engine.contacts_file import BadRow, ContactFields, read_contacts
from tactful.engine.project import Project
from tactful.flows.pieces import Entry, MapPiece, value_spot
from tactful.flows.problem import Report, quoted

OWN = ("id", "email", "phone", "time_zone", "tags")
"""What every contact has beside attributes."""


def read_contact(piece: MapPiece, project: Project | None, report: Report) -> ContactFields | None:
    """A whole contact. Without an id they go by their email, else by their phone number; else by `contact`."""
    before = report.count
    fields = read_change(piece, project, report, key="")
    if report.count > before:
        return None
    known = ContactFields(fields.key or fields.email or fields.phone or "contact")
    return replace(fields, key=known.key, attributes={k: v for k, v in fields.attributes.items() if v is not None})


def read_change(piece: MapPiece, project: Project | None, report: Report, key: str) -> ContactFields:
    """What changes of a contact; what is wrong in it is reported. An attribute of `null` is removed."""
    known = ContactFields(key)
    attributes: dict[str, Any] = {}
    for one in _values(piece, project, report):
        attributes.update(one.attributes)
        known = ContactFields(
            one.key or known.key, one.email or known.email, one.phone or known.phone, one.time_zone or known.time_zone,
            attributes, known.tags | one.tags,
        )  # fmt: skip
    return known


def read_values(piece: MapPiece, project: Project | None, report: Report) -> Mapping[str, Any]:
    """Values a contact is expected to have, by name, in the form they are kept in; tags as a frozenset."""
    found: dict[str, Any] = {}
    for entry in piece.all_entries():
        if entry.key in OWN and entry.piece.plain() is None:
            found[entry.key] = None
            continue
        one = _value(entry, project, report)
        if one is not None:
            own = {"id": one.key, "email": one.email, "phone": one.phone, "time_zone": one.time_zone, "tags": one.tags}
            found.update({entry.key: own[entry.key]} if entry.key in own else one.attributes)
    return found


def _values(piece: MapPiece, project: Project | None, report: Report) -> Iterator[ContactFields]:
    for entry in piece.all_entries():
        one = _value(entry, project, report)
        if one is not None:
            yield one


def _value(entry: Entry, project: Project | None, report: Report) -> ContactFields | None:
    """One value as the fields of a contact that has nothing else; `key` is empty unless it is the id."""
    value, spot = entry.piece.plain(), value_spot(entry.piece, entry.spot)
    schema = project.contact if project else None
    if value == "" or (value is None and entry.key in OWN):
        report.error(spot, "empty", f"{quoted(entry.key)} is empty")
        return None
    if schema is not None and entry.key not in (*schema, *OWN):
        hint = report.meant(entry.key, (*schema, *OWN))
        report.error(entry.spot, "unknown-attribute", f"the project declares no attribute {quoted(entry.key)}", hint)
        return None
    if value is None:
        return ContactFields("", attributes={entry.key: None})
    record = {"id": "-", entry.key: value}
    (row,) = read_contacts(BytesIO(json.dumps(record).encode()), "jsonl", schema, project.region if project else None)
    if isinstance(row, BadRow):
        report.error(spot, "bad-contact", row.reason, row.hint)
        return None
    return row.contact if entry.key == "id" else replace(row.contact, key="")
