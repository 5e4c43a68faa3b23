"""What the API does, through a real server, on each kind of database."""

from __future__ import annotations

import httpx
import pytest

from tactful.engine.flowbook import Flowbook, FlowGone
from tactful.engine.optout.do_not_contact import Change, Entry
from tactful.engine.store import reading

from .conftest import CLOCK, Shop, refused

NUL = "WyJcdTAwMDAiLCAiYWxsIiwgIiIsICJldmVyeXRoaW5nIl0"
"""The cursor behind an entry for a destination that is NUL."""


@pytest.fixture
def database(url: str) -> str:
    return url


# --- inbound


def test_a_stop_that_comes_in_blocks_and_says_why(client: httpx.Client) -> None:
    stop = {"sender": "+447700900123", "from": "07700 900456", "text": "Stop, please", "id": "m-1"}
    answer = client.post("/v1/inbound", json=stop)
    assert answer.status_code == 200
    said = answer.json()
    assert said.pop("why")
    assert said == {
        "decision": "block", "keyword": "STOP", "level": "any_sender", "normalised": "stop please", "number": 1,
        "known": False,
        "rule": {"sender": "+447700900123", "keyword": "STOP", "action": "block", "level": "any_sender"},
    }  # fmt: skip
    (entry,) = client.get("/v1/do-not-contact").json()["entries"]
    assert (entry["destination"], entry["channel"], entry["sender"]) == ("+447700900456", "all", None)
    again = client.post("/v1/inbound", json=stop).json()
    assert (again["known"], again["decision"], again["number"]) == (True, None, 1)


def test_a_dry_run_changes_nothing(client: httpx.Client) -> None:
    stop = {"sender": "+447700900123", "from": "07700 900456", "text": "STOP"}
    said = client.post("/v1/inbound?dry_run=true", json=stop).json()
    assert (said["decision"], said["number"]) == ("block", None)
    assert client.get("/v1/do-not-contact").json() == {"entries": [], "next": None}


def test_a_mistyped_dry_run_does_nothing_real(client: httpx.Client) -> None:
    stop = {"sender": "+447700900123", "from": "07700 900456", "text": "STOP"}
    problem = refused(client.post("/v1/inbound?dryrun=true", json=stop), 422)
    assert problem["errors"][0]["where"] == "query.dryrun"
    assert client.get("/v1/do-not-contact").json()["entries"] == []


# --- the Do Not Contact list


def test_entries_are_put_on_the_list_and_each_is_told_whether_it_was_new(client: httpx.Client, shop: Shop) -> None:
    entries = [
        {"destination": "Ana@Example.com", "channel": "email", "reason": "asked on the phone"},
        {"destination": "@acme.example"},
        {"destination": "ana@example.com", "channel": "email", "reason": "again"},
        {"destination": "07700 900456", "sender": "+447700900123", "channel": "sms", "covers": "marketing"},
    ]
    answer = client.post("/v1/do-not-contact", json={"entries": entries})
    assert answer.json()["entries"] == [
        {"destination": "ana@example.com", "new": True},
        {"destination": "@acme.example", "new": True},
        {"destination": "ana@example.com", "new": False},
        {"destination": "+447700900456", "new": True},
    ]
    listed = client.get("/v1/do-not-contact", params={"sender": "+447700900123"}).json()["entries"]
    assert [(each["destination"], each["source"], each["covers"]) for each in listed] == [
        ("+447700900456", "API key all", "marketing")
    ]


def test_where_one_entry_is_wrong_none_is_put_on_the_list(client: httpx.Client) -> None:
    entries = [{"destination": "ana@example.com"}, {"destination": "x"}, {"destination": "b@x.example", "sender": "y"}]
    problem = refused(client.post("/v1/do-not-contact", json={"entries": entries}), 422)
    assert [each["where"] for each in problem["errors"]] == ["body.entries[1].destination", "body.entries[2].sender"]
    assert client.get("/v1/do-not-contact").json()["entries"] == []


def test_a_contact_who_is_blocked_learns_it_and_leaves_with_what_waited(client: httpx.Client, shop: Shop) -> None:
    client.post("/v1/events", json={"events": [{"name": "began", "contact": "ana"}]})
    client.post("/v1/do-not-contact", json={"entries": [{"destination": "ana@example.com"}]})
    assert shop.engine.outbox.take("news@acme.example", CLOCK.now(), 10).messages == ()
    step = client.get("/v1/journeys/1").json()["steps"][0]
    assert step["message"]["state"] == "suppressed"


