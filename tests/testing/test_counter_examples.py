"""Counter-examples as scenarios: what is written loads, and runs where nothing is said to be missing."""

from hypothesis import HealthCheck, given, settings
from tests.random_flows import flow_texts

from tactful.elements import catalogue
from tactful.engine.testing.command import run_paths
from tactful.engine.testing.counter_example import counter_example, written
from tactful.flows.load import load_sources
from tactful.flows.prove import prove

ELEMENTS = catalogue()


def saved(text, folder):
    """The counter-examples of a flow, what came of running them, and the file they stand in."""
    flow = load_sources({"flow.yaml": text}, ELEMENTS).flow
    assert flow is not None
    shown = [proof for proof in prove(flow) if proof.verdict == "fails"]
    found = [counter_example(proof, flow, None, ELEMENTS) for proof in shown]
    (folder / "flow.yaml").write_text(text, encoding="utf-8")
    file = folder / "found.flowtest.yaml"
    file.write_text(written("flow.yaml", found), encoding="utf-8")
    return found, run_paths([file]), file


FLOW = """
flow: f
entry: {event: began}
settings: {sender: {sms: "+38595000111", email: news@acme.example}, quiet_hours: {from: "21:00", until: "08:00"}}
elements:
  deal: {type: split, paths: {a: 1, b: 9}, next: {a: first, b: end}}
  first: {type: send_sms, text: "Hi {{ contact.first_name }}, {{ entry.what }}", next: {sent: answer, failed: pause}}
  answer:
    type: wait_for_reply
    message: first
    within: 2 days
    paths: {agree: [yes, ok]}
    next: {agree: pause, otherwise: end, timed_out: end}
  pause: {type: pause, until: "22:00", next: second}
  second: {type: send_email, subject: s, text: t, next: opened}
  opened:
    {type: wait_for_event, event: opened, message: second, within: 3 days, next: {happened: first, timed_out: end}}
"""


def test_a_path_is_gone_by_acts_through_splits_answers_and_quiet_hours(tmp_path):
    found, report, file = saved(FLOW, tmp_path)
    assert [each.name.partition(":")[0] for each in found] == ["time", "all"]
    assert [each.missing for each in found] == ["", ""]
    assert report.ok
    text = file.read_text(encoding="utf-8")
    assert 'first_name: "Ana"' in text
    assert '- enter: {what: "something"}' in text
    assert "- fails: first" in text  # the shortest way round
    assert "- opens: second" in text


def test_what_a_scenario_cannot_bring_about_is_said_in_it(tmp_path):
    """A branch may go any way for a proof; a contact goes as the condition says."""
    text = """
flow: f
settings: {sender: {sms: "+38595000111"}}
elements:
  ask: {type: branch, paths: {rich: contact.orders > 5}, next: {rich: wait, otherwise: end}}
  wait: {type: pause, for: 1 day, next: ask}
"""
    found, report, file = saved(text, tmp_path)
    assert [each.name.partition(":")[0] for each in found] == ["time"]
    assert found[0].missing == "it left `ask` by `otherwise`; it takes `rich` (contact.orders > 5) to go on, step 1"
    assert not report.broken
    assert "# it left `ask` by `otherwise`" in file.read_text(encoding="utf-8")


def test_an_answer_goes_to_a_message_that_can_be_answered(tmp_path):
    """The newest on the path is a push message, which nobody can answer."""
    text = """
flow: f
settings: {sender: {sms: "+38595000111", push: shop}}
elements:
  ask: {type: send_sms, text: "Coming? STOP ends this.", next: look}
  look: {type: send_push, text: Here, next: answer}
  answer: {type: wait_for_reply, within: 1 day, paths: {yes: [yes]}, next: {yes: ask, otherwise: ask, timed_out: end}}
"""
    found, report, file = saved(text, tmp_path)
    assert {each.missing for each in found} == {""}
    assert report.ok
    assert 'replies: {to: "ask", text: "yes"}' in file.read_text(encoding="utf-8")


def test_where_no_message_can_be_answered_that_is_said(tmp_path):
    text = """
flow: f
settings: {sender: {push: shop}}
elements:
  look: {type: send_push, text: Here, next: answer}
  answer: {type: wait_for_reply, within: 1 day, paths: {yes: [yes]}, next: {yes: look, otherwise: look, timed_out: end}}
"""
    found, report, _ = saved(text, tmp_path)
    assert {each.missing for each in found} == {"`answer` waits for what no message on this path can bring"}
    assert not report.broken


def test_where_nothing_can_be_done_for_somebody_who_is_in_a_segment_the_scenario_says_where_they_stand(tmp_path):
    text = """
flow: f
entry: {segment: 'contact.email != ""'}
settings: {sender: {sms: "+38595000111"}}
elements:
  answer:
    {type: wait_for_reply, within: 1 day, paths: {yes: [yes]}, next: {yes: answer, otherwise: answer, timed_out: end}}
"""
    found, report, file = saved(text, tmp_path)
    assert {each.missing for each in found} == {"`answer` waits for what no message on this path can bring"}
    assert not report.broken
    assert "- stands_at: answer" in file.read_text(encoding="utf-8")


@given(flow_texts(most_elements=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])
def test_counter_examples_of_random_flows_load_and_run_unless_something_is_missing(tmp_path_factory, text):
    found, report, file = saved(text, tmp_path_factory.mktemp("found"))
    assert not report.broken or not found, file.read_text(encoding="utf-8")
    failed = {ran.name for ran in report.failed} if found else set()
    assert failed <= {each.name for each in found if each.missing}, file.read_text(encoding="utf-8")
