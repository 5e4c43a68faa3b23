"""Conditions: what they mean, what they refuse, and that nothing breaks them."""

from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import Contact, Event
from tactful.elements.options.condition import Condition
from tactful.elements.options.mistake import Mistake

from .reading import read_or_refused

ZAGREB = ZoneInfo("Europe/Zagreb")
NOW = 1_772_444_400_000  # 2026-03-02 10:40 in Zagreb

ANA = Contact(
    1,
    "ana",
    {
        "orders": 7,
        "rating": 4.5,
        "country": "DE",
        "vip": True,
        "quiet": False,
        "one": 1,
        "blank": "  ",
        "list": ["a", 2, True],
        "empty": [],
        "nothing": None,
        "last_order": "2026-02-20",
        "seen": "2026-03-01T23:30:00Z",  # 2 March, 00:30, in Zagreb
        "five": "5",
        "from": "abroad",
    },
    frozenset({"club"}),
    email="ana@example.com",
    time_zone="Europe/Zagreb",
)
ENTRY = Event("basket_abandoned", NOW, {"value": 35, "cart": {"total": 12.5, "items": [{"name": "hat"}]}})
REPLY = Event("replied", NOW, {"text": "call me later", "value": 99, "name": "not this"})
VALUES = {"reply": "Yes"}


def holds(text, contact=ANA, entry=ENTRY, event=REPLY, values=VALUES):
    return Condition.parse(text).holds(contact, entry, event, values, NOW, ZAGREB)


TRUE = """
    contact.orders == 7
    contact.orders != 8
    contact.orders >= 7
    7 <= contact.orders
    5 < contact.orders < 8
    contact.rating > 4
    contact.rating == 4.5
    contact.orders == 7.0
    contact.orders > -1
    contact.country == "DE"
    contact.country == 'DE'
    contact.country in ["DE", "AT"]
    contact.country not in ["HR"]
    contact.orders in [1, 7]
    contact.vip
    contact.vip == true
    contact.vip != false
    not contact.quiet
    contact.quiet == false
    contact.id == "ana"
    contact.email == "ana@example.com"
    contact.time_zone == "Europe/Zagreb"
    contact.from == "abroad"
    entry.value == 35
    entry.name == "basket_abandoned"
    event.value == 99
    event.name == "replied"
    event.text == "call me later"
    journey.reply == "Yes"
    entry.cart.total == 12.5
    event.value > entry.value
    contact.country == "DE" and contact.orders == 7 and contact.vip
    contact.country == "HR" or contact.orders == 7
    contact.country == "HR" or contact.country == "SI" or contact.vip
    not (contact.country == "HR" or contact.orders < 7)
    (contact.orders > 5) == true
    contains(event.text, "later")
    contains(contact.list, "a")
    contains(contact.list, 2)
    starts_with(event.text, "call")
    ends_with(contact.email, ".com")
    is_empty(contact.city)
    is_empty(contact.blank)
    is_empty(contact.empty)
    is_empty(contact.nothing)
    not is_empty(contact.orders)
    not is_empty(contact.quiet)
    has_tag("club")
    "a" in contact.list
    "b" not in contact.list
    days_since(contact.last_order) == 10
    days_until(contact.last_order) == -10
    days_since(contact.seen) == 0
    days_since(contact.last_order) > 7 and has_tag("club")
    now() > "2026-03-01"
    now() == "2026-03-02"
    now() <= "2026-03-02"
    now() > "2026-03-02 10:00"
    now() < "2026-03-02T10:00:00Z"
    now() < "2026-03-02 11:00"
    contact.last_order < now()
    contact.last_order <= "2026-02-20"
    contact.last_order == "2026-02-20"
    contact.last_order != "2026-02-21"
    contact.seen == "2026-03-02"
    contact.seen > "2026-03-02 00:29"
    "2026-01-01" < contact.last_order < "2026-03-01"
    contact.country != "2026-03-01"
    true
"""
FALSE = """
    contact.orders == "7"
    contact.five == 5
    contact.one == true
    contact.vip == 1
    contact.one
    contact.country
    contact.country == "de"
    contact.country > 5
    contact.orders > "5"
    contact.list == "a"
    contact.country in [1, 2]
    contact.one in [true]
    contact.list in ["a"]
    "a" in contact.country
    "a" not in contact.country
    contact.orders in contact.country
    contact.list > 1
    contains(contact.orders, "7")
    contains(event.text, 5)
    contains(contact.list, "b")
    contains(event.text, "LATER")
    starts_with(contact.orders, "7")
    has_tag("Club")
    entry.cart == 5
    entry.cart.items == "hat"
    entry.cart.total.more == 5
    entry.value.x == 35
    contact.country > "2026-03-01"
    contact.country == "2026-03-01"
    contact.last_order > now()
    days_since(contact.country) > 0
    contact.orders < now()
    now() > "2026-03-02"
    false
"""


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("text", lines(TRUE))
def test_holds(text):
    assert holds(text) is True