def test_pages_of_the_list_miss_nothing_of_one_destination(client: httpx.Client, shop: Shop) -> None:
    changes = [
        Change(True, Entry(f"p{number % 7}@example.com", channel, sender, covers), "import")
        for number in range(7)
        for channel in ("all", "email")
        for sender in ("", "news@acme.example")
        for covers in ("marketing", "everything")
    ]
    with shop.engine.store.write() as tx:
        shop.engine.do_not_contact.change(tx, changes, CLOCK.now())
    cursor: dict[str, str] = {}
    found = []
    while True:
        page = client.get("/v1/do-not-contact", params={"limit": 3, **cursor}).json()
        found += [(e["destination"], e["channel"], e["sender"] or "", e["covers"]) for e in page["entries"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == sorted(tuple(change.entry) for change in changes)


@pytest.mark.parametrize("cursor", ["x", "W10", "WzEsMiwzLDRd", "_-8", "8J-YgA", "=", "W1tbW1tb", NUL])
def test_a_cursor_that_is_none_is_refused(client: httpx.Client, cursor: str) -> None:
    assert (
        refused(client.get("/v1/do-not-contact", params={"cursor": cursor}), 422)["errors"][0]["where"]
        == "query.cursor"
    )


def test_taking_off_the_list_needs_a_reason_which_is_kept(client: httpx.Client) -> None:
    client.post("/v1/do-not-contact", json={"entries": [{"destination": "ana@example.com", "channel": "email"}]})
    for reason in ({}, {"reason": " "}):
        refused(client.delete("/v1/do-not-contact", params={"destination": "ana@example.com", **reason}), 422)
    gone = client.delete("/v1/do-not-contact", params={"destination": "ANA@example.com", "reason": "signed up again"})
    assert gone.json() == {"destination": "ana@example.com", "removed": 1}
    said = client.get(
        "/v1/do-not-contact/explain", params={"destination": "ana@example.com", "channel": "email"}
    ).json()
    assert said["allowed"] is True
    assert [(act["what"], act["reason"], act["source"]) for act in said["history"]] == [
        ("unblock", "signed up again", "API key all"),
        ("block", None, "API key all"),
    ]


def test_only_the_entries_named_are_taken_off(client: httpx.Client) -> None:
    entries = [
        {"destination": "ana@example.com", "channel": "email"},
        {"destination": "ana@example.com", "channel": "all"},
        {"destination": "@example.com"},
    ]
    client.post("/v1/do-not-contact", json={"entries": entries})
    one = {"destination": "ana@example.com", "reason": "asked", "channel": "email"}
    assert client.delete("/v1/do-not-contact", params=one).json()["removed"] == 1
    every = {"destination": "ana@example.com", "reason": "asked"}
    assert client.delete("/v1/do-not-contact", params=every).json()["removed"] == 1
    (left,) = client.get("/v1/do-not-contact").json()["entries"]
    assert left["destination"] == "@example.com"


def test_explain_names_the_entry_that_says_no(client: httpx.Client) -> None:
    entry = {"destination": "ana@example.com", "covers": "marketing", "reason": "asked"}
    client.post("/v1/do-not-contact", json={"entries": [entry]})
    asked = {"destination": "ana@example.com", "channel": "email", "sender": "news@acme.example"}
    said = client.get("/v1/do-not-contact/explain", params=asked).json()
    assert (said["allowed"], said["because"]["reason"]) == (False, "asked")
    said = client.get("/v1/do-not-contact/explain", params={**asked, "purpose": "transactional"}).json()
    assert (said["allowed"], said["because"], len(said["entries"])) == (True, None, 1)


# --- events


def test_events_are_answered_one_by_one(client: httpx.Client, shop: Shop) -> None:
    deep: object = 1
    for _ in range(30):
        deep = [deep]
    events = [
        {"name": "began", "contact": "ana", "id": "e-1", "data": {"value": 35}, "at": "2026-03-02T09:00:00+01:00"},
        {"name": "began", "contact": "ana", "id": "e-1"},
        {"name": "began", "contact": "nobody"},
        {"name": "opened", "message": "77.1"},
        {"name": "contact_changed", "contact": "ana"},
        {"name": "opted_out", "contact": "ana"},
        {"name": "opted_in", "contact": "ana"},
        {"name": "odd\nname", "contact": "ana"},
        {"name": "began"},
        {"name": "began", "contact": "ana", "data": {"x": deep}},
        {"name": "began", "contact": "ana", "data": {"x\0": 1}},
        {"name": "began", "contact": "ana", "data": {"x": "x" * 64_000}},
        {"name": "began", "contact": "ana", "data": {"x": 2**63}},
    ]
    said = client.post("/v1/events", json={"events": events}).json()
    assert [each["state"] for each in said["events"]] == ["learnt", "known"] + ["refused"] * 11
    assert all(each["why"] for each in said["events"][2:])
    assert (said["learnt"], said["known"], said["refused"]) == (1, 1, 11)
    journey = client.get("/v1/journeys/1").json()
    assert journey["entry"] == {"name": "began", "at": "2026-03-02T08:00:00Z", "data": {"value": 35}}


def test_a_sends_outcome_is_not_told_by_others(client: httpx.Client) -> None:
    client.post("/v1/events", json={"events": [{"name": "began", "contact": "ana"}]})
    about: tuple[dict[str, str], ...] = ({"message": "1.1"}, {"contact": "ana"}, {"message": "1.1", "contact": "ana"})
    told = [{"name": name, **whom} for name in ("sent", "failed", "suppressed") for whom in about]
    said = client.post("/v1/events", json={"events": told}).json()
    assert {each["state"] for each in said["events"]} == {"refused"}
    assert said["events"][1]["why"] == "'sent' is not told: the engine knows it by itself"


def test_a_thousand_events_told_twice_are_learnt_once(client: httpx.Client, shop: Shop) -> None:
    people = [{"id": f"p{number}"} for number in range(1_000)]
    assert client.post("/v1/contacts", json={"contacts": people}).json()["new"] == 1_000
    events = {"events": [{"name": "bought", "contact": f"p{n}", "id": f"e{n}"} for n in range(1_000)]}
    assert client.post("/v1/events", json=events).json()["learnt"] == 1_000
    assert client.post("/v1/events", json=events).json()["known"] == 1_000
    with shop.engine.store.read() as tx:
        assert len(reading.keys_seen(tx, {f"e{n}" for n in range(1_000)})) == 1_000


def test_the_runner_is_told_at_once_of_what_changes_and_only_that(client: httpx.Client, shop: Shop) -> None:
    client.get("/v1/do-not-contact")
    assert shop.changes == 0
    client.post("/v1/events", json={"events": [{"name": "began", "contact": "ana"}]})
    client.get("/v1/do-not-contact")  # on the same connection: taken once the one before has come to its end
    assert shop.changes == 1


# --- contacts


def test_contacts_are_put_in_by_the_rules_of_the_import(client: httpx.Client) -> None:
    people = [
        {"id": "ana", "First Name": "Ana", "orders": 3, "tags": ["vip"], "email": None},
        {"email": "Carl@Example.com"},
        {"id": "dan", "orders": "many"},
        {"id": "eve", "email": "nobody"},
        {"first_name": "Nobody"},
        {"id": "ana", "orders": 4},
        {"id": "ben", "email": "ben@example.com"},
        {"id": "fay", "x": "a\0b"},
        {"id": "gus", "x": {"nested": 1}},
    ]
    said = client.post("/v1/contacts", json={"contacts": people}).json()
    assert (said["new"], said["changed"], said["same"]) == (1, 1, 1)
    assert [fault["at"] for fault in said["faults"]] == [2, 3, 4, 5, 7, 8]
    assert said["faults"][3]["reason"] == "the contact `ana` stands at 0 already"


# --- journeys


def test_contacts_come_into_a_flow_and_are_taken_out(client: httpx.Client) -> None:
    entering = {"contacts": ["ana", "nobody", "ana"], "data": {"value": 1}}
    said = client.post("/v1/flows/note/journeys", json=entering).json()
    assert said["entered"] == 1
    assert [(each["contact"], each["journey"], each["why"]) for each in said["journeys"]] == [
        ("ana", 1, None),
        ("nobody", None, "there is no contact 'nobody'"),
        ("ana", None, "is named twice"),
    ]
    journey = client.get("/v1/journeys/1").json()
    assert (journey["state"], journey["element"], journey["entry"]["data"]) == ("active", "mail", {"value": 1})
    gone = client.delete("/v1/flows/note/journeys", params={"contact": ["ana", "ben"]})
    assert gone.json() == {"left": 1}
    journey = client.get("/v1/journeys/1").json()
    assert (journey["state"], journey["why"]) == ("removed", "taken out over the API")
    assert journey["steps"][0]["message"]["state"] == "withdrawn"


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    refused(client.get("/v1/journeys/77"), 404)
    refused(client.post("/v1/flows/nothing/journeys", json={"contacts": ["ana"]}), 404)
    refused(client.delete("/v1/flows/nothing/journeys", params={"contact": "ana"}), 404)
    refused(client.get("/v1/nothing"), 404)
    refused(client.get("/nothing"), 404)


def test_health_needs_no_key_and_says_whether_a_runner_runs(shop: Shop) -> None:
    assert shop.client(None).get("/health").json() == {"status": "ok", "runner": False}


def test_health_asks_for_no_flow(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not load any more stops the work, and is none of its business."""

    def gone(*_: object) -> int:
        raise FlowGone("it is gone")

    monkeypatch.setattr(Flowbook, "refresh", gone)
    assert shop.client(None).get("/health").status_code == 200
