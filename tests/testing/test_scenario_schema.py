"""The JSON Schema for editors: it takes what the reader takes, and marks what it refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tactful.engine.testing.command import scenario_files
from tactful.engine.testing.scenario_schema import scenario_schema
from tactful.flows.source import read

ROOT = Path(__file__).parents[2]
SCHEMA = scenario_schema()
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits, as far as the keywords go that the schema uses; any other keyword is an error here."""
    for key, said in schema.items():
        match key:
            case "$ref":
                holds = fits(value, SCHEMA["$defs"][said.rpartition("/")[2]])
            case "type":
                kinds = [said] if isinstance(said, str) else said
                number = isinstance(value, int | float) and not isinstance(value, bool)
                holds = any(number if k in ("number", "integer") else isinstance(value, _TYPES[k]) for k in kinds)
            case "enum":
                holds = value in said
            case "anyOf":
                holds = any(fits(value, one) for one in said)
            case "oneOf":
                holds = sum(fits(value, one) for one in said) == 1
            case "required":
                holds = set(said) <= set(value)
            case "properties":
                holds = all(fits(value[name], one) for name, one in said.items() if name in value)
            case "additionalProperties":
                others = [one for name, one in value.items() if name not in schema.get("properties", {})]
                holds = not others if said is False else all(fits(one, said) for one in others)
            case "items":
                holds = all(fits(one, said) for one in value)
            case "minItems" | "minProperties":
                holds = len(value) >= said
            case "maxProperties":
                holds = len(value) <= said
            case "$schema" | "title" | "description" | "examples" | "format" | "$defs":
                holds = True
            case _:
                raise AssertionError(f"a keyword this test does not know: {key}")
        if not holds:
            return False
    return True


@pytest.mark.parametrize("path", list(scenario_files(ROOT / "examples")), ids=lambda path: path.name)
def test_the_examples_fit(path: Path) -> None:
    document, _ = read(str(path), path.read_bytes())
    assert document is not None
    assert fits(document.data, SCHEMA)


@pytest.mark.parametrize(
    "step",
    [
        {"sned": "offer"}, {"sent": "offer", "after": "1 day"}, {"sent": {"element": "offer"}}, {"after": 48},
        {"restart": None}, {"replies": {"to": "ask"}}, {"on_do_not_contact": "emial"}, {"path": "offer"}, {},
    ],
)  # fmt: skip
def test_what_is_refused_is_marked(step: dict[str, Any]) -> None:
    scenario = {"name": "it", "contact": {"email": "a@example.com"}, "steps": [{"sent": "offer"}]}
    assert fits({"flow": "flow.yaml", "scenarios": [scenario]}, SCHEMA)
    assert not fits({"flow": "flow.yaml", "scenarios": [{**scenario, "steps": [step]}]}, SCHEMA)


def test_every_word_is_explained() -> None:
    words = SCHEMA["$defs"]["step"]["properties"]
    assert all(re.match(r"(Act|Since the last act|As it stands): .+\.$", one["description"]) for one in words.values())
