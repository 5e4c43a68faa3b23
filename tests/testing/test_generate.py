"""Scenarios that are written: for every exit that can be taken, true when run, and why there is none for the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.random_flows import flow_texts

from tactful.elements.contract import Element, Leave, Stay, Visit
from tactful.elements.options.condition import Condition
from tactful.engine.cli import main
from tactful.engine.project import load_project
from tactful.engine.testing.command import run_paths
from tactful.engine.testing.generate import Generated, generate
from tactful.engine.testing.generate.plans import Hop, plans
from tactful.engine.testing.generate.values import fits, names_in, pools
from tactful.engine.testing.generate.writing import comment, scalar
from tactful.engine.testing.steps import Enter
from tactful.flows.load import load_file, load_sources
from tactful.flows.model import LONE
from tactful.flows.source import read

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/flow.yaml"))

PROJECT = """
contact: {first_name: text, orders: number, country: text, tier: text, last_order: date, trial_ends: date,
          vip: boolean, interests: list}
senders:
  news@acme.example: {channel: email, via: console}
  "+38595000111": {channel: sms, via: console}
limits:
  - {messages: 2, per: 7 days, when_limited: hold}
opt_out:
  keywords:
    - {sender: "+38595000111", keyword: STOP, action: block, level: this_sender, reply: Bye.}
"""

HARD = """
flow: hard
entry: {event: go, where: 'event.cart.total > 50 and contact.country in ["DE", "AT"]', again: always}
stop_when:
  - {when: contact.tier == "closed"}
settings:
  sender: {email: news@acme.example, sms: "+38595000111"}
  quiet_hours: {from: "09:30", until: "16:00"}
  time_zone: Europe/Berlin
elements:
  kind:
    type: branch
    paths:
      vip: contact.vip and contact.orders >= 5
      lapsed: days_since(contact.last_order) > 90 and not has_tag("staff")
      trial: days_until(contact.trial_ends) <= 7
      reader: contains(contact.interests, "tea")
      big: entry.cart.total > 1000 or entry.source == "ad"
      impossible: contact.orders < 0 and contact.orders > 10
    next: {vip: gold, lapsed: hello, trial: hello, reader: hello, big: hello, impossible: hello, otherwise: hello}
  gold:
    type: wait_for_change
    when: contact.tier == "gold" or has_tag("club")
    within: 30 days
    next: {happened: hello, timed_out: hello}
  hello:
    type: send_email
    subject: "Hello {{ contact.first_name }}"
    text: "You left {{ entry.item }}."
    valid_for: 2 days
    next: {sent: seen, failed: by_text, suppressed: by_text}
  seen:
    type: wait_for_event
    event: clicked
    message: hello
    where: starts_with(event.url, "https://acme.example/") and event.place == "top"
    within: 2 days
    next: {happened: mark, timed_out: by_text, not_sent: end}
  mark: {type: update_contact, set: {tier: silver}, add_tags: [clicked], next: again}
  again:
    type: branch
    paths: {silver: contact.tier == "silver"}
    next: {silver: ask, otherwise: ask}
  ask: {type: send_sms, text: Coming? STOP ends our texts, next: answer}
  by_text: {type: send_sms, text: Hi! STOP ends our texts, next: {sent: arrives, failed: end, suppressed: bye}}
  arrives:
    {type: wait_for_event, event: delivered, message: by_text, within: 1 hour, next: {happened: ask, timed_out: ask}}
  answer:
    type: wait_for_reply
    message: ask
    within: 1 day
    paths:
      no: [stop, "no"]
      agree: [yes, ok]
      later: 'contains(event.text, "later") and contact.orders > 3'
    next: {no: bye, agree: which, later: end, otherwise: reply, timed_out: ever}
  reply:
    type: branch
    paths: {long: 'journey.reply == "no way"'}
    next: {long: bye, otherwise: end}
  which: {type: split, paths: {often: 99, rarely: 1}, next: {often: end, rarely: bye}}
  ever:
    type: wait_for_event
    event: came_back
    within: forever
    where: event.value == contact.orders
    next: {happened: bye, timed_out: end}
  bye: {type: add_to_do_not_contact, channel: all, level: any_sender, next: out}
  out: {type: goal, name: out}
