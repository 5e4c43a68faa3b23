"""Elements that answer at once: branches, splits, changes, the Do Not Contact list, goals."""

from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tactful.elements import contract
from tactful.elements.add_to_do_not_contact import AddToDoNotContact
from tactful.elements.branch import Branch
from tactful.elements.contract import Contact, Event, Leave, ReachGoal, Settings, Visit
from tactful.elements.goal import Goal
from tactful.elements.remove_from_do_not_contact import RemoveFromDoNotContact
from tactful.elements.split import Split
from tactful.elements.update_contact import UpdateContact

# --- branch --------------------------------------------------------------------------------------------

HOW_BIG = Branch.model_validate({"paths": {"vip": "contact.orders >= 5", "big": "entry.value > 100"}})


@pytest.mark.parametrize(
    ("orders", "value", "exit"), [(5, 500, "vip"), (4, 500, "big"), (4, 5, "otherwise"), (None, None, "otherwise")]
)
def test_the_first_path_that_holds(visit, orders, value, exit):
    here = visit(attributes={"orders": orders}, entry={"value": value})
    assert HOW_BIG.enter(here) == Leave(exit)


def test_a_branch_looks_at_values_set_on_the_way(visit):
    said = Branch.model_validate({"paths": {"yes": 'journey.reply == "yes"'}})
    assert said.enter(visit(values={"reply": "yes"})) == Leave("yes")
    assert said.enter(visit()) == Leave("otherwise")


def test_exits_of_a_branch():
    assert HOW_BIG.ways_out() == ("vip", "big", "otherwise")
    assert HOW_BIG.summary() == "vip / big"


@pytest.mark.parametrize("paths", [{}, {"otherwise": "contact.vip"}, {"a": "contact.vip ="}, {"a b": "contact.vip"}])
def test_branches_that_are_none(paths):
    with pytest.raises(ValidationError):
        Branch.model_validate({"paths": paths})


# --- split ---------------------------------------------------------------------------------------------


def split(**weights):
    return Split.model_validate({"paths": weights})


def taken(element, key, flow="win-back", id="which"):
    here = Visit(flow, id, 1, 1, 0, 0, Contact(1, key), Event("e", 0), {}, {}, Settings(), ZoneInfo("UTC"))
    answer = element.enter(here)
    assert isinstance(answer, Leave)
    return answer.by


def test_shares_are_as_the_weights_say():
    element = split(a=70, b=20, c=10)
    counts = Counter(taken(element, f"contact-{number}") for number in range(20_000))
    assert {name: round(count / 200) for name, count in counts.items()} == pytest.approx(
        {"a": 70, "b": 20, "c": 10}, abs=1
    )


def test_the_same_contact_always_goes_the_same_way():
    element = split(a=1, b=1)
    ways = {key: taken(element, key) for key in map(str, range(100))}
    assert ways == {key: taken(split(a=0.5, b=0.5), key) for key in ways}


def test_who_goes_which_way_never_changes_between_releases():
    """People in the middle of an experiment must not change sides."""
    assert "".join(taken(split(a=1, b=1), str(number)) for number in range(20)) == "bbbaaaaabbabaaaaaaaa"


def test_two_splits_divide_independently():
    element = split(a=1, b=1)
    keys = [f"contact-{number}" for number in range(4_000)]
    pairs = Counter((taken(element, key, id="one"), taken(element, key, id="two")) for key in keys)
    assert all(900 < count < 1_100 for count in pairs.values())
    assert any(taken(element, key, flow="ab", id="c") != taken(element, key, flow="a", id="bc") for key in keys)


@given(st.text(), st.dictionaries(st.sampled_from("abcd"), st.floats(1e-300, 1e9), min_size=1))
def test_everybody_finds_a_way(key, weights):
    assert taken(split(**weights), key) in weights


def test_summary_of_a_split():
    assert split(a=50, b=50).summary() == "50 / 50"
    assert split(a=33.3, b=66.7).summary() == "33.3 / 66.7"


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan"), 1e10, "50", True, None])
def test_weights_are_positive_numbers(weight):
    with pytest.raises(ValidationError):
        Split.model_validate({"paths": {"a": weight, "b": 1}})


# --- update_contact ------------------------------------------------------------------------------------


def test_what_it_changes(visit):
    element = UpdateContact.model_validate(
        {"set": {"tier": "gold", "old": None, "sizes": [1, "L"]}, "add_tags": ["club"], "remove_tags": ["new"]}
    )
    effect = contract.UpdateContact({"tier": "gold", "old": None, "sizes": [1, "L"]}, ("club",), ("new",))
    assert element.enter(visit()) == Leave(effects=(effect,))
    assert element.summary() == "tier = gold, no old, sizes = 1, L, + club, - new"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "changes nothing"),
        ({"set": {}}, "changes nothing"),
        ({"add_tags": ["a"], "remove_tags": ["a"]}, "both added and removed"),
        ({"set": {"email": "x"}}, "`email` is not an attribute"),
        ({"set": {"first name": "x"}}, "cannot name an attribute"),
        ({"set": {"__class__": "x"}}, "cannot name an attribute"),
        ({"set": {"tier": "{{ entry.tier }}"}}, "would store the template itself"),
        ({"set": {"tier": {"a": 1}}}, "cannot hold a mapping"),
        ({"set": {"tier": [["a"]]}}, "cannot hold a list"),
        ({"set": {"tier": float("inf")}}, "not a finite number"),
        ({"add_tags": [" "]}, "a tag cannot be empty"),
    ],
)
def test_changes_that_are_none(options, message):
    with pytest.raises(ValidationError, match=message):
        UpdateContact.model_validate(options)


# --- The Do Not Contact list ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "effect"),
    [
        (AddToDoNotContact, contract.AddToDoNotContact),
        (RemoveFromDoNotContact, contract.RemoveFromDoNotContact),
    ],
)
def test_entries_of_the_list(visit, element, effect):
    plain = element.model_validate({"channel": "email"})
    assert plain.enter(visit()) == Leave(effects=(effect("email", "any_sender", None, "marketing", None),))
    full = {"channel": "sms", "level": "this_sender", "sender": "+385", "covers": "everything", "reason": "asked"}
    assert element.model_validate(full).enter(visit()) == Leave(
        effects=(effect("sms", "this_sender", "+385", "everything", "asked"),)
    )
    for wrong in (
        {},
        {"channel": "pigeon"},
        {"channel": "email", "sender": "a@b.example"},
        {"channel": "all", "level": "this_sender"},
        {"channel": "email", "level": "some"},
    ):
        with pytest.raises(ValidationError):
            element.model_validate(wrong)


def test_what_is_blocked_and_what_is_open_again():
    add, remove = AddToDoNotContact(channel="email"), RemoveFromDoNotContact(channel="all")
    assert add.blocks() == {"email"} == AddToDoNotContact(channel="email", level="this_sender").blocks()
    assert remove.unblocks() == {"all"}
    assert not add.unblocks() | remove.blocks()


def test_summaries_of_entries():
    assert AddToDoNotContact(channel="email").summary() == "email, any sender"
    all_of_it = AddToDoNotContact(channel="all", covers="everything")
    assert all_of_it.summary() == "all channels, any sender, everything"
    assert AddToDoNotContact(channel="sms", level="this_sender").summary() == "sms, this sender"


# --- goal ----------------------------------------------------------------------------------------------


def test_a_goal_is_counted(visit):
    assert Goal(name="bought").enter(visit()) == Leave(effects=(ReachGoal("bought"),))
    with pytest.raises(ValidationError, match="a goal needs a name"):
        Goal(name="  ")
