"""JSON Schema of scenario files, by which an editor completes words and shows what they mean.

It knows words and shapes, not the flows: whether an element exists is told when the file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import Duration
from tactful.engine.rules.permission import ALL_CHANNELS
from tactful.engine.testing.scenario_run import START
from tactful.engine.testing.step_reading import ListedOptions, ReplyOptions, SentOptions

Schema = dict[str, Any]

_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_ELEMENT: Schema = {"type": ["string", "integer"], "description": "The id of an element of the flow."}
_NOTHING: Schema = {"type": "object", "maxProperties": 0}
_VALUE: Schema = {"type": ["string", "number", "boolean", "array", "null"]}
_VALUES: Schema = {"type": "object", "additionalProperties": _VALUE}
_CHANNEL: Schema = {"enum": [*CHANNELS, ALL_CHANNELS]}
_MOMENT: Schema = {"type": "string", "examples": ["2026-03-02 09:00"]}


def _options(model: type[SentOptions | ReplyOptions | ListedOptions], **more: Schema) -> Schema:
    """A mapping with the fields of a model, all text but for `more`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in model.model_fields.items() if field.is_required()],
        "properties": {
            name: {**more.get(name, _TEXT), "description": field.description}
            for name, field in model.model_fields.items()
        },
    }


_REPORTED: Schema = {
    "anyOf": [_ELEMENT, {"type": "object", "required": ["element"], "properties": {"element": _ELEMENT}}]
}
_LISTED: Schema = {"anyOf": [_CHANNEL, _options(ListedOptions, channel=_CHANNEL)]}

STEPS: Mapping[str, tuple[str, Schema]] = MappingProxyType(
    {
        "enter": (
            "Act: the contact is brought in by hand: into which `flow`, of several, and what the journey knows of it.",
            {"type": "object", "properties": {"flow": _TEXT}},
        ),
        "happens": (
            "Act: an event of the contact's own, with any properties.",
            {"type": "object", "required": ["event"], "properties": {"event": _TEXT}},
        ),
        "delivers": ("Act: the element's newest message is reported as delivered.", _REPORTED),
        "opens": ("Act: the element's newest message is opened.", _REPORTED),
        "clicks": ("Act: a link in the element's newest message is followed.", _REPORTED),
        "bounces": ("Act: the element's newest message comes back.", _REPORTED),
        "complains": ("Act: the element's newest message is reported as spam.", _REPORTED),
        "replies": ("Act: the contact answers a message, or a sender.", _options(ReplyOptions, to=_ELEMENT)),
        "opts_out": ("Act: the opt-out link of the element's newest message is followed and confirmed.", _ELEMENT),
        "block": (
            "Act: somebody puts the contact on the Do Not Contact list by hand, for any sender or this `sender`.",
            _LISTED,
        ),
        "unblock": ("Act: somebody takes the contact off the Do Not Contact list again.", _LISTED),
        "fails": ("Act: the provider refuses the next message of the element.", _ELEMENT),
        "changes": ("Act: the contact changes. `null` removes an attribute; tags are added.", _VALUES),
        "after": (
            "Act: so much time passes, with everything that falls due on the way.",
            {"type": "string", "format": Duration.FORMAT, "examples": list(Duration.EXAMPLES)},
        ),
        "until": ("Act: time passes up to a moment, with everything that falls due on the way.", _MOMENT),
        "restart": ("Act: the engine is killed and started again.", _NOTHING),
        "sent": (
            "Since the last act: exactly one message of the element was sent; with `contains`, with this text in it.",
            {"anyOf": [_ELEMENT, _options(SentOptions, element=_ELEMENT)]},
        ),
        "not_sent": ("Since the last act: no message of the element was sent.", _ELEMENT),
        "held": ("Since the last act: a message of the element was held.", _ELEMENT),
        "suppressed": ("Since the last act: a message of the element was suppressed.", _ELEMENT),
        "answered": ("Since the last act: a keyword rule answered, with this text in it.", _TEXT),
        "goal": ("Since the last act: this goal was reached.", _TEXT),
        "not_entered": ("Since the last act: no journey began.", _NOTHING),
        "stands_at": ("As it stands: where the newest journey is.", _ELEMENT),
        "ended": ("As it stands: the newest journey has ended, and this is the last element it visited.", _ELEMENT),
        "path": (
            "As it stands: the elements the newest journey visited, with the one it stands at.",
            {"type": "array", "items": _ELEMENT},
        ),
        "contact": ("As it stands: attributes of the contact; `null` for one they do not have.", _VALUES),
        "on_do_not_contact": (
            "As it stands: an entry of the Do Not Contact list stops the contact for any sender; or for this `sender`.",
            _LISTED,
        ),
        "not_on_do_not_contact": ("As it stands: no entry of the Do Not Contact list does.", _LISTED),
    }
)
"""Every word a step may begin with: what it means, and what it takes."""


def scenario_schema() -> Schema:
    """The schema (draft 2020-12) of scenario files: new on each call, free to be changed."""
    file: Schema = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scenarios of a tactful flow",
        "description": "What a flow does, tried out in virtual time. `tactful test` and pytest run it.",
        "type": "object",
        "required": ["scenarios"],
        "oneOf": [{"required": ["flow"]}, {"required": ["flows"]}],
        "additionalProperties": False,
        "properties": {
            "flow": {**file, "description": "The flow's file, relative to this one."},
            "flows": {"type": "array", "minItems": 1, "items": file, "description": "The files of several flows."},
            "project": {**file, "description": "The project file; without it, the nearest tactful.yaml."},
            "scenarios": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/scenario"}},
        },
        "$defs": {"scenario": _scenario(), "step": _step()},
    }


def _scenario() -> Schema:
    return {
        "type": "object",
        "description": "One contact's story, in a fresh world.",
        "required": ["name", "contact", "steps"],
        "additionalProperties": False,
        "properties": {
            "name": {**_TEXT, "description": "What the scenario shows."},
            "contact": {**_VALUES, "description": "The contact: email, phone, time_zone, tags, and their attributes."},
            "at": {
                **_MOMENT,
                "description": "When it begins, in the contact's time zone, else the flow's, else UTC. Without it: "
                f"{START}.",
            },
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
        },
    }


def _step() -> Schema:
    return {
        "type": "object",
        "description": "One act, or one expectation.",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {word: {**takes, "description": about} for word, (about, takes) in STEPS.items()},
    }
