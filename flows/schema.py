"""JSON Schema of a flow file, by which an editor completes types, options and exits, and shows what they mean.

It is more lenient than the loader wherever JSON Schema could only say it badly: an editor's red line must be right.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tactful.elements.contract import END, Element
from tactful.elements.options.channel import CHANNELS
from tactful.flows.draft import NOT_SENT
from tactful.flows.header import header_fields
from tactful.flows.load import ID, LANGUAGE

_ID = {"type": ["string", "integer"], "pattern": f"^{ID.pattern}$"}

Schema = dict[str, Any]


def flow_schema(catalogue: Mapping[str, type[Element]]) -> Schema:
    """The schema (draft 2020-12) of flow files that use these elements: new on each call, free to be changed."""
    models: dict[str, type[BaseModel]] = {**header_fields(), **catalogue}
    by_model, joined = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models.values())], ref_template="#/$defs/{model}"
    )
    definitions: Schema = joined.get("$defs", {})
    refs = {name: by_model[(model, "validation")] for name, model in models.items()}
    for definition in definitions.values():
        definition.pop("title", None)
        definition["description"] = str(definition.get("description", "")).partition("\n\n")[0].replace("\n", " ")
        if "properties" in definition:
            definition["properties"] = {name: _tidy(option) for name, option in definition["properties"].items()}
    for word, element in catalogue.items():
        definitions[f"element-{word}"] = _element(word, element, definitions[_target(refs[word])])
    used = {_target(refs[word]) for word in catalogue}
    settings = definitions[_target(refs["settings"])]
    settings["properties"]["sender"]["additionalProperties"] = {"type": ["string", "integer"]}
    settings["properties"]["sender"]["properties"] = {
        channel: {"type": ["string", "integer"], "description": f"The sender for {channel}."} for channel in CHANNELS
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A tactful flow",
        "description": "A directed graph of elements that a contact passes through.",
        "type": "object",
        "required": ["flow", "elements"],
        "additionalProperties": False,
        "properties": {
            "flow": {**_ID, "description": "The flow's id: lower case letters, digits, - and _."},
            "language": {"const": LANGUAGE, "description": "The version of the flow language; may be left out."},
            "about": {"type": "string", "description": "What the flow is for, in a sentence or two."},
            "entry": {**refs["entry"], "description": _first_line(models["entry"])},
            "stop_when": {
                "type": "array",
                "items": refs["stop_when"],
                "description": "What takes a contact out of the flow, wherever they stand, the moment it happens.",
            },
            "settings": {**refs["settings"], "description": _first_line(models["settings"])},
            "start": {**_ID, "description": "Where journeys start; without it, at the first element."},
            "elements": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": f"^{ID.pattern}$", "not": {"enum": [END, "otherwise"]}},
                "additionalProperties": {"$ref": "#/$defs/element"},
                "description": "The elements by their ids. Each says by `next` where its exits lead.",
            },
        },
        "$defs": {
            "element": _any_element(catalogue),
            **{name: schema for name, schema in definitions.items() if name not in used},
        },
    }


def _any_element(catalogue: Mapping[str, type[Element]]) -> Schema:
    """An element by its type: each type brings its own options."""
    types = [{"const": word, "description": _first_line(element)} for word, element in catalogue.items()]
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"oneOf": types, "description": "What the element does."}},
        "allOf": [
            {
                "if": {"properties": {"type": {"const": word}}, "required": ["type"]},
                "then": {"$ref": f"#/$defs/element-{word}"},
            }
            for word in catalogue
        ],
    }


def _element(word: str, element: type[Element], options: Schema) -> Schema:
    properties = options.get("properties", {})
    return {
        "type": "object",
        "title": word,
        "description": inspect.getdoc(element) or "",
        "required": ["type", *options.get("required", [])],
        "additionalProperties": False,
        "properties": {
            "type": {"const": word, "description": _first_line(element)},
            **properties,
            "next": _next(element, "paths" in properties),
        },
    }


def _tidy(option: Schema) -> Schema:
    """An option as an editor wants it: without pydantic's titles and nulls, and as lenient as the loader, which takes
    a number or `true` for its spelling where text is wanted."""
    tidy = {key: value for key, value in option.items() if key != "title" and not (key == "default" and value is None)}
    choices = [_tidy(choice) for choice in tidy.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        tidy = {**choices[0], **tidy}
    elif choices:
        tidy["anyOf"] = choices
    if tidy.get("type") == "string" and tidy.get("format") in _SPELLED and not {"enum", "const"} & tidy.keys():
        tidy["type"] = ["string", "number", "boolean"]
    return tidy


_SPELLED = (None, "tactful-template", "tactful-condition", "tactful-send")
"""Formats of text that a number or `true` may be the spelling of; it is none of a duration or a time."""


def _next(element: type[Element], has_paths: bool) -> Schema:
    """Where exits lead: by one id, or exit by exit. The names of paths are up to the flow."""
    target = {"type": ["string", "integer"], "description": f"An element's id, or `{END}`."}
    exits = list(dict.fromkeys((*element.exits, *element.optional_exits)))
    if "message" in element.model_fields:
        exits.append(NOT_SENT)
    named: Schema = {
        "type": "object",
        "properties": dict.fromkeys(exits, target),
        "additionalProperties": target if has_paths else False,
    }
    return {"description": "Where each exit leads; left out, the journey ends here.", "anyOf": [target, named]}


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")


def _target(reference: Any) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