"""


@pytest.fixture
def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elements: Mapping[str, type[Element]]
) -> Callable[..., Generated]:
    """Write scenarios for a flow, given as text, in a project of its own."""
    monkeypatch.chdir(tmp_path)

    def make(
        flow: str, *, project: str = "", all_exits: bool = False, more: Mapping[str, type[Element]] = {}
    ) -> Generated:
        Path("flow.yaml").write_text(flow)
        if project:
            Path("tactful.yaml").write_text(project)
        loaded_project = load_project(Path("tactful.yaml"))[0] if project else None
        known = {**elements, **more}
        around = LONE if loaded_project is None else loaded_project.surroundings()
        loaded = load_file(Path("flow.yaml"), known, around)
        assert loaded.flow is not None, "\n".join(problem.render() for problem in loaded.problems)
        return generate(loaded.flow, Path("flow.yaml"), loaded_project, known, all_exits=all_exits)

    return make


def unreached(generated: Generated) -> dict[str, str]:
    return {f"{each.exit.element} -> {each.exit.exit}": each.why for each in generated.unreached}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_exit_of_the_examples_is_reached(
    name: str, tmp_path: Path, elements: Mapping[str, type[Element]]
) -> None:
    shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=shutil.ignore_patterns("*.flowtest.yaml"))
    shutil.copy(ROOT / "examples" / "tactful.yaml", tmp_path)
    path = tmp_path / name / "flow.yaml"
    project, _ = load_project(tmp_path / "tactful.yaml")
    flow = load_file(path, elements).flow
    assert flow is not None
    generated = generate(flow, path, project, elements, all_exits=True)
    assert unreached(generated) == {}
    report = run_paths([tmp_path], elements=elements)
    assert report.ok, [failed.failure.render() for failed in report.failed if failed.failure]
    assert report.coverage(all_exits=True).percent == 100


def test_only_what_cannot_be_is_not_reached(make: Callable[..., Generated]) -> None:
    generated = make(HARD, project=PROJECT, all_exits=True)
    assert unreached(generated) == {
        "kind -> impossible": "nothing was found that makes a contact leave `kind` by `impossible`: "
        "`contact.orders < 0 and contact.orders > 10`",
        "again -> otherwise": "nothing was found that makes a contact leave `again` by `otherwise`",
    }
    report = run_paths([Path()])
    assert report.ok
    assert len(report.coverage(all_exits=True).flows[0].untaken) == 2
    assert generated.file is not None
    said = generated.file.read_text()
    assert "#   kind -> impossible (line 11): nothing was found that makes a contact leave `kind` by `imposs" in said
    assert '- clicks: {element: hello, url: "https://acme.example/", place: top}' in said
    assert "- until: 2026-01-05 16:00" in said  # quiet hours
    assert "first_name: Ana" in said  # the text asks for it
    assert "text: stop}" not in said  # the keyword rule takes that for itself


def test_what_is_taken_already_is_not_written_and_no_file_is_written_over(make: Callable[..., Generated]) -> None:
    flow = """
flow: f
entry: {event: go}
settings: {sender: {email: a@acme.example}}
elements:
  one: {type: send_email, subject: s, text: t, next: opened}
  opened: {type: wait_for_event, event: opened, message: one, within: 2 days, next: {happened: end, timed_out: end}}
"""
    first = make(flow)
    assert (str(first.file), first.before, first.exits) == ("f.generated.flowtest.yaml", 0, 3)
    assert [made.name for made in first.made] == ["opened -> happened", "opened -> timed_out"]
    kept = Path("f.generated.flowtest.yaml").read_text()
    assert make(flow).file is None
    kind = "  kind: {type: branch, paths: {vip: contact.vip}, next: {vip: end, otherwise: end}}\n"
    second = make(flow.replace("timed_out: end", "timed_out: kind") + kind)
    assert (str(second.file), second.before, second.exits) == ("f.generated-2.flowtest.yaml", 4, 5)
    assert [made.name for made in second.made] == ["kind -> vip"]
    assert Path("f.generated.flowtest.yaml").read_text() == kept


def test_a_word_a_keyword_rule_takes_is_answered_by_another_or_not_at_all(make: Callable[..., Generated]) -> None:
    flow = """
