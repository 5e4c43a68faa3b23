"""`inbound` and `review`: messages that come in, and the answers a person must read."""

import pytest

SMS = "+447700900123"
BEN = "+447700900002"


def test_stop_puts_its_writer_on_the_list_and_answers_once(tactful, open_shop):
    ran = tactful("inbound", "--sender", SMS, "--from", "+44 7700 900002", "Stop, please")
    assert "We won't text you again." in ran.err
    assert "is on the Do Not Contact list now, for any sender" in ran.out
    (entry,) = tactful("dnc", "list", "--json").json
    assert (entry["destination"], entry["source"]) == (BEN, "keyword STOP")
    assert "keyword STOP" in tactful("dnc", "explain", BEN).out


def test_told_twice_by_its_id_it_is_received_once(tactful, open_shop):
    tell = ("inbound", "--sender", SMS, "--from", BEN, "STOP", "--id", "m-1")
    assert tactful(*tell, "--json").json["decision"] == "block"
    assert "received before" in tactful(*tell).out


@pytest.mark.parametrize(
    ("text", "decision", "normalised"),
    [
        ("\uff33\uff34\uff2f\uff30!!", "block", "stop"),  # full-width letters
        ("nonstop", "none", "nonstop"),
        ("please stop sending me this", "review", "please stop sending me this"),
        ("STOP 12345", "review", "stop 12345"),
    ],
)
def test_a_dry_run_only_says_what_it_would_do(tactful, open_shop, text, decision, normalised):
    said = tactful("inbound", "--sender", SMS, "--from", BEN, text, "--dry-run", "--json").json
    assert (said["decision"], said["normalised"]) == (decision, normalised)
    assert set(said) == {"decision", "keyword", "rule", "level", "normalised", "why", "number", "known"}
    assert tactful("dnc", "list", "--json").json == []
    assert tactful("review", "list", "--json").json == []


@pytest.mark.parametrize(("decision", "listed"), [("block", 1), ("ignore", 0)])
def test_a_person_decides_about_a_sentence(tactful, open_shop, decision, listed):
    tactful("inbound", "--sender", SMS, "--from", BEN, "could you stop writing to me")
    (review,) = tactful("review", "list", "--json").json
    assert review["text"] == "could you stop writing to me"
    assert "could you stop writing to me" in tactful("review", "list").out
    tactful("review", "decide", review["number"], decision)
    assert len(tactful("dnc", "list", "--json").json) == listed
    assert tactful("review", "list").out == "No answer waits to be read.\n"
    assert "no answer" in tactful("review", "decide", review["number"], decision, code=1).err


def test_wrong_use_is_said(tactful, open_shop):
    assert "no sender" in tactful("inbound", "--sender", "+44770090012", "--from", BEN, "STOP", code=2).err
    assert "phone number" in tactful("inbound", "--sender", SMS, "--from", "ben", "STOP", code=2).err
    assert "choices are block, ignore" in tactful("review", "decide", "1", "maybe", code=2).err
