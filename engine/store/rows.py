"""Rows to values and back: the only place that knows how a journey, an event or a contact is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tactful.elements.contract import NOTHING, Contact, Event, MessageKey
from tactful.engine.interpreter import Journey
from tactful.engine.json_text import json_writer

_dump = json_writer(only_ascii=False, compact=True, in_order=True)
_parse = json.JSONDecoder().raw_decode  # without the look for white space around, which we did not write


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys: equal values have equal text."""
    return _dump(value)


def entry_text(entry: Event) -> str:
    """The event that began a journey: name, when, its place in the log, its data."""
    return _dump([entry.name, entry.at, entry.id, dict(entry.data)] if entry.data else [entry.name, entry.at, entry.id])


def read_entry(text: str) -> Event:
    """The other way."""
    entry: Sequence[Any] = _parse(text)[0]
    return Event(entry[0], entry[1], entry[3] if len(entry) > 3 else NOTHING, None, entry[2])


def values_text(values: Mapping[str, Any]) -> str | None:
    """A journey's values; None for none."""
    return _dump(dict(values)) if values else None


def read_values(text: str | None) -> Mapping[str, Any]:
    """The other way."""
    return _parse(text)[0] if text else NOTHING


def new_journey(journey: Journey, flow: int) -> tuple[Any, ...]:
    """For `begin_journeys`. `flow` is the flow's number."""
    return (
        journey.id, journey.contact, flow, journey.version, journey.entry_number, journey.state, journey.element,
        journey.step, journey.entered_at, journey.arrived_at, journey.due_at, journey.since,
        entry_text(journey.entry), values_text(journey.values), journey.ended_at, journey.why,
    )  # fmt: skip


def moved_journey(journey: Journey) -> tuple[Any, ...]:
    """For `move_journeys`."""
    return (
        journey.state, journey.element, journey.step, journey.arrived_at, journey.due_at, journey.since,
        values_text(journey.values), journey.ended_at, journey.why, journey.id, journey.contact,
    )  # fmt: skip


def read_journey(row: Any, flow: str) -> Journey:
    """A row of `journey` (columns as in `reading.JOURNEY_COLUMNS`). `flow` is the flow's id."""
    return Journey(
        row[0], flow, row[3], row[1], row[4], read_entry(row[12]), row[8], row[11], row[5], row[6], row[7], row[9],
        row[10], read_values(row[13]), row[14], row[15],
    )  # fmt: skip


def read_event(row: Any) -> Event:
    """A row of `event`: id, contact, name, at, data, message_journey, message_step."""
    id, _, name, at, data, journey, step = row
    message = None if journey is None else MessageKey(journey, step)
    return Event(name, at, _parse(data)[0] if data else NOTHING, message, id)


def read_contact(row: Any) -> Contact:
    """A row of `contact`: id, key, email, phone, time_zone, attributes, tags."""
    number, key, email, phone, zone, attributes, tags = row
    return Contact(
        number,
        key,
        _parse(attributes)[0] if attributes != "{}" else NOTHING,
        frozenset(_parse(tags)[0]) if tags != "[]" else frozenset(),
        email,
        phone,
        zone,
    )
