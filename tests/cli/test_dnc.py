"""`dnc`: the Do Not Contact list."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import update

from tactful.engine.store.statements import BLOCK


def test_the_list_is_empty_at_first(tactful, open_shop):
    assert tactful("dnc", "list").out == "The Do Not Contact list is empty.\n"
    assert tactful("dnc", "list", "--json").json == []


def test_add_names_what_will_not_go_out(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana")
    ran = tactful("dnc", "add", "ANA@example.com", "--reason", "asked on the phone")
    assert ran.out.splitlines() == [
        "ana@example.com is on the Do Not Contact list now",
        "1 waiting message to it will not go out:",
        "  1.1  win-back, offer (email)",
    ]
    again = tactful("dnc", "add", "ana@example.com", "--json").json
    assert again == {"destination": "ana@example.com", "new": False, "suppressed": ["1.1"]}


def test_what_add_named_does_not_go_out(tactful, open_shop, work):
    tactful("enter", "win-back", "-c", "ana", "-c", "ben")
    tactful("dnc", "add", "ana@example.com")
    work(open_shop)
    states = {each["contact"]: each["state"] for each in tactful("messages", "--json").json}
    assert states == {"ana": "suppressed", "ben": "sent"}


def test_add_for_one_channel_and_sender_leaves_the_rest_alone(tactful, open_shop):
    tactful("enter", "win-back", "-c", "ana")
    found = tactful("dnc", "add", "ana@example.com", "--channel", "email", "--sender", "x@acme.example", "--json").json
    assert found["suppressed"] == []
    (entry,) = tactful("dnc", "list", "--json").json
    assert (entry["channel"], entry["sender"], entry["covers"]) == ("email", "x@acme.example", "everything")


def test_list(tactful, open_shop):
    tactful("dnc", "add", "+44 7700 900001", "--channel", "sms", "--covers", "marketing", "--reason", "texted STOP")
    tactful("dnc", "add", "ana@example.com")
    entries = tactful("dnc", "list", "--json").json
    assert [each["destination"] for each in entries] == ["+447700900001", "ana@example.com"]
    assert set(entries[0]) == {"destination", "channel", "sender", "covers", "source", "reason", "since"}
    said = tactful("dnc", "list").out
    assert "sms, marketing" in said
    assert "texted STOP" in said
    assert [each["channel"] for each in tactful("dnc", "list", "--channel", "sms", "--json").json] == ["sms"]
    assert "the first 1 of 2 addresses" in tactful("dnc", "list", "--limit", "1").err


def test_remove_takes_a_reason_and_keeps_it(tactful, open_shop):
    tactful("dnc", "add", "ana@example.com")
    assert "--reason" in tactful("dnc", "remove", "ana@example.com", code=2).err
    assert "--reason is empty" in tactful("dnc", "remove", "ana@example.com", "--reason", " ", code=2).err
    removed = tactful("dnc", "remove", "ana@example.com", "--reason", "signed up again", "--json").json
    assert removed == {"destination": "ana@example.com", "removed": 1}
    assert (
        "is not on the Do Not Contact list" in tactful("dnc", "remove", "ana@example.com", "--reason", "x", code=1).err
    )
    history = tactful("dnc", "explain", "ana@example.com", "--json").json["history"]
    assert [(each["what"], each["reason"]) for each in history] == [("block", None), ("unblock", "signed up again")]


def test_remove_of_another_entry_says_which_there_are(tactful, open_shop):
    tactful("dnc", "add", "ana@example.com", "--channel", "email")
    ran = tactful("dnc", "remove", "ana@example.com", "--channel", "all", "--reason", "x", code=1)
    assert "it is listed for: everything by email, from any sender" in ran.err


def test_explain_in_plain_words(tactful, open_shop):
    said = tactful("dnc", "explain", "ana@example.com").out
    assert "yes  email: ana@example.com may be written to" in said
    assert "It was never on the Do Not Contact list." in said
    tactful("dnc", "add", "ana@example.com", "--covers", "marketing", "--reason", "asked on the phone")
    said = tactful("dnc", "explain", "ana@example.com").out
    assert "no   email: nothing but receipts and the like may go to ana@example.com" in said
    assert "because: asked on the phone" in said
    tactful("dnc", "add", "ana@example.com", "--channel", "email")
    assert "nothing may go to ana@example.com" in tactful("dnc", "explain", "ana@example.com").out


def test_explain_as_json(tactful, open_shop):
    tactful("dnc", "add", "+447700900001", "--channel", "sms")
    found = tactful("dnc", "explain", "+447700900001", "--json").json
    assert set(found) == {"destination", "answers", "entries", "history", "reviews"}
    allowed = {(each["channel"], each["purpose"]): each["allowed"] for each in found["answers"]}
    assert allowed[("sms", "marketing")] is False
    assert allowed[("whatsapp", "marketing")] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "not an address"], "country code"),
        (["add", "a@b"], "@"),
        (["add", "ana@example.com", "--channel", "fax"], "there is no channel 'fax'"),
        (["add", "ana@example.com", "--covers", "most"], "--covers cannot be `most`"),
        (["explain", "12"], "country code"),
        (["list", "--channel", "emial"], "did you mean `email`?"),
    ],
)
def test_bad_addresses_and_words(tactful, open_shop, arguments, said):
    ran = tactful("dnc", *arguments, code=2)
    assert said in ran.err or "phone number" in ran.err


def test_what_stands_in_the_list_moves_no_cursor(tactful, engine):
    tactful("dnc", "add", "ana@example.com", "--reason", "x")
    with engine.store.write() as tx:
        tx.execute(update(BLOCK).values(reason="\x1b[2J[bold]hi[/bold]"))
    said = tactful("dnc", "list").out
    assert "\x1b" not in said
    assert "[bold]hi[/bold]" in said


def test_explain_marks_what_decides_and_what_proves_it(tactful, open_shop):
    tactful("inbound", "--sender", "+447700900123", "--from", "+447700900001", "Stop, thanks")
    tactful("dnc", "add", "+447700900001", "--channel", "sms", "--reason", "asked on the phone")
    said = tactful("dnc", "explain", "+447700900001").out
    assert "no   sms: nothing may go to +447700900001\n" in said
    decides = [line for line in said.splitlines() if line.endswith("(this decides)")]
    assert len(decides) == 1
    assert "by keyword STOP" in decides[0]
    assert "they wrote “Stop, thanks” to +447700900123 (message 1 that came in), which reads “stop thanks”" in said
    assert not any(line.endswith("  ") for line in said.splitlines() if "listed for" in line)


def test_explain_says_that_an_answer_waits_to_be_read(tactful, open_shop):
    tactful("inbound", "--sender", "+447700900123", "--from", "+447700900001", "please stop sending me this")
    said = tactful("dnc", "explain", "+447700900001", "--channel", "sms").out
    assert said.startswith("wait sms: nothing may go to +447700900001 for now\n")
    assert "an answer waits to be read, number 1: “please stop sending me this”" in said
    found = tactful("dnc", "explain", "+447700900001", "--json").json
    assert found["answers"][0]["held_until"] == found["reviews"][0]["due_at"]


def test_explain_a_whole_domain(tactful, open_shop):
    tactful("dnc", "add", "@example.com", "--covers", "marketing")
    tactful("dnc", "add", "ana@example.com")
    for written in ("@example.com", "example.com"):
        said = tactful("dnc", "explain", written).out
        assert "no   email: nothing but receipts and the like may go to any address of example.com" in said
        assert "1 address in it has entries of their own" in said
    assert "the whole domain @example.com is listed for" in tactful("dnc", "explain", "ben@example.com").out


# --- Import, export ------------------------------------------------------------------------------

FILE = """email,status,unsubscribed_at,sender
ana@example.com,unsubscribed,2024-01-05,
ben@example.com,subscribed,,
cleo@example.com,unsubscribed,,old@acme.example
no address,unsubscribed,,
"""


def test_import_says_what_changed_and_names_what_is_left_out(tactful, open_shop):
    (open_shop / "list.csv").write_text(FILE)
    tried = tactful("dnc", "import", "list.csv", "--dry-run", "--json", code=1).json
    assert (tried["new"], tried["there"], tried["dry_run"]) == (2, 0, True)
    assert tactful("dnc", "list", "--json").json == []
    ran = tactful("dnc", "import", "list.csv", code=1)
    assert ran.out.splitlines() == [
        "list.csv:5: `no address`: an email address must have an @-sign",
        "2 new entries put on the list; 0 on it already; 1 row left out",
    ]
    assert "1 row says that they may be written to (status subscribed): not acted on" in ran.err
    assert "1 entry is for senders that the project does not name, and stop nobody else: old@acme.example" in ran.err
    again = tactful("dnc", "import", "list.csv", "--json", code=1).json
    assert again == {
        "new": 0, "there": 2, "passed_over": {"status subscribed": 1}, "unknown_senders": {"old@acme.example": 1},
        "bad": [{"line": 5, "reason": "`no address`: an email address must have an @-sign", "hint": None}],
        "dry_run": False,
    }  # fmt: skip
    said = tactful("dnc", "explain", "ana@example.com").out
    assert "line 2 of list.csv, which says 2024-01-05" in said


def test_noes_to_a_sender_of_another_name_are_missed_until_they_are_carried_over(tactful, open_shop):
    old, new = "+447700900123", "+447700900999"
    tactful("dnc", "add", "+447700900456", "--channel", "sms", "--sender", old, "--reason", 'STOP, "please"')
    assert "Do Not Contact list hold" not in tactful("publish", "--all").err
    for file in (open_shop / "tactful.yaml", open_shop / "flows" / "win-back" / "flow.yaml"):
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    said = f"{old} is not in the project file, and 1 entry of the Do Not Contact list holds for it alone"
    assert said in tactful("status").out
    assert said in tactful("publish", "--all").err
    assert tactful("status", "--json").json["unknown_senders"] == {old: 1}
    tactful("dnc", "export", "list.jsonl")
    listed = (open_shop / "list.jsonl").read_text(encoding="utf-8")
    (open_shop / "list.jsonl").write_text(listed.replace(old, new), encoding="utf-8")
    assert tactful("dnc", "import", "list.jsonl").out.startswith("1 new entry put on the list")
    assert tactful("status", "--json").json["unknown_senders"] == {}
    assert "alone" not in tactful("publish", "--all").err


def test_import_into_a_project_without_database(tactful, shop):
    (shop / "list.csv").write_text("ana@example.com\n")
    assert tactful("dnc", "import", "list.csv", "--dry-run").out.startswith("1 new entry would be put on the list")
    assert not (shop / "tactful.db").exists()
    assert tactful("dnc", "import", "list.csv").out.startswith("1 new entry put on the list")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("list.xlsx", "x", "neither .csv nor .jsonl"), ("list.csv", "name\nana\n", "there is no column `email`"),
     ("list.csv", "", "the file is empty")],
)  # fmt: skip
def test_import_of_a_file_that_is_none(tactful, open_shop, name, text, said):
    (open_shop / name).write_text(text)
    assert said in tactful("dnc", "import", name, code=2 if name.endswith("xlsx") else 1).err


def test_importing_contacts_again_takes_nobody_off(tactful, open_shop):
    tactful("dnc", "export", "before.csv")
    tactful("dnc", "add", "ana@example.com")
    before = tactful("dnc", "list", "--json").json
    tactful("import", "contacts", "contacts.csv")
    tactful("dnc", "import", "before.csv")
    assert tactful("dnc", "list", "--json").json == before


def test_export_to_a_file_and_to_stdout(tactful, open_shop):
    tactful("dnc", "add", "+447700900001", "--channel", "sms", "--reason", "=1+1")
    tactful("dnc", "add", "ana@example.com", "--covers", "marketing")
    ran = tactful("dnc", "export", "list.csv")
    assert ran.err == "2 entries in list.csv\n"
    assert (open_shop / "list.csv").read_text() == tactful("dnc", "export").out.replace("\r\n", "\n")
    assert [each.name for each in open_shop.iterdir() if "unfinished" in each.name] == []
    lines = [json.loads(line) for line in tactful("dnc", "export", "--format", "jsonl").out.splitlines()]
    assert lines == tactful("dnc", "list", "--json").json
    assert len(tactful("dnc", "export", "--channel", "sms").out.splitlines()) == 2
    infobip = tactful("dnc", "export", "--format", "infobip").out
    assert "447700900001,,CUSTOM,SMS,,20" in infobip
    assert "--format cannot be `xml`" in tactful("dnc", "export", "--format", "xml", code=2).err


def test_an_export_that_fails_leaves_the_file_as_it_was(tactful, open_shop):
    (open_shop / "list.csv").mkdir()
    assert "list.csv is a folder" in tactful("dnc", "export", "list.csv", code=2).err


def test_a_kill_in_the_middle_of_an_import_loses_nothing(tactful, open_shop):
    lines = "".join(f"p{number}@example.com\n" for number in range(20_000))
    (open_shop / "list.csv").write_text("email\n" + lines)
    process = _command(open_shop, "dnc", "import", "list.csv")
    while _entries(open_shop) < 1_000:
        assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    process.wait()
    there = _entries(open_shop)
    assert there % 1_000 == 0
    assert tactful("dnc", "import", "list.csv", "--json").json["there"] == there
    assert _entries(open_shop) == 20_000
    assert tactful("dnc", "verify", "--json").json["acts"] == 20_000


@pytest.mark.full
def test_a_hundred_thousand_lines_in_five_seconds_of_processor_time(open_shop):
    rows = (
        f"person{number}@mail{number % 40}.example,email,,everything,keyword STOP,asked,2024-03-01T08:00:00Z\n"
        if number % 2
        else f"+38591{number:07},sms,,everything,keyword STOP,asked,2024-03-01T08:00:00Z\n"
        for number in range(100_000)
    )
    (open_shop / "list.csv").write_text("destination,channel,sender,covers,source,reason,since\n" + "".join(rows))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert _command(open_shop, "dnc", "import", "list.csv").wait() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert _entries(open_shop) == 100_000
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5


def _command(folder, *arguments):
    run = "import sys; from tactful.engine.cli import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", run, *arguments], cwd=folder, env=dict(os.environ), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _entries(folder):
    with closing(sqlite3.connect(folder / "tactful.db", timeout=60)) as connection:
        return connection.execute("select count(*) from block").fetchone()[0]


# --- Verify --------------------------------------------------------------------------------------


def test_verify_names_what_is_wrong(tactful, open_shop):
    tactful("dnc", "add", "ana@example.com", "--reason", "asked")
    tactful("dnc", "add", "ben@example.com")
    good = tactful("dnc", "verify").out.splitlines()
    assert good[0] == "as it was written: 2 acts on 2 addresses, 2 entries on the list"
    seal = good[1].removeprefix("seal: ")
    assert "as it was sealed, up to the act of the seal" in tactful("dnc", "verify", "--expect", seal).out
    with closing(sqlite3.connect(open_shop / "tactful.db")) as connection, connection:
        connection.execute("update block_act set reason = 'never asked' where id = 1")
        connection.execute("delete from block where destination = 'ben@example.com'")
    said = tactful("dnc", "verify", code=1).out
    assert "ana@example.com: act 1 (block for everything by any channel, from any sender, a person) is not what" in said
    assert "ben@example.com: act 2 put everything by any channel, from any sender on the list, and it is not" in said
    assert "3 faults in 2 acts on 2 addresses, 1 entry on the list" in said
    found = tactful("dnc", "verify", "--json", code=1).json
    assert [(each["what"], each["act"]) for each in found["faults"]] == [("broken", 1), ("changed", 1), ("missing", 2)]
    assert found["wrong"] == 3


def test_verify_with_a_seal_finds_an_end_that_was_cut_off(tactful, open_shop):
    tactful("dnc", "add", "ana@example.com")
    seal = tactful("dnc", "verify", "--json").json["seal"]
    with closing(sqlite3.connect(open_shop / "tactful.db")) as connection, connection:
        connection.execute("delete from block_act")
        connection.execute("delete from block")
    assert tactful("dnc", "verify").out.startswith("as it was written: 0 acts on 0 addresses")
    said = tactful("dnc", "verify", "--expect", seal, code=1).out
    assert "not as it was sealed: acts up to that of the seal are gone or others" in said
    assert "--expect is not a seal" in tactful("dnc", "verify", "--expect", "abc", code=2).err
