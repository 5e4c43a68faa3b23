"""`simulate` and `backtest`: what would come of a flow, and what would have."""

import pytest

from tactful.elements.contract import MessageKey
from tactful.engine.clock import SystemClock
from tactful.engine.incoming import Incoming

RATES = """\
entry: {data: {value: 20..150}}
channels:
  email: {opens: {share: 60%, after: 2 hours}, price: 0.001}
  sms: {replies: {share: 40%, texts: {"yes": 2, "no": 1}}, price: 0.05}
currency: EUR
"""


@pytest.fixture
def rates(shop):
    file = shop / "flows" / "win-back" / "win-back.rates.yaml"
    file.write_text(RATES, encoding="utf-8")
    return file


def test_simulate_says_what_would_come_of_it(tactful, shop, rates):
    ran = tactful("simulate", "win-back", "-n", 400, "--rates", rates)
    lines = ran.out.splitlines()
    assert lines[0].startswith("win-back  400 contacts, 30 days from Mon 2 Mar 2026 00:00, seed 1")
    assert any(line.startswith("Journeys  400 came in; ") for line in lines)
    assert any("cost" in line and "EUR" in line for line in lines)
    assert any(line.startswith("offer ") and "sent" in line for line in lines)
    assert "Guessed" in ran.err
    assert "round numbers" not in ran.err


def test_simulate_as_json_is_the_same_for_the_same_seed(tactful, shop, rates):
    arguments = ("simulate", "win-back", "-n", 300, "--rates", rates, "--json")
    found = tactful(*arguments).json
    assert set(found) == {"reports", "guesses"}
    (report,) = found["reports"]
    assert report["totals"]["entered"] == 300
    assert {each["element"] for each in report["elements"]} >= {"offer", "opened", "voucher"}
    assert found == tactful(*arguments, "--jobs", 2).json
    assert found != tactful(*arguments, "--seed", 2).json


def test_seeds_give_ranges(tactful, shop, rates):
    report = tactful("simulate", "win-back", "-n", 100, "--rates", rates, "--seeds", 3, "--json").json["reports"][0]
    assert report["seeds"] == [1, 2, 3]
    assert set(report["totals"]["messages"]) == {"low", "median", "high"}


def test_two_versions_stand_beside_each_other_and_on_a_page(tactful, shop, rates):
    flow = shop / "flows" / "win-back" / "flow.yaml"
    other = flow.with_name("other.yaml")
    other.write_text(flow.read_text(encoding="utf-8").replace("within: 48 hours", "within: 2 hours"), encoding="utf-8")
    page = shop / "report.html"
    arguments = ("--against", other, "-n", 300, "--rates", rates, "--html", page)
    ran = tactful("simulate", flow, *arguments)
    assert "difference" in ran.out
    assert any(line.startswith("messages ") for line in ran.out.splitlines())
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_crowd_of_a_file(tactful, shop, rates):
    ran = tactful("simulate", "win-back", "-n", 20, "--people", "contacts.csv", "--rates", rates, "--json")
    assert not any(guess.startswith("contact.") for guess in ran.json["guesses"])


def test_who_agreed_is_guessed_and_said_where_the_project_asks_for_consents(tactful, shop, rates):
    project = shop / "tactful.yaml"
    project.write_text(project.read_text(encoding="utf-8") + "\nrequire_consent: [email]\n", encoding="utf-8")
    arguments = ("simulate", "win-back", "-n", 200, "--rates", rates, "--json")
    found = tactful(*arguments).json
    assert "consent to email: one in two" in found["guesses"]
    offer = next(each for each in found["reports"][0]["elements"] if each["element"] == "offer")
    assert 60 < offer["exits"]["suppressed"] < 140
    rates.write_text(RATES + "contacts: {consent: {email: 100%}}\n", encoding="utf-8")
    found = tactful(*arguments).json
    assert not any("consent" in each for each in found["guesses"])


def test_mistakes_of_a_rates_file_are_shown_at_their_place(tactful, shop, rates):
    rates.write_text("channels: {email: {opens: 400%}}\n", encoding="utf-8")
    ran = tactful("simulate", "win-back", "--rates", rates, code=1)
    assert "win-back.rates.yaml:1:27: error: a share is between 0% and 100%" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rates", "win-back.rates.yaml", "--learn"], "both say what people do"),
        (["--begin", "soon"], "`soon` is not a time"),
        (["--people", "nobody.csv"], "there is no file nobody.csv"),
        (["--against", "win-bak"], "did you mean `win-back`?"),
    ],
)
def test_wrong_use_is_explained(tactful, shop, rates, arguments, said):
    ran = tactful("simulate", "win-back", *arguments, code=1 if "--begin" in arguments else 2)
    assert said in ran.err


def test_a_rates_file_is_no_flow(tactful, shop, rates):
    assert tactful("check").out == "2 files checked, nothing to complain of\n"
    assert "is a file of rates, not a flow" in tactful("check", rates, code=2).err


def test_nothing_to_learn_from_is_said(tactful, open_shop):
    assert "nothing to learn from" in tactful("simulate", "win-back", "--learn", code=1).err


@pytest.fixture
def lived(open_shop, engine, work):
    """Two contacts of the shop left a basket, got the offer, and one opened it; the flow then has less patience."""
    now = SystemClock().now()
    keys = [each.key for each in _contacts(engine)][:2]
    engine.host.tell([Incoming("basket_abandoned", key, data={"value": 200}) for key in keys], now)
    work(open_shop)
    engine.host.tell([Incoming("opened", message=MessageKey(1, 1))], SystemClock().now())
    work(open_shop)
    return keys


def _contacts(engine):
    from tactful.engine.contacts import page_of_contacts

    with engine.store.read() as tx:
        return page_of_contacts(tx, 0, 10)


def test_backtest_of_the_version_that_runs_finds_no_difference(tactful, lived):
    ran = tactful("backtest", "win-back")
    assert "2 contacts" in ran.out
    assert "all would have got the same" in ran.out
    assert "Taken for granted" in ran.err


def test_backtest_says_who_would_have_got_something_else(tactful, lived, open_shop):
    flow = open_shop / "flows" / "win-back" / "flow.yaml"
    text = flow.read_text(encoding="utf-8")
    flow.write_text(text.replace("big: entry.value >= 100", "big: entry.value >= 1000"), encoding="utf-8")
    found = tactful("backtest", "win-back", "--json").json
    by_element = {each["element"]: each for each in found["elements"]}
    assert by_element["offer"] == {"element": "offer", "sent": 2, "would_send": 2, "more": 0, "less": 0}
    different = {each["contact"]: each["less"] for each in found["differences"]}
    if different:  # unless the one who opened has many orders: then the voucher is for them all the same
        assert different == {lived[0]: {"voucher": 1}}
        assert "voucher" in tactful("backtest", "win-back").out


def test_backtest_sends_nothing_and_changes_nothing(tactful, lived, engine):
    before = engine.store.path.read_bytes()
    tactful("backtest", "win-back")
    assert engine.store.path.read_bytes() == before


def test_backtest_where_nobody_was(tactful, open_shop):
    assert "nobody came into `win-back` yet" in tactful("backtest", "win-back", code=1).err
    assert "0 contacts" in tactful("backtest", "win-back", "--since", "2026-01-01").out
