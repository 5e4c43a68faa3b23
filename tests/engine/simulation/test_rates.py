"""The rates file: read whole, or every mistake at its place; and what is guessed where it is silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.simulation.conftest import MONDAY, elements

from tactful.engine.simulation.behaviour import Drawn, Rates
from tactful.engine.simulation.chance import ONE, after
from tactful.engine.simulation.guesses import complete
from tactful.engine.simulation.rates_file import read_rates
from tactful.flows.load import load_file

ROOT = Path(__file__).parents[3]
WHOLE = """
contacts:
  email: 98%
  time_zone: {Europe/Zagreb: 70, Europe/London: 30}
  attributes: {orders: 0..12, country: {HR: 3, DE: 1}, born: 1960-01-01..2005-12-31, size: [S, M, null]}
  tags: {club: 25%}
entry: {over: 2 days, again: 40 days, data: {value: 10..150}}
events:
  purchased: {share: 5%, after: 3 days, data: {value: 9.5..80.0}}
channels:
  email: {opens: {share: 40%, after: 2 hours}, clicks: 5%, opts_out: 0.3%, price: 0.001}
elements:
  offer: {opens: 55%, events: {purchased: 2%}}
currency: EUR
"""


def win_back():
    flow = load_file(ROOT / "examples" / "win-back" / "flow.yaml", elements()).flow
    assert flow is not None
    return flow


def test_a_whole_file(tmp_path):
    file = tmp_path / "rates.yaml"
    file.write_text(WHOLE, encoding="utf-8")
    rates, problems = read_rates(file, win_back())
    assert problems == ()
    assert rates is not None
    offer = rates.of("offer", "email")
    assert offer.opens is not None
    assert offer.clicks is not None
    assert (offer.opens.share, offer.clicks.share, offer.price) == (0.55, 0.05, 0.001)
    assert rates.contacts.attributes["size"](ONE - 1) is None
    assert rates.contacts.attributes["born"](0) == "1960-01-01"
    assert rates.contacts.attributes["orders"](ONE - 1) == 12
    assert rates.events["purchased"].data["value"](0) == 9.5


def test_the_rates_among_the_examples_leave_nothing_to_be_guessed():
    rates, problems = read_rates(ROOT / "examples" / "win-back" / "win-back.rates.yaml", win_back())
    assert problems == ()
    assert rates is not None
    assert complete(rates, win_back(), MONDAY, with_people=False).guesses == ()


def test_an_empty_file_is_one_where_all_is_as_usual(tmp_path):
    file = tmp_path / "rates.yaml"
    file.write_text("# nothing yet\n", encoding="utf-8")
    rates, problems = read_rates(file)
    assert problems == ()
    assert rates == Rates()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("channels: {mail: {}}", "1:12: error: there is no channel `mail`"),
        ("channels: {sms: {opens: 3%}}", "nobody ever learns that a message on sms was opened"),
        ("elements: {ofer: {}}", "did you mean `offer`?"),
        ("elements: {opened: {}}", "`opened` sends nothing"),
        ("events: {opened: 3%}", "`opened` is an event of a message"),
        ("events: {bought: 140%}", "a share is between 0% and 100%"),
        ("events: {bought: 30}", "write `30%`"),
        ("events: {bought: {share: 3%, after: 2 dais}}", "did you mean `days`?"),
        ("contacts: {time_zone: Europe/Zagrab}", "did you mean `Europe/Zagreb`?"),
        ("contacts: {attributes: {x: 9..1}}", "write `1..9`"),
        ("contacts: {consent: {smss: 3%}}", "1:22: error: there is no channel `smss`"),
        ("contacts: {consent: {sms: 300%}}", "a share is between 0% and 100%"),
        ("contacts: {attributes: {x: a..b}}", ""),
        ("entry: {overr: 1 day}", "overr"),
        ("- a", "the file is a list"),
    ],
)
def test_mistakes_are_named_at_their_place(tmp_path, written, said):
    file = tmp_path / "rates.yaml"
    file.write_text(written, encoding="utf-8")
    rates, problems = read_rates(file, win_back())
    assert (rates is None) == bool(problems)
    assert said in "\n".join(problem.render() for problem in problems)


def test_a_file_that_is_not_there_is_a_problem_too(tmp_path):
    rates, (problem,) = read_rates(tmp_path / "none.yaml")
    assert rates is None
    assert problem.code == "file-unreadable"


def test_values_are_drawn_evenly():
    drawn = Drawn("1..4")
    assert [drawn(ONE * at // 8) for at in range(8)] == [1, 1, 2, 2, 3, 3, 4, 4]
    weighted = Drawn({"a": 3, "b": 1})
    assert [weighted(ONE * at // 4) for at in range(4)] == ["a", "a", "a", "b"]


def test_delays_have_the_median_they_are_given():
    delay = after(1_000)
    assert delay(ONE // 2) == pytest.approx(1_000, abs=2)
    assert delay(ONE - 1) == 1
    assert delay(0) > 20_000


def test_what_a_flow_asks_for_and_nobody_said_is_guessed_and_told():
    rates, guesses = complete(Rates(), win_back(), MONDAY, with_people=False)
    assert {rates.entry.data["value"](ONE * at // 6 + 99) for at in range(6)} == {19, 20, 21, 59, 60, 61}
    assert rates.events["purchased"].share == 0.1
    assert len(guesses) == 2
    told = Rates.model_validate({"entry": {"data": {"value": 30}}, "events": {"purchased": "5%"}})
    assert complete(told, win_back(), MONDAY, with_people=False) == (told, ())


def test_who_agreed_is_guessed_where_the_project_asks_and_the_flow_sends():
    rates, guesses = complete(Rates(), win_back(), MONDAY, with_people=True, consents=frozenset({"email", "whatsapp"}))
    assert rates.contacts.consent == {"email": 0.5}
    assert "consent to email: one in two" in guesses
    told = Rates.model_validate({"contacts": {"consent": {"email": "90%"}}})
    _, guesses = complete(told, win_back(), MONDAY, with_people=True, consents=frozenset({"email"}))
    assert not any("consent" in each for each in guesses)