@pytest.mark.parametrize("text", lines(FALSE))
def test_does_not_hold(text):
    assert holds(text) is False


@pytest.mark.parametrize(
    "comparison",
    ["== 5", "!= 5", "< 5", ">= 5", '== "a"', '!= "a"', '< "a"', "== true", "!= true", "in [5]", "not in [5]",
     '> "2026-01-01"', '!= "2026-01-01"', "> now()", "!= now()", "== contact.orders", "!= contact.orders",
     "< contact.orders", "in contact.list", "not in contact.list"],
)  # fmt: skip
@pytest.mark.parametrize("missing", ["contact.city", "contact.nothing", "entry.city", "event.a.b", "journey.x"])
def test_a_missing_value_makes_every_comparison_false_and_its_denial_true(missing, comparison):
    assert holds(f"{missing} {comparison}") is False
    assert holds(f"not {missing} {comparison}") is True
    assert holds(missing) is False


def test_a_missing_date_has_no_days():
    assert not holds("days_since(contact.city) > 0")
    assert not holds("days_since(contact.city) != 0")
    assert not holds("days_until(contact.city) < 0")


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("", None, "a condition is missing", None),
        ("contact.country = 'DE'", 16, "a single `=`", "write `==`"),
        ("contact.vip && contact.one", 12, "`&` joins nothing", "write `and`"),
        ("contact.vip || contact.one", 12, "`|` joins nothing", "write `or`"),
        ("! contact.vip", 0, "`!` denies nothing", "write `not`"),
        ("contact.one =< 5", 12, "no such comparison", "<="),
        ("contact.one == 1 AND contact.vip", 17, "in lower case", None),
        ("contact.country == \u201cDE\u201d", 19, "quotes", "straight"),
        ('country == "DE"', 0, "`country` is not known", "`contact.country`"),
        ("kontact.vip", 0, "`kontact.` is not known", "did you mean `contact`?"),
        ("contact", 0, "by itself is no value", None),
        ("contact.vip == yes", 15, "`yes` is not known here", '`"yes"`'),
        ("contact.vip == TRUE", 15, "`TRUE` is not known here", "write `true`"),
        ("contact.city is None", 16, "`None` is no value", "is_empty"),
        ("contact.one is 5", 15, "`is` compares nothing", "write `==`"),
        ('contact.country == "DE', 19, "not closed", None),
        ("(contact.vip", 0, "brackets do not match", None),
        ("contact.vip)", 11, "brackets do not match", None),
        ("contact.orders >", 15, "missing after `>`", None),
        ("contact.vip and", 12, "missing after `and`", None),
        ("contact.orders + 1 > 5", 0, "no arithmetic", None),
        ("contact.last-order > 5", 0, "no arithmetic", "no `-` in it"),
        ("-contact.orders > 5", 0, "no arithmetic", None),
        ("contact['vip']", 0, "picks nothing", "event.cart.total"),
        ("contact.a.b == 1", 0, "`contact.a` has no parts", "`contact.a_b`"),
        ("contact.orders > 007", 17, "`007` is not a number", None),
        ("contact.orders > 1e5", 17, "`1e5` is not a number", None),
        ('contact.country == "\\d"', 20, "means nothing", "twice"),
        ("contact.vip # why", 12, "no comments", None),
        ("contact.vip and\ncontact.one", 15, "one line", ">-"),
        ("contact.vip\x00", 11, "invisible", None),
        ("contact.vip == true < 5", 15, "have no order", None),
        ("contact.country < true", 18, "have no order", None),
        ('contact.country in "DE"', 19, "asks for a list", "contains"),
        ("contact.country in []", 19, "empty list", "is_empty"),
        ("contact.country in [contact.one]", 20, "a list holds", None),
        ("contact.country == [1]", 19, "a list cannot be compared", "in [a, b]"),
        ("1 == 1", 0, "both sides are fixed", None),
        ('"DE" in ["DE"]', 0, "both sides are fixed", None),
        ('"DE"', 0, "neither true nor false", None),
        ("contact.vip and 5", 16, "neither true nor false", None),
        ("now()", 0, "neither true nor false", None),
        ("now() == 5", 9, "a moment is never like a number", None),
        ('now() > "soon"', 8, "a moment is never like a text", None),
        ("nowt()", 0, "no function `nowt`", "did you mean `now`?"),
        ("contact.country.lower()", 0, "no methods", None),
        ("contains(event.text)", 0, "is written `contains(event.text", None),
        ("days_since(5) > 1", 11, "cannot look at a number", None),
        ("contains(5, 'a')", 9, "cannot look at a number", None),
        ("has_tag(contact.country)", 0, "asks for one tag", None),
        ("is_empty('')", 0, "never changes", None),
        ("contact.__class__", 0, "two underscores", None),
        ("lambda: contact.vip", 0, "not part of the language", None),
        ("[x for x in contact.list]", 0, "not part of the language", None),
        ("contact.vip if contact.one else contact.five", 0, "not part of the language", None),
        ("f'{contact.vip}' == 'a'", 0, "plain quotes", None),
        ("(contact.a := 5)", None, "", None),
        ("contact.vip; contact.one", 11, "not a condition from here on", None),
        ("äöü = 1", 4, "a single `=`", None),
        ('contact.ä == "ü" and ß', 21, "`ß` is not known", None),
        ("   country", 3, "`country` is not known", None),
    ],
)
def test_a_mistake_says_where_and_what_instead(text, at, message, hint):
    with pytest.raises(Mistake) as caught:
        Condition.parse(text)
    mistake = caught.value
    assert message in mistake.message
    assert at is None or mistake.at == at
    assert hint is None or hint in (mistake.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "not " * 400 + "contact.vip",
        "(" * 500 + "contact.vip" + ")" * 500,
        "contact.vip == " * 100 + "1 and " * 50 + "contact.vip",
        "contact." + "a." * 500 + "b == 1",
        "contact.a == 1 and " * 90 + "contact.a == 1 or " * 20 + "x",
        "x" * 3_000,
        "9" * 1_999,
        "contact.a == " + "9" * 1_900,
        "[" * 150 + "]" * 150,
        "contact.vip\ud800",
    ],
)
def test_what_is_too_much_is_refused_and_breaks_nothing(text):
    with suppress(Mistake):
        Condition.parse(text).holds(ANA, ENTRY, REPLY, VALUES, NOW, ZAGREB)


