"""`import contacts`, `enter`, `leave`, `event`."""

import json

import pytest

GOOD = "id,email,first_name,orders\nzoe,zoe@example.com,Zoe,3\nyan,yan@example.com,Yan,5\n"


def put(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return name


# --- import --------------------------------------------------------------------------------------


def test_import_brings_contacts_in_and_changes_them(tactful, shop):
    file = put(shop, "people.csv", GOOD)
    assert tactful("import", "contacts", file).out == "2 contacts: 2 new, 0 changed, 0 as they were\n"
    put(shop, "people.csv", GOOD.replace("Zoe,3", "Zoé,3"))
    assert tactful("import", "contacts", file, "--json").json == {
        "rows": 2, "new": 0, "changed": 1, "same": 1, "bad": [], "dry_run": False,
    }  # fmt: skip


def test_import_of_json_lines(tactful, shop):
    lines = [{"id": "zoe", "email": "zoe@example.com", "tags": ["vip"]}, {"phone": "+447700900001"}]
    file = put(shop, "people.jsonl", "\n".join(map(json.dumps, lines)))
    assert tactful("import", "contacts", file, "--json").json["new"] == 2


def test_import_names_every_bad_row_and_brings_in_the_good_ones(tactful, shop):
    file = put(shop, "people.csv", GOOD + "xu,not an address,Xu,1\nwil,wil@example.com,Wil,many\n")
    ran = tactful("import", "contacts", file, code=1)
    lines = ran.out.splitlines()
    assert lines[0].startswith("people.csv:4: email `not an address`: ")
    assert lines[1].startswith("people.csv:5: orders must be a number, not `many`")
    assert lines[2] == "2 contacts: 2 new, 0 changed, 0 as they were; 2 rows left out"
    assert ran.err == ""
    bad = tactful("import", "contacts", file, "--json", code=1).json["bad"]
    assert [each["line"] for each in bad] == [4, 5]
    assert set(bad[0]) == {"line", "reason", "hint"}


def test_import_can_be_tried_first(tactful, shop):
    file = put(shop, "people.csv", GOOD)
    assert "2 contacts could be brought in" in tactful("import", "contacts", file, "--dry-run").out
    assert not (shop / "tactful.db").exists()
    put(shop, "people.csv", GOOD + "xu,not an address,Xu,1\n")
    assert tactful("import", "contacts", file, "--dry-run", "--json", code=1).json["dry_run"] is True


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("people.xlsx", "PK", "neither .csv nor .jsonl"),
        ("people.csv", "", "empty"),
        ("people.csv", "PK\x03\x04", "spreadsheet"),
    ],
)
def test_import_of_what_is_no_list_of_contacts(tactful, shop, name, text, said):
    file = put(shop, name, text)
    code = 2 if name.endswith("xlsx") else 1
    assert said in tactful("import", "contacts", file, code=code).err


def test_import_of_thousands(tactful, shop):
    rows = [f"c{number},c{number}@example.com,C,1" for number in range(2_500)]
    file = put(shop, "people.csv", "id,email,first_name,orders\n" + "\n".join(rows))
    assert tactful("import", "contacts", file, "--json").json["new"] == 2_500


# --- enter ---------------------------------------------------------------------------------------


def test_enter_brings_contacts_in(tactful, open_shop):
    ran = tactful("enter", "win-back", "--contact", "ana", "--data", '{"value": 35}')
    assert ran.out == "1 contact entered win-back: journey 1\n"
    assert "once `tactful serve` runs" in ran.err
    again = tactful("enter", "win-back", "-c", "ana", "-c", "ben", "--json").json
    assert again == {
        "flow": "win-back", "asked": 2, "entered": 1, "refused": {"was here less than 30 days ago": 1},
        "journeys": {"ben": 2},
    }  # fmt: skip
    assert tactful("enter", "win-back", "-c", "ana", "--json", code=1).json["entered"] == 0
    assert tactful("journey", "1", "--json").json["entry"]["data"] == {"value": 35}


def test_enter_of_all_says_how_many_and_asks(tactful, open_shop):
    ran = tactful("enter", "win-back", "--all", code=2)
    assert "Bring all 8 contacts into win-back?" in ran.err
    assert "say --yes" in ran.err
    tactful("enter", "win-back", "--contact", "ana")
    ran = tactful("enter", "win-back", "--all", "--yes", "--data", '{"value": 35}')
    assert ran.out == "7 contacts entered win-back\n  1 not: was here less than 30 days ago\n"
    assert tactful("journey", "2", "--json").json["entry"]["data"] == {"value": 35}


def test_enter_of_those_for_whom_a_condition_holds(tactful, open_shop):
    ran = tactful("enter", "win-back", "--where", "contact.orders >= 5", code=2)
    assert "Bring 3 of 8 contacts into win-back?" in ran.err
    found = tactful("enter", "win-back", "--where", "contact.orders >= 5", "--yes", "--json").json
    assert found == {"flow": "win-back", "asked": 3, "entered": 3, "refused": {}}
    assert "No contact is meant" in tactful("enter", "win-back", "--where", "contact.orders > 99", code=1).out


