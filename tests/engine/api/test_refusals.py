"""What the API refuses, and in which words."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from .conftest import refused


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"sender": "+4477"}, "body.sender"),
        ({"from": "nobody"}, "body.from"),
        ({"text": 5}, "body.text"),
        ({"text": "a\0b"}, "body.text"),
        ({"text": "\ud800"}, "body.text"),
        ({"at": "2026-03-02T09:00:00"}, "body.at"),
        ({"at": "2026-02-30T09:00:00Z"}, "body.at"),
        ({"id": "x" * 201}, "body.id"),
        ({"form": "x"}, "body.form"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(client: httpx.Client, change: dict[str, Any], where: str) -> None:
    message = {"sender": "+447700900123", "from": "07700 900456", "text": "STOP", **change}
    answer = client.post("/v1/inbound", content=json.dumps(message), headers={"content-type": "application/json"})
    assert [each["where"] for each in refused(answer, 422)["errors"]] == [where]


@pytest.mark.parametrize(
    ("path", "body", "where", "why"),
    [
        ("/v1/inbound", {"from": "a", "text": "b"}, "body.sender", "it is missing"),
        ("/v1/inbound", {"sender": 7, "from": "a", "text": "b"}, "body.sender", "it must be a text"),
        ("/v1/inbound", {"sender": "", "from": "a", "text": "b"}, "body.sender", "it is empty"),
        ("/v1/inbound", {"sender": "a", "from": "a", "text": "b", "id": "x" * 201}, "body.id",
         "it has more than 200 characters"),
        ("/v1/inbound", {"sender": "a", "from": "a\0", "text": "b"}, "body.from",
         "it holds a character that is none (NUL)"),
        ("/v1/inbound", {"sender": "a", "from": "a", "text": "b", "to": "c"}, "body.to", "there is no such field"),
        ("/v1/inbound", [], "body", "it must be an object"),
        ("/v1/events", {}, "body.events", "it is missing"),
        ("/v1/events", {"events": {}}, "body.events", "it must be a list"),
        ("/v1/events", {"events": []}, "body.events", "it is empty"),
        ("/v1/events", {"events": [{"name": "x"}] * 1001}, "body.events", "it has more than 1,000 items"),
        ("/v1/events", {"events": [{"name": "x", "message": "12"}]}, "body.events[0].message",
         "it is no message's name, such as 1204.3"),
        ("/v1/events", {"events": [{"name": "x", "data": []}]}, "body.events[0].data", "it must be an object"),
        ("/v1/events", {"events": [{"name": "x", "at": "now"}]}, "body.events[0].at",
         "it is no time with its zone, such as 2026-03-02T09:00:00+01:00"),
        ("/v1/do-not-contact", {"entries": [{"destination": "a@b.example", "covers": "all"}]},
         "body.entries[0].covers", "it must be 'marketing' or 'everything'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_our_own_words(
    client: httpx.Client, path: str, body: object, where: str, why: str
) -> None:
    assert refused(client.post(path, json=body), 422)["errors"] == [{"where": where, "why": why}]


@pytest.mark.parametrize(
    ("path", "where", "why"),
    [
        ("do-not-contact?limit=many", "query.limit", "it must be a whole number"),
        ("do-not-contact?limit=0", "query.limit", "it must be at least 1"),
        ("do-not-contact?limit=1000000", "query.limit", "it must be at most 1,000"),
        ("do-not-contact?chanel=sms", "query.chanel", "there is no such field"),
        ("journeys/0", "path.id", "it must be at least 1"),
    ],
)
def test_and_what_is_wrong_with_an_address(client: httpx.Client, path: str, where: str, why: str) -> None:
    assert refused(client.get(f"/v1/{path}"), 422)["errors"] == [{"where": where, "why": why}]


def test_a_title_is_that_of_the_standard(client: httpx.Client) -> None:
    assert refused(client.post("/v1/events", json={}), 422)["title"] == "Unprocessable Content"


@pytest.mark.parametrize("name", ['"\\ud800"', '{"a": "\\udc00"}', "1e999"])
def test_half_characters_and_endless_numbers_are_refused(client: httpx.Client, name: str) -> None:
    body = f'{{"events": [{{"name": "began", "contact": "ana", "data": {{"x": {name}}}}}]}}'
    said = client.post("/v1/events", content=body, headers={"content-type": "application/json"}).json()
    assert said["events"][0]["state"] == "refused"


@pytest.mark.parametrize("number", [0, 1_001])
def test_a_batch_is_one_to_a_thousand(client: httpx.Client, number: int) -> None:
    events = {"events": [{"name": "bought", "contact": "ana"}] * number}
    assert refused(client.post("/v1/events", json=events), 422)["errors"][0]["where"] == "body.events"


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.5", str(2**63)])
def test_a_journey_has_a_number(client: httpx.Client, id: str) -> None:
    refused(client.get(f"/v1/journeys/{id}"), 422)