def test_names_and_their_places():
    condition = Condition.parse(" contact.country == 'contact.x' and event.cart.total > journey.limit")
    assert [(str(use), use.at) for use in condition.names] == [
        ("contact.country", 1),
        ("event.cart.total", 36),
        ("journey.limit", 55),
    ]
    assert condition.where("event", "cart") == 36
    assert condition.where("contact", "x") is None
    assert (condition.names[1].name, condition.names[1].path) == ("cart", ("cart", "total"))


def test_whether_time_alone_may_change_it():
    timed = ["now() > '2026-01-01'", "days_since(contact.a) > 1", "not days_until(contact.a) < 1"]
    assert all(Condition.parse(text).uses_time for text in timed)
    assert not Condition.parse("contact.a > '2026-01-01'").uses_time


SCHEMA = {
    "orders": "number",
    "country": "text",
    "vip": "boolean",
    "birthday": "date",
    "list": "list",
    "rating": "number",
}


@pytest.mark.parametrize(
    "text",
    [
        "contact.orders > 5 and contact.rating < contact.orders and contact.vip",
        "contact.country in ['DE'] and contains(contact.country, 'D') and contains(contact.list, 'x')",
        "contact.birthday > '2026-01-01' and days_since(contact.birthday) > 2 and contact.birthday < now()",
        "contact.country == '2026-01-01'",  # a text may look like a date
        "'a' in contact.list and is_empty(contact.orders)",
        "contact.id == 'x' and contact.email == contact.phone and contact.time_zone == 'UTC'",
        "entry.whatever == 5 and event.whatever == 'x' and journey.whatever",
    ],
)
def test_what_fits_a_schema(text):
    assert Condition.parse(text).misfits(SCHEMA) == []


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("contact.ordres > 5", 0, "contacts have no `ordres`"),
        ("true and contact.orders == 'five'", 9, "`contact.orders` is a number, but is compared with a text"),
        ("contact.orders == true", 0, "is a number, but is compared with true or false"),
        ("contact.country > 5", 0, "is a text, but is compared with a number"),
        ("contact.vip == 'yes'", 0, "is true or false, but is compared with a text"),
        ("contact.country", 0, "stands here as if it were true or false"),
        ("contact.birthday == 'soon'", 0, "is a date, but is compared with a text"),
        ("contact.orders > '2026-01-01'", 0, "is a number, but is compared with a date"),
        ("contact.country > now()", 0, "is a text, but is compared with a moment"),
        ("contact.orders in ['a']", 0, "looked for in a list of texts"),
        ("'a' in contact.country", 7, "stands after `in`"),
        ("contains(contact.orders, 'a')", 9, "asks for a list or a text"),
        ("days_since(contact.country) > 1", 11, "asks for a date"),
        ("contact.orders < contact.country", 0, "compared with `contact.country`, which is a text"),
        ("contact.id == 5", 0, "is a text, but"),
        ("contact.tags", 0, "contacts have no `tags`"),
    ],
)
def test_what_does_not_fit_a_schema(text, at, message):
    [mistake] = Condition.parse(text).misfits(SCHEMA)
    assert message in mistake.message
    assert mistake.at == at


