"""`status`, `journeys`, `journey`, `messages`, `settle`."""

import pytest
from sqlalchemy import insert

from tactful.engine.clock import SystemClock
from tactful.engine.outbox import Settled
from tactful.engine.store.statements import table
from tactful.engine.store.tables import WebhookRow

NO_PASSWORD = "via: smtp, host: mail.example, username: acme, password: {env: NOT_SET_HERE}"


@pytest.fixture
def database(url):
    """On each kind; in a file it is the one that was opened before."""
    return None if url.startswith("sqlite") else url


@pytest.fixture
def busy_shop(tactful, open_shop, work):
    """Three journeys: Ana's and Dai's emails were sent, Ben's address was blocked before."""
    tactful("dnc", "add", "ben@example.com")
    for who in ("ana", "ben", "dai"):
        tactful("event", "basket_abandoned", "-c", who, "--data", '{"value": 35}')
    work(open_shop)
    return open_shop


# --- status --------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_status_before_anything_was_published(tactful, shop):
    ran = tactful("status")
    assert "no database yet" in ran.out
    assert "win-back is not published" in ran.out
    assert not (shop / "tactful.db").exists()


def test_status(tactful, busy_shop):
    tactful("event", "purchased", "-c", "dai")
    found = tactful("status", "--json").json
    assert set(found) == {
        "database", "sealed", "running", "halted", "contacts", "do_not_contact", "flows", "messages", "stuck_senders",
        "unknown_senders", "retries", "files", "webhooks", "backlog",
    }  # fmt: skip
    assert (found["contacts"], found["do_not_contact"]) == (8, 1)
    assert found["messages"] == {"sent": 2, "suppressed": 1}
    (flow,) = found["flows"]
    assert (flow["waiting"], flow["finished"]) == (1, 2)
    assert flow["ended"] == {"done": 1, "stopped": 1}
    assert flow["goals"] == {"purchased": 1}
    assert flow["next_due"].endswith("Z")
    said = tactful("status").out
    assert "purchased 1" in said
    assert "Nothing moves until `tactful serve` runs." in said


def test_status_names_files_that_want_attention(tactful, open_shop):
    folder = open_shop / "flows"
    (folder / "broken.yaml").write_text("flow: broken\n", encoding="utf-8")
    (folder / "new.yaml").write_text("flow: new\nelements:\n  rest: {type: pause, for: 1 day}\n", encoding="utf-8")
    (folder / "win-back" / "flow.yaml").unlink()
    found = {each["flow"]: each["state"] for each in tactful("status", "--json").json["files"]}
    assert found == {"flows/broken.yaml": "broken", "new": "not published", "win-back": "gone"}
    said = tactful("status").out
    for part in ("has mistakes", "is not published", "no file of the project has it"):
        assert part in said


