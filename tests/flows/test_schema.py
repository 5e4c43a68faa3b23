"""The schema for editors: every word of the language with its meaning."""

import json

import yaml
from hypothesis import given
from tests.random_flows import flow_texts

from tactful.elements import catalogue
from tactful.flows.fit import option_names
from tactful.flows.header import header_fields
from tactful.flows.load import KEYS
from tactful.flows.schema import flow_schema

CATALOGUE = catalogue()
SCHEMA = flow_schema(CATALOGUE)


def resolved(schema):
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def test_it_is_json_and_new_on_each_call():
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    flow_schema(CATALOGUE)["properties"].clear()
    assert tuple(SCHEMA["properties"]) == KEYS
    assert flow_schema(CATALOGUE) == SCHEMA


def test_every_reference_leads_somewhere():
    def references(schema):
        if isinstance(schema, dict):
            if "$ref" in schema:
                yield schema["$ref"]
            for inner in schema.values():
                yield from references(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from references(inner)

    for reference in references(SCHEMA):
        assert reference.removeprefix("#/$defs/") in SCHEMA["$defs"], reference


def test_each_type_brings_its_own_options_with_what_they_mean():
    types = SCHEMA["$defs"]["element"]["properties"]["type"]["oneOf"]
    assert [choice["const"] for choice in types] == list(CATALOGUE)
    assert all(choice["description"] for choice in types)
    for word, element in CATALOGUE.items():
        schema = SCHEMA["$defs"][f"element-{word}"]
        assert list(schema["properties"]) == ["type", *option_names(element), "next"]
        for name in option_names(element):
            assert schema["properties"][name]["description"], f"{word}.{name}"
        assert "within" in schema["required"] or "within" not in schema["properties"]


def test_next_knows_the_exits():
    def exits(word):
        *_, named = SCHEMA["$defs"][f"element-{word}"]["properties"]["next"]["anyOf"]
        return set(named["properties"]), bool(named["additionalProperties"])

    assert exits("send_sms") == ({"sent", "failed", "suppressed"}, False)
    assert exits("wait_for_event") == ({"happened", "timed_out", "not_sent"}, False)
    assert exits("branch") == ({"otherwise"}, True)
    assert exits("pause") == ({"done", "no_date"}, False)


def test_the_parts_above_the_elements_are_described():
    for name, model in header_fields().items():
        schema = SCHEMA["properties"][name]
        part = resolved(schema.get("items", schema))
        assert list(part["properties"]) == option_names(model)
        assert all(option["description"] for option in part["properties"].values())


# --- No red line under what is right -------------------------------------------------------------

KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def complaints(value, schema, path=""):
    """As much of a validator as the schema needs."""
    schema = resolved(schema)
    kinds = schema.get("type")
    if (
        kinds is not None
        and not any(isinstance(value, KINDS[kind]) for kind in [kinds] if isinstance(kind, str))
        and not (isinstance(kinds, list) and any(isinstance(value, KINDS[kind]) for kind in kinds))
    ):
        yield f"{path}: {value!r} is not {kinds}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    for choice in ("anyOf", "oneOf"):
        if choice in schema and all(any(complaints(value, one)) for one in schema[choice]):
            yield f"{path}: {value!r} fits no choice"
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}: no {name}"
        for name, inner in value.items():
            if name in properties:
                yield from complaints(inner, properties[name], f"{path}.{name}")
            elif others is False:
                yield f"{path}: unknown {name}"
            elif isinstance(others, dict):
                yield from complaints(inner, others, f"{path}.{name}")
    if isinstance(value, list) and "items" in schema:
        for inner in value:
            yield from complaints(inner, schema["items"], f"{path}[]")
    for rule in schema.get("allOf", ()):
        if not any(complaints(value, rule["if"])):
            yield from complaints(value, rule["then"], path)


@given(flow_texts())
def test_what_loads_has_no_red_line(text):
    assert list(complaints(yaml.safe_load(text), SCHEMA)) == []


def test_what_is_wrong_has_one():
    flow = {"flow": "f", "elements": {"a": {"type": "pause", "fro": "3 days", "next": {"don": "end"}}}}
    assert list(complaints(flow, SCHEMA))