def test_a_mistyped_attribute_has_a_hint():
    [mistake] = Condition.parse("contact.ordres > 5").misfits(SCHEMA)
    assert (mistake.hint, mistake.code) == ("did you mean `orders`?", "unknown-attribute")


def test_true_and_false_of_yaml_are_conditions():
    assert str(Condition.read(True)) == "true"
    with pytest.raises(Mistake, match="written as text"):
        Condition.read(5)


# --- Nothing breaks it ---------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates().map(str)
    | st.datetimes().map(str)
    | st.sampled_from(["0001-01-01T00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "DE", "a"])
)
data = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner)),
)
name_texts = st.sampled_from(["contact.a", "contact.b", "entry.a", "event.a.b", "event.c", "journey.d", "contact.id"])
constants = st.sampled_from(["5", "-1.5", '"a"', '"2026-02-28"', '"2026-02-28 10:00"', "true", "false"])
operators = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
tests = (
    st.builds("{} {} {}".format, name_texts, operators, constants | name_texts | st.just("now()"))
    | st.builds("{} {} {}".format, constants, operators, name_texts)
    | st.builds("{} in [{}, {}]".format, name_texts, constants, constants)
    | st.builds("{} not in {}".format, constants | name_texts, name_texts)
    | st.builds("{}({}) {} 3".format, st.sampled_from(["days_since", "days_until"]), name_texts, operators)
    | st.builds('{}({}, "a")'.format, st.sampled_from(["contains", "starts_with", "ends_with"]), name_texts)
    | st.builds("contains({}, {})".format, name_texts, name_texts)
    | st.builds("is_empty({})".format, name_texts)
    | name_texts
)
conditions = st.recursive(
    tests,
    lambda inner: (
        st.builds("not ({})".format, inner)
        | st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner)
    ),
    max_leaves=5,
)


@given(conditions, data, data, data, data)
def test_no_data_breaks_a_condition(text, attributes, entry, event, values):
    try:
        condition = Condition.parse(text)
    except Mistake:
        return  # such as `true < contact.a`
    contact = Contact(1, "ana", attributes)
    for zone in (ZAGREB, ZoneInfo("Pacific/Apia")):
        answer = condition.holds(contact, Event("e", 0, entry), Event("f", 0, event), values, NOW, zone)
        assert type(answer) is bool
        denied = Condition.parse(f"not ({text})")
        assert denied.holds(contact, Event("e", 0, entry), Event("f", 0, event), values, NOW, zone) is not answer


@given(st.text(max_size=60) | st.text(alphabet="contacetry.in()[]\"'=<>!&|and or not5,x ", max_size=60))
def test_no_text_breaks_the_reader(text):
    condition, at = read_or_refused(Condition.parse, text)
    assert at is None or 0 <= at <= len(text)
    assert condition is None or condition.holds(ANA, ENTRY, REPLY, VALUES, NOW, ZAGREB) in (True, False)


def test_long_texts_and_lists_in_the_data_are_soon_looked_through():
    heavy = Contact(1, "ana", {"a": "x" * 1_000_000, "l": [["x"] * 10] * 10_000})
    text = 'contains(contact.a, "xy") or "z" in contact.l or contact.l == contact.l'
    assert Condition.parse(text).holds(heavy, ENTRY, REPLY, VALUES, NOW, ZAGREB) is False
