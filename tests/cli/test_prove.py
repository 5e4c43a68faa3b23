"""`tactful check --prove`: what it prints, what it exits with, and the scenarios it writes."""

import pytest

HEAD = "flow: f\nsettings: {sender: {sms: '+38595000111', email: news@acme.example}}\nelements:\n"
NO_THIRD = "No path has more than 2 marketing messages, so none comes to a third without an opt-out."
SOUND = HEAD + "  hello: {type: send_sms, text: Hello}\n"
LOOP = (
    HEAD
    + """\
  hello: {type: send_sms, text: Hello, next: breather}
  breather: {type: pause, for: 1 day, next: bought}
  bought: {type: wait_for_event, event: purchased, within: 2 days, next: {happened: end, timed_out: hello}}
"""
)


@pytest.fixture
def flow(empty):
    """Write a lone flow file."""

    def write(text, name="f.yaml"):
        (empty / name).write_text(text, encoding="utf-8")
        return empty / name

    return write


def test_what_holds_is_a_sentence_each(tactful, flow):
    flow(SOUND)
    said = tactful("check", "f.yaml", "--prove").out
    assert said.splitlines()[:9] == [
        "1 file checked, nothing to complain of",
        "",
        "f  f.yaml",
        "",
        f"  holds            opt-out  {NO_THIRD}",
        "  holds            blocked  No path blocks a channel.",
        "  holds            end      Every path comes to an end.",
        "  holds            time     Every journey ends at once.",
        "  holds            day      Within any 24 hours, a journey sends 1 message at most.",
    ]
    assert said.endswith("\n\n6 proofs hold\n")


def test_what_does_not_hold_is_shown_as_a_path_and_exits_1(tactful, flow):
    flow(LOOP)
    said = tactful("check", "f.yaml", "--prove", code=1).out
    shown = [line.rstrip() for line in said.splitlines()]
    (at,) = [number for number, line in enumerate(shown) if line.startswith("  does not hold    time     ")]
    goes = "a journey may go round `hello` → `breather` → `bought` → `hello`"
    assert shown[at].endswith(f"There is no longest time: {goes}. At the soonest, one ends at once.")
    assert shown[at + 1 : at + 6] == [
        "",
        "    0 s  ┌ hello     sent",
        "    1 d  │ breather  done",
        "    3 d  ↺ bought    timed_out  again to hello",
        "",
    ]
    assert "3 proofs hold, 3 do not\n" in said
    assert "hint: --save-scenario FILE" in said


def test_a_proof_may_be_left_out(tactful, flow):
    flow(LOOP)
    words = ["--except", "time", "--except", "all", "--except", "opt-out"]
    assert "3 proofs hold\n" in tactful("check", "f.yaml", "--prove", *words).out
    assert "did you mean `time`" in tactful("check", "f.yaml", "--prove", "--except", "tme", code=2).err


def test_proofs_as_json(tactful, flow):
    flow(LOOP)
    assert "proofs" not in tactful("check", "f.yaml", "--json").json
    found = tactful("check", "f.yaml", "--prove", "--json", code=1).json
    proofs = {proof["proof"]: proof for proof in found["proofs"]}
    assert found["errors"] == 0
    assert proofs["day"] == {
        "file": "f.yaml",
        "flow": "f",
        "proof": "day",
        "verdict": "holds",
        "says": "Within any 24 hours, a journey sends 1 message at most.",
        "figures": {"day": 1},
        "path": [{"element": "hello", "exit": "sent", "at_ms": 0, "note": "message 1"}],
        "again_from": None,
        "counted": proofs["day"]["counted"],
    }
    assert (proofs["all"]["verdict"], proofs["all"]["figures"], proofs["all"]["again_from"]) == (
        "fails",
        {"all": None},
        0,
    )


def test_counter_examples_are_saved_and_pass_as_scenarios(tactful, flow, empty):
    flow(LOOP)
    ran = tactful("check", "f.yaml", "--prove", "--save-scenario", "found.flowtest.yaml", code=1)
    assert ran.err == "3 scenarios written to found.flowtest.yaml, for `tactful test found.flowtest.yaml`\n"
    assert tactful("test", "found.flowtest.yaml").out.endswith("3 passed\n")
    again = tactful("check", "f.yaml", "--prove", "--save-scenario", "found.flowtest.yaml", code=2)
    assert "is there already" in again.err