def test_enter_of_a_crowd_counts_across_batches(tactful, open_shop):
    rows = [f"c{number},c{number}@example.com,C,9" for number in range(2_500)]
    tactful("import", "contacts", put(open_shop, "crowd.csv", "id,email,first_name,orders\n" + "\n".join(rows)))
    assert tactful("enter", "win-back", "--where", "contact.orders == 9", "-y", "--json").json["entered"] == 2_500


@pytest.mark.parametrize(
    ("where", "at", "said"),
    [
        ("contact.orders >", 15, "something is missing"),
        ("contact.ordrs > 1", 0, "did you mean `orders`?"),
        ("contact.orders > 'x'", 0, "orders"),
        ("contact.orders > 1 and event.value > 1", 23, "means nothing here"),
        ("__import__('os')", 0, "error"),
    ],
)
def test_enter_with_a_bad_condition_shows_the_place(tactful, open_shop, where, at, said):
    ran = tactful("enter", "win-back", "--where", where, code=2)
    assert said in ran.err
    lines = ran.err.splitlines()
    assert lines[1] == f"    {where}"
    assert lines[2] == " " * (4 + at) + "^"


def test_enter_of_bad_names(tactful, open_shop):
    assert "did you mean `win-back`?" in tactful("enter", "win-bak", "-c", "ana", code=1).err
    assert "did you mean `ana`?" in tactful("enter", "win-back", "-c", "ana@example.com", code=1).err
    assert "one of" in tactful("enter", "win-back", "--all", "-c", "ana", code=2).err
    assert tactful("status", "--json").json["flows"][0]["waiting"] == 0


# --- leave ---------------------------------------------------------------------------------------


def test_leave(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana", "-c", "ben")
    assert tactful("leave", "win-back", "-c", "ana").out == "1 journey through win-back ended\n"
    assert "nobody of them" in tactful("leave", "win-back", "-c", "ana", code=1).out
    assert tactful("leave", "win-back", "-c", "ben", "--json").json == {"flow": "win-back", "left": 1}
    assert "there is no contact `nobody`" in tactful("leave", "win-back", "-c", "nobody", code=1).err


# --- event ---------------------------------------------------------------------------------------


def test_event_begins_a_journey(tactful, open_shop):
    ran = tactful("event", "basket_abandoned", "--contact", "ana", "--data", '{"value": 35}')
    assert (ran.out, ran.err) == ("learnt\n", "")
    assert tactful("journeys", "--json").json[0]["contact"] == "ana"


def test_event_told_twice_counts_once(tactful, open_shop):
    told = ("event", "basket_abandoned", "-c", "ana", "--data", '{"value": 35}', "--id", "e-1")
    assert tactful(*told, "--json").json == {"state": "learnt", "why": None}
    assert tactful(*told, "--json").json == {"state": "known", "why": None}
    assert "told before" in tactful(*told).out


def test_event_of_the_past_in_the_contacts_own_zone(tactful, open_shop):
    tactful("event", "basket_abandoned", "-c", "ana", "--data", '{"value": 35}', "--at", "2026-03-02 09:00")
    assert tactful("journey", "1", "--json").json["entry"]["at"] == "2026-03-02T08:00:00Z"


def test_event_of_a_message(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana")
    assert tactful("event", "opened", "--message", "1.1").out == "learnt\n"
    assert "there is no message 9.9" in tactful("event", "opened", "-m", "9.9", code=1).err
    ran = tactful("event", "opened", "-m", "1.1", "-c", "ben", "--json", code=1)
    assert ran.json["state"] == "refused"


def test_event_that_no_flow_knows_is_remarked_upon(tactful, open_shop):
    ran = tactful("event", "purchsed", "-c", "ana")
    assert "no published flow knows an event `purchsed`; did you mean `purchased`?" in ran.err
    assert "--message" in tactful("event", "opened", "-c", "ana").err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["x", "-c", "anna"], 1, "did you mean `ana`?"),
        (["x", "-m", "many"], 2, "is not a message"),
        (["x", "-c", "ana", "--data", "{"], 2, "--data is not JSON"),
        (["x", "-c", "ana", "--data", "[" * 100_000], 2, "--data"),
        (["x", "-c", "ana", "--data", r'{"a": "\u0000"}'], 2, "--data: its data holds a text with NUL"),
        (["x", "-c", "ana", "--at", "soon"], 2, "`soon` is not a time"),
        (["x", "-c", "ana", "--at", "2999-01-01"], 2, "has not come yet"),
        (["  ", "-c", "ana"], 2, "an event's name"),
    ],
)
def test_event_badly_told(tactful, open_shop, arguments, code, said):
    assert said in tactful("event", *arguments, code=code).err