def test_status_names_senders_with_no_way_out(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana")
    project = open_shop / "tactful.yaml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("via: console, name: Acme", NO_PASSWORD), encoding="utf-8")
    assert (
        "NOT_SET_HERE, which holds the password, is not set"
        in tactful("status", "--json").json["stuck_senders"]["news@acme.example"]
    )
    assert "news@acme.example cannot send" in tactful("status").out
    project.write_text(text.replace("news@acme.example", "other@acme.example"), encoding="utf-8")
    assert "is not in the project file" in tactful("status").out


# --- journeys ------------------------------------------------------------------------------------


def test_journeys(tactful, busy_shop):
    found = tactful("journeys", "--json").json
    assert [(each["id"], each["contact"], each["state"]) for each in found] == [
        (3, "dai", "active"), (2, "ben", "done"), (1, "ana", "active"),
    ]  # fmt: skip
    assert set(found[0]) == {
        "id", "flow", "version", "contact", "state", "element", "entered_at", "arrived_at", "due_at", "stands_still",
        "ended_at", "why",
    }  # fmt: skip
    assert found[0]["element"] == "opened"
    assert found[0]["due_at"].endswith("Z")
    said = tactful("journeys").out
    assert "opened" in said
    assert "dai" in said


def ids(ran):
    return [each["id"] for each in ran.json]


def test_journeys_narrowed_down(tactful, busy_shop):
    assert ids(tactful("journeys", "--state", "done", "--json")) == [2]
    assert ids(tactful("journeys", "--contact", "ana", "--json")) == [1]
    assert ids(tactful("journeys", "--at", "opened", "--json")) == [3, 1]
    assert ids(tactful("journeys", "--flow", "win-back", "--at", "opened", "--limit", "1", "--json")) == [3]
    assert "the newest 1" in tactful("journeys", "--limit", "1").err
    assert tactful("journeys", "--state", "failed").out == "No journey is like that.\n"


def test_journeys_of_bad_names(tactful, busy_shop):
    assert "did you mean `done`?" in tactful("journeys", "--state", "don", code=2).err
    assert "did you mean `win-back`?" in tactful("journeys", "--flow", "winback", code=1).err
    assert "did you mean `opened`?" in tactful("journeys", "--flow", "win-back", "--at", "opend", code=2).err
    assert "did you mean `ana`?" in tactful("journeys", "--contact", "anna", code=1).err
    assert "did you mean `ana`?" in tactful("journeys", "--contact", "ANA", code=1).err
    assert (
        r"'\udce4' is half a character" in tactful("journeys", "--contact", "an\udce4", code=2).err
    )  # Latin-1, in a shell


# --- journey -------------------------------------------------------------------------------------


def test_a_journey_under_way(tactful, busy_shop):
    said = tactful("journey", "1").out
    assert 'Entered by basket_abandoned {"value": 35}' in said
    assert "arrived (Europe/Zagreb)" in said
    assert "email 1.1 sent to ana@example.com" in said
    assert "Stands at opened until" in said
    found = tactful("journey", "1", "--json").json
    assert found["entry"]["data"] == {"value": 35}
    first, here = found["steps"]
    assert (first["element"], first["exit"], first["message"]["state"]) == ("offer", "sent", "sent")
    assert (here["element"], here["exit"], here["left_at"]) == ("opened", None, None)


def test_a_journey_that_ended(tactful, busy_shop):
    tactful("event", "opened", "-m", "1.1")
    tactful("event", "purchased", "-c", "ana", "--data", '{"value": 50}')
    said = tactful("journey", "1").out
    assert "opened" in said
    assert "vip" in said
    assert "Was stopped" in said
    assert "stop_when: purchased happened" in said
    assert "Reached the goal purchased" in said
    found = tactful("journey", "1", "--json").json
    assert found["goals"]["purchased"].endswith("Z")
    assert found["steps"][1]["event"]["name"] == "opened"
    assert found["steps"][-1]["exit"] == "(stopped)"


def test_a_journey_whose_message_was_suppressed_says_why(tactful, busy_shop):
    said = tactful("journey", "2").out
    assert "suppressed" in said
    assert "on the Do Not Contact list (a person)" in said
    assert "Came to its end" in said


def test_a_journey_whose_message_waits(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana")
    assert "Stands at offer until its message went out" in tactful("journey", "1").out


def test_a_journey_that_does_not_exist(tactful, open_shop):
    assert "there is no journey 7" in tactful("journey", "7", code=1).err
    for beyond in ("0", str(2**63)):
        tactful("journey", beyond, code=2)


# --- messages and settle -------------------------------------------------------------------------


def test_messages(tactful, busy_shop):
    found = tactful("messages", "--json").json
    assert [(each["message"], each["state"]) for each in found] == [
        ("3.1", "sent"), ("2.1", "suppressed"), ("1.1", "sent"),
    ]  # fmt: skip
    assert set(found[0]) == {
        "message", "flow", "contact", "element", "channel", "sender", "destination", "purpose", "state", "due_at",
        "taken_at", "sent_at", "tries", "why",
    }  # fmt: skip
    (held,) = tactful("messages", "--state", "suppressed", "--contact", "ben", "--flow", "win-back", "--json").json
    assert held["why"] == "on the Do Not Contact list (a person)"
    assert "ana@example.com" in tactful("messages").out
    assert tactful("messages", "--state", "held").out == "No message is like that.\n"
    assert "did you mean `held`?" in tactful("messages", "--state", "hold", code=2).err


@pytest.fixture
def unknown(tactful, engine):
    """A message in hand when its engine went away."""
    tactful("enter", "win-back", "-c", "ana")
    now = SystemClock().now()
    assert engine.outbox.take("news@acme.example", now, 10).messages
    assert engine.outbox.recover([], now) == 1
    return "1.1"


def test_an_unknown_message_wants_attention(tactful, unknown):
    said = tactful("status").out
    assert "1 message of unknown outcome" in said
    assert "tactful settle" in said


@pytest.mark.parametrize(
    ("outcome", "state", "stands_at"),
    [("sent", "sent", "opened"), ("failed", "failed", None), ("repeat", "queued", "offer")],
)
def test_a_person_settles_it(tactful, unknown, outcome, state, stands_at):
    assert tactful("settle", unknown, outcome, "--json").json == [{"message": unknown, "state": state}]
    assert tactful("journey", "1", "--json").json["element"] == stands_at
    assert f"message {unknown} is {state}; only one that is unknown" in tactful("settle", unknown, "sent", code=1).err


def test_what_is_settled_as_repeat_after_its_journey_left_stays_at_home(tactful, unknown):
    tactful("leave", "win-back", "-c", "ana")
    ran = tactful("settle", unknown, "repeat")
    assert "message 1.1 is withdrawn now" in ran.out
    assert "is not sent again" in ran.out


@pytest.fixture
def two_unknown(tactful, engine, unknown):
    tactful("enter", "win-back", "-c", "ben")
    now = SystemClock().now()
    assert engine.outbox.take("news@acme.example", now, 10).messages
    assert engine.outbox.recover([], now) == 1
    return [unknown, "2.1"]


def test_several_are_settled_together_or_none(tactful, two_unknown):
    assert "there is no message 9.1" in tactful("settle", *two_unknown, "9.1", "sent", code=1).err
    states = [{"message": key, "state": "unknown"} for key in two_unknown]
    assert [{name: each[name] for name in ("message", "state")}
            for each in reversed(tactful("messages", "--state", "unknown", "--json").json)] == states  # fmt: skip
    assert tactful("settle", *two_unknown, two_unknown[0], "sent").out == "2 messages are sent now\n"


def test_all_that_are_unknown_are_settled_of_a_sender_or_of_any(tactful, two_unknown):
    assert tactful("settle", "all", "repeat", "--sender", "other@acme.example").out == "No message is unknown.\n"
    assert "goes with `all` only" in tactful("settle", "1.1", "repeat", "--sender", "news@acme.example", code=2).err
    assert "2 messages are queued now" in tactful("settle", "all", "repeat", "--sender", "news@acme.example").out
    assert tactful("settle", "all", "sent", "--json").json == []


def test_settle_of_bad_names(tactful, open_shop):
    assert "is not a message" in tactful("settle", "x", "sent", code=2).err
    assert "did you mean `sent`?" in tactful("settle", "1.1", "snt", code=2).err
    assert "there is no message 1.1" in tactful("settle", "1.1", "sent", code=1).err


def test_status_says_what_is_tried_again_and_why(tactful, engine, open_shop):
    tactful("enter", "win-back", "-c", "ana", "-c", "ben")
    now = SystemClock().now()
    sender, later = "news@acme.example", 4_102_444_800_000
    taken = engine.outbox.take(sender, now, 10).messages
    assert len(taken) == 2
    why = "cannot connect to mail.acme.example:587: Connection refused"
    outcomes = [
        Settled(taken[0].key, "queued", "busy", due_at=later + 60_000),
        Settled(taken[1].key, "queued", why, due_at=later),
    ]
    engine.outbox.settle(outcomes, now)
    (said,) = [line for line in tactful("status").out.splitlines() if sender in line]
    assert said == f"• {sender}, 2 messages are tried again from Fri 1 Jan 2100 00:00 UTC on: {why}"
    assert tactful("status", "--json").json["retries"] == [
        {"sender": sender, "messages": 2, "why": why, "due_at": "2100-01-01T00:00:00Z"}
    ]


def test_status_names_a_webhook_that_is_not_taken(tactful, engine, open_shop):
    url = "https://crm.acme.example/hooks?token=hunter2"
    with (open_shop / "tactful.yaml").open("a") as file:
        file.write(f"\nwebhooks:\n  - {{url: '{url}', secret: {{env: HOOK}}}}\n")
    with engine.store.write() as tx:
        tx.execute(insert(table(WebhookRow)).values(receiver=url, behind=0, tries=2, due_at=0, why="it answered 500"))
    tactful("dnc", "add", "ana.kovac@example.com")
    (said,) = [line for line in tactful("status").out.splitlines() if "crm.acme" in line]
    assert said == (
        "• https://crm.acme.example/hooks was not told of 1 change of the list: it answered 500; "
        "it is tried again Thu 1 Jan 1970 00:00 UTC"
    )
    (webhook,) = tactful("status", "--json").json["webhooks"]
    assert webhook == {
        "receiver": "https://crm.acme.example/hooks", "untold": 1, "why": "it answered 500",
        "due_at": "1970-01-01T00:00:00Z",
    }  # fmt: skip
