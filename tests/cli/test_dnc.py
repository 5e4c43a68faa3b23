"""`dnc`: the Do Not Contact list."""

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
    assert set(found) == {"destination", "answers", "entries", "history"}
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