flow: f
settings: {sender: {sms: "+38595000111"}}
elements:
  ask: {type: send_sms, text: STOP ends our texts, next: answer}
  answer:
    {type: wait_for_reply, message: ask, within: 1 day, paths: {stop: [stop]},
     next: {stop: end, otherwise: end, timed_out: end}}
"""
    generated = make(flow, project=PROJECT)
    assert unreached(generated) == {"answer -> stop": "`answer` does not go on by `replies: {to: ask, text: stop}`"}


def test_those_in_a_segment_enter_by_themselves(make: Callable[..., Generated]) -> None:
    flow = """
flow: f
entry: {segment: contact.country == "HR"}
elements: {a: {type: branch, paths: {hr: contact.country == "HR"}, next: {hr: end, otherwise: end}}}
"""
    generated = make(flow)
    assert unreached(generated) == {}
    assert generated.file is not None
    assert generated.file.read_text().count("enter: {}") == 1


def test_what_begins_on_a_schedule_is_begun_by_hand(make: Callable[..., Generated]) -> None:
    generated = make("flow: g\nentry: {schedule: '0 9 * * 1'}\nelements: {a: {type: goal, name: g}}\n")
    assert [step for step in generated.made[0].played.steps if isinstance(step, Enter)]


class Counted(Element):
    """Goes by a number of the contact that no condition names.

    Example:
        a: {type: counted, least: 7, next: {enough: end, few: end}}
    """

    exits = ("enough", "few")
    least: int = 0

    def enter(self, visit: Visit) -> Leave | Stay:
        return Leave("enough" if visit.contact.attributes.get("count", 0) >= self.least else "few")


def test_an_element_of_ones_own_is_tried_with_what_it_asks_for(
    make: Callable[..., Generated], monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = "flow: f\nelements: {a: {type: counted, least: 7, next: {enough: end, few: end}}}\n"
    generated = make(flow, more={"counted": Counted})
    assert unreached(generated) == {}
    assert [made.played.contact.get("count") for made in generated.made] == [7, None]


class Broken(Element):
    """Raises.

    Example:
        a: {type: broken, next: end}
    """

    def enter(self, visit: Visit) -> Leave | Stay:
        raise RuntimeError("on purpose")


def test_an_element_that_raises_reaches_nothing_and_ends_nothing(make: Callable[..., Generated]) -> None:
    generated = make("flow: f\nelements: {a: {type: broken, next: end}}\n", more={"broken": Broken})
    assert generated.file is None
    assert unreached(generated) == {"a -> done": "nothing was found that makes a contact leave `a` by `done`"}


@pytest.mark.full
@settings(max_examples=20, deadline=None)
@given(text=flow_texts(most_elements=6))
def test_what_is_written_for_any_flow_passes(text: str, elements: Mapping[str, type[Element]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "flow.yaml")
        path.write_text(text, encoding="utf-8")
        flow = load_file(path, elements).flow
        assert flow is not None
        generated = generate(flow, path, None, elements, all_exits=True)
        left = {(each.exit.element, each.exit.exit) for each in generated.unreached}
        if generated.file is None:
            assert len(left) == generated.exits
            return
        report = run_paths([generated.file], elements=elements)
        assert report.ok
        (coverage,) = report.coverage(all_exits=True).flows
        assert {(each.element, each.exit) for each in coverage.untaken} == left


# --- the parts


def test_plans_come_easiest_first_and_may_go_round_once(elements: Mapping[str, type[Element]]) -> None:
    text = """