def test_a_file_is_written_only_for_one_flow_that_runs_and_fails(tactful, flow, empty):
    flow(SOUND)
    save = ["--save-scenario", "found.flowtest.yaml"]
    assert "there is no counter-example" in tactful("check", "f.yaml", "--prove", *save).err
    flow(LOOP.replace("flow: f", "flow: g"), "g.yaml")
    assert "one flow at a time" in tactful("check", "f.yaml", "g.yaml", "--prove", *save, code=2).err
    assert (
        "no name of a file of scenarios"
        in tactful("check", "f.yaml", "--prove", "--save-scenario", "x.yaml", code=2).err
    )
    assert "go with `--prove`" in tactful("check", "f.yaml", *save, code=2).err
    assert not (empty / "found.flowtest.yaml").exists()


def test_a_flow_that_could_not_be_read_is_not_proved(tactful, flow):
    flow(SOUND.replace("send_sms", "send_smoke"))
    ran = tactful("check", "f.yaml", "--prove", code=1)
    assert "warning: f.yaml is not proved: its mistakes come first" in ran.err


def test_the_keywords_and_links_of_the_project_are_minded(tactful, shop):
    flow = shop / "flows" / "three" / "flow.yaml"
    flow.parent.mkdir()
    sender = tactful("check", "--json").json and "+447700900100"
    project = shop / "tactful.yaml"
    project.write_text(
        "senders:\n"
        f"  '{sender}': {{channel: sms, via: console, two_way: true}}\n"
        "opt_out:\n  keywords:\n"
        f"    - {{sender: '{sender}', keyword: HALT, action: block, level: any_sender}}\n",
        encoding="utf-8",
    )
    text = f"flow: three\nsettings: {{sender: {{sms: '{sender}'}}}}\nelements:\n" + "".join(
        f"  {name}: {{type: send_sms, text: Answer %s to end this, next: {to}}}\n"
        for name, to in (("a", "b"), ("b", "c"), ("c", "end"))
    )
    for word, verdict, code in (("HALT", "holds", 0), ("STOP", "fails", 1)):
        flow.write_text(text.replace("%s", word), encoding="utf-8")
        found = tactful("check", str(flow), "--prove", "--json", code=code).json
        assert found["proofs"][0]["verdict"] == verdict


def test_three_planted_faults_are_each_named_before_anything_is_sent(tactful, flow):
    """An exit that leads into a loop, a text message awaited as opened, and a send after Do Not Contact."""
    flow(
        HEAD
        + """\
  offer: {type: send_email, subject: Tea, text: Two new teas., next: read}
  read:
    {type: wait_for_event, event: opened, message: offer, within: 2 days, next: {happened: reminder, timed_out: offer}}
  reminder: {type: send_sms, text: Still there?, next: seen}
  seen:
    {type: wait_for_event, event: opened, message: reminder, within: 1 day, next: {happened: end, timed_out: enough}}
  enough: {type: add_to_do_not_contact, channel: sms, next: sorry}
  sorry: {type: send_sms, text: Sorry to have bothered you.}
"""
    )
    found = tactful("check", "f.yaml", "--prove", "--json", code=1).json
    assert [(problem["code"], problem["line"]) for problem in found["problems"]] == [
        ("never-reported", 9),
        ("send-after-opt-out", 11),
    ]
    paths = {
        proof["proof"]: [(stop["element"], stop["exit"]) for stop in proof["path"]]
        for proof in found["proofs"]
        if proof["verdict"] == "fails"
    }
    assert paths["time"] == [("offer", "sent"), ("read", "timed_out")]  # round and round
    assert paths["all"] == [("offer", "sent"), ("read", "timed_out")]
    assert paths["blocked"][-2:] == [("enough", "done"), ("sorry", "suppressed")]
    said = tactful("check", "f.yaml", "--prove", code=1).out
    assert "[never-reported]" in said
    assert "a journey may go round `offer` → `read` → `offer`" in said
    assert "`sorry` can reach nobody whom `enough` put on the Do Not Contact list." in said