flow: f
settings: {sender: {email: a@acme.example}}
elements:
  one: {type: send_email, subject: s, text: t, next: {sent: rest, failed: two}}
  rest: {type: pause, for: 1 day, next: two}
  two: {type: branch, paths: {again: has_tag("x")}, next: {again: tag, otherwise: end}}
  tag: {type: pause, for: 1 day, next: one}
"""
    flow = load_sources({"flow.yaml": text}, elements).flow
    assert flow is not None
    found = list(plans(flow, Hop("two", "otherwise")))
    assert found[0] == (("one", "sent"), ("rest", "done"), ("two", "otherwise"))
    assert found[1] == (("one", "failed"), ("two", "otherwise"))
    assert len(found) == len(set(found)) == 6
    assert max(len(plan) for plan in found) == 7


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("event.value >= 20", {("event", "value"): [20, 21, 19, None]}),
        ('contact.country in ["DE", "AT"]', {("contact", "country"): ["DE", "AT", "something else", None]}),
        ("entry.cart.total < 1.5", {("entry", "cart", "total"): [1.5, 2.5, 0.5, None]}),
        ('not has_tag("vip")', {("tag", "vip"): [True, None]}),
        ("contact.ok", {("contact", "ok"): [True, False, None]}),
        ("days_since(contact.d) > 2", {("contact", "d"): ["2026-01-03", "2026-01-02", "2026-01-04", "2026-01-05",
                                                        "2027-01-05", "2025-01-05", None]}),
        ('contains(contact.likes, "tea")', {("contact", "likes"): ["tea", ["tea"], "something else", None]}),
        ('event.from == "x"', {("event", "from"): ["x", "something else", None]}),
    ],
)  # fmt: skip
def test_values_worth_trying_are_what_conditions_compare_with(condition: str, wanted: dict[Any, Any]) -> None:
    assert pools([Condition.parse(condition)], date(2026, 1, 5)) == wanted
    assert list(names_in(Condition.parse(condition))) == list(wanted)


def test_values_keep_to_what_contacts_may_have() -> None:
    assert fits(("contact", "phone"), "+447700900100", None)
    assert not fits(("contact", "phone"), "something else", None)
    assert not fits(("contact", "email"), "ana.example", None)
    assert not fits(("contact", "orders"), "many", {"orders": "number"})
    assert not fits(("contact", "tier"), "gold", {"orders": "number"})
    assert fits(("contact", "tier"), None, {})


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_SCALARS = st.one_of(_TEXTS, st.booleans(), st.integers(-(10**9), 10**9))


@given(st.dictionaries(_TEXTS.filter(bool), st.one_of(_SCALARS, st.lists(_SCALARS, max_size=3)), max_size=3))
def test_what_is_written_is_read_as_it_was(value: dict[str, Any]) -> None:
    document, problems = read("it.yaml", f"step: {scalar(value)}\n")
    assert document is not None, (scalar(value), problems)
    assert document.data == {"step": value}


@given(_TEXTS)
def test_a_comment_stays_a_comment(text: str) -> None:
    assert all(line.startswith("#") for line in comment(text).splitlines())


# --- the command


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str, str]]:
    """Run `tactful test` there."""

    def command(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["test", *arguments])
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return command


def test_the_command_writes_what_then_passes(command: Callable[..., tuple[object, str, str]]) -> None:
    code, out, _ = command("--generate", "flow.yaml")
    assert code == 0
    assert "made  unopened -> done" in out
    assert out.endswith("5 scenarios in win-back.generated.flowtest.yaml: 13 of 13 exits taken, 0 before\n")
    assert command("--fail-under", "100")[0] == 0
    code, out, _ = command("--generate", "flow.yaml")
    assert (code, out) == (0, "every exit is taken by a scenario already, so nothing was written\n")
    code, out, _ = command("--generate", "flow.yaml", "--all-exits", "--json")
    found = json.loads(out)
    assert (code, found["file"], found["before"]) == (0, "win-back.generated-2.flowtest.yaml", 13)
    assert found["scenarios"][0]["takes"][0]["element"] == "offer"
    assert command("--generate", "flow.yaml", "--coverage")[0] == 2
    assert command("--generate", "nowhere.yaml")[0] == 2
