"""Templates: what they print, what they refuse, and how far they may go."""

import time
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from tactful.elements.options.mistake import Mistake
from tactful.elements.options.template import Template, TemplateFailure

from .reading import read_or_refused

SCOPE = {
    "contact": {"first_name": "<Ana>", "city": None, "birthday": "1990-05-17", "orders": 7},
    "entry": {"items": [{"name": "hat"}, {"name": "coat"}]},
    "opt_out_link": "https://go.acme.example/o/7?a=1&b=2",
    "now": datetime.fromisoformat("2026-03-02T10:00:00+01:00"),
}


def text(source, **more):
    return Template(source).render({**SCOPE, **more}, html=False)


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("Hi {{ contact.first_name }}", "Hi <Ana>"),
        ("Hi {{ contact.nickname | default: 'friend' }}", "Hi friend"),
        ("{{ contact.city | default: 'friend' }}", "friend"),
        ("{% if contact.nickname %}a{% else %}b{% endif %}", "b"),
        ("{% if contact.nickname == 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% if contact.nickname != 'x' %}a{% else %}b{% endif %}", "a"),
        ("{% if contact.points > 5 %}a{% else %}b{% endif %}", "b"),
        ("{% if contact.orders > 5 %}a{% else %}b{% endif %}", "a"),
        ("{% for item in entry.items %}{{ item.name }},{% endfor %}", "hat,coat,"),
        ("{% for i in (1..3) %}{{ i }}{% endfor %}", "123"),
        ("{{ contact.birthday | date: '%d.%m.' }}", "17.05."),
        ("{{ 'now' | date: '%Y' }} {{ now | date: '%H' }} {{ 'today' | date: '%d' }}", "2026 10 02"),
        ("{{ 'soon' | date: '%Y' }}", "soon"),
    ],
)
def test_what_it_prints(source, plain):
    assert text(source) == plain


def test_html_is_escaped_and_plain_text_is_not():
    template = Template("{{ contact.first_name }} {{ opt_out_link }} {{ '<b>' | safe }}")
    assert template.render(SCOPE, html=True) == ("&lt;Ana&gt; https://go.acme.example/o/7?a=1&amp;b=2 <b>")
    assert template.render(SCOPE, html=False) == "<Ana> https://go.acme.example/o/7?a=1&b=2 <b>"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("a\nb {{ contact.nickname }}", 2, "line 2: `contact.nickname` has no value here"),
        ("{{ order.id }}", 1, "`order` has no value here"),
        ("{{ contact.orders | divided_by: 0 }}", 1, "divide by 0"),
        ("{% for i in (1..1000000000) %}x{% endfor %}", 1, "loop iteration limit"),
        ("{% for i in (1..999) %}{% for j in (1..999) %}x{% endfor %}{% endfor %}", 1, "loop iteration limit"),
        ("{% assign a = 'aaaaaaaaaa' %}{% for i in (1..50) %}{% assign a = a | append: a %}{% endfor %}", 1, "limit"),
        ("{% assign a = 9 %}{% for i in (1..50) %}{% assign a = a | times: a %}{% endfor %}", 1, "limit"),
    ],
)
def test_what_fails_for_this_contact_says_where(source, line, message):
    with pytest.raises(TemplateFailure) as caught:
        text(source)
    assert message in caught.value.message
    assert caught.value.line == line


def test_too_long_a_text_is_not_sent():
    with pytest.raises(TemplateFailure, match="output stream limit"):
        text("{% for i in (1..9000) %}{{ big }}{% endfor %}", big="x" * 1_000)


def test_a_failure_names_the_file():
    with pytest.raises(TemplateFailure, match=r"^offer\.html, line 1: `contact\.x` has no value here$"):
        Template("{{ contact.x }}", "offer.html").render(SCOPE, html=True)


@pytest.mark.parametrize("source", ["{{ 'now' | date: '%Y' }}", "{{ now }}", "{{ now | date: '%Y' }}"])
def test_no_template_asks_the_clock_of_the_machine(source):
    with pytest.raises(TemplateFailure, match="`now` has no value here"):
        Template(source).render({"contact": {}}, html=False)


@pytest.mark.parametrize(
    ("source", "at", "message", "hint"),
    [
        ("Hi {{ contact.first_name ", 3, "`{{` is never closed", None),
        ("{% iff contact.x %}{% endif %}", 3, "unexpected tag 'iff'", "did you mean `if`?"),
        ("{% if contact.x %}", None, "expected tag endif", None),
        ("{% include 'a' %}", 3, "unexpected tag 'include'", None),
        ("{% render 'a' %}", 3, "unexpected tag 'render'", None),
        ("{{ contact.x | uppcase }}", 15, "there is no filter `uppcase`", "did you mean `upcase`?"),
        ("{{ (1..1000000000) | join: ',' }}", 3, "a range stands in `for`", None),
        ("{% assign a = (1..1000000000) %}{{ a | join }}", 14, "a range stands in `for`", None),
        ("{{ contact.list | concat: (1..1000000000) | join }}", 26, "a range stands in `for`", None),
        ("{% if a %}" * 50 + "{% endif %}" * 50, 313, "nesting limit", None),
        ("x" * 500_001, None, "characters at most", None),
    ],
)
def test_a_mistake_says_where(source, at, message, hint):
    with pytest.raises(Mistake) as caught:
        Template(source)
    assert message in caught.value.message
    assert caught.value.at == at
    assert hint is None or caught.value.hint == hint


def test_names_it_takes_and_their_places():
    template = Template(
        "Hi\n{{ contact.first_name }}{% for p in entry.items %}{{ p.name }}{% endfor %}\n"
        "{% assign z = 1 %}{{ z }}{{ opt_out_link }}"
    )
    assert [(str(use), use.name, use.line, use.column) for use in template.names()] == [
        ("contact.first_name", "first_name", 2, 4),
        ("entry.items", "items", 2, 37),
        ("opt_out_link", "", 3, 29),
    ]
    assert template.mentions("opt_out_link")
    assert template.mentions("contact.first_name")
    assert template.mentions("contact")
    assert not template.mentions("z")
    assert not template.mentions("contact.last_name")


def test_its_gist_is_short_and_on_one_line():
    assert Template("We kept\n your {{ entry.product }}, {{ contact.x }}").gist() == "We kept your …, …"
    assert Template("x" * 50).gist(10) == "xxxxxxxxx…"


class Options(BaseModel):
    html: Template


def test_a_text_may_stand_in_a_file():
    files = {"offer.html": "<p>{{ contact.first_name }}</p>"}
    options = Options.model_validate({"html": {"file": "offer.html"}}, context={"read": files.__getitem__})
    assert (options.html.text, options.html.file) == (files["offer.html"], "offer.html")
    assert options.html == Template(files["offer.html"], "offer.html") != Template(files["offer.html"])
    assert options.model_dump() == {"html": {"file": "offer.html"}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"file": "offer.html"}, "no files here"),
        ({"path": "offer.html"}, "is written `{file: name}`"),
        ({"file": "a", "more": 1}, "is written `{file: name}`"),
        ({"file": ""}, "is written `{file: name}`"),
        (5, "not a number"),
        (None, "not nothing"),
        (["a"], "not a list"),
    ],
)
def test_what_is_neither_text_nor_file(value, message):
    with pytest.raises(ValidationError, match=message):
        Options.model_validate({"html": value})


def test_a_mistake_in_a_file_names_it():
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"html": {"file": "a.html"}}, context={"read": lambda name: "\n{% iff %}"})
    mistake = caught.value.errors()[0]["ctx"]["error"]
    assert (mistake.file, mistake.at) == ("a.html", 4)


@given(st.text(max_size=60) | st.text(alphabet="{}% |:'ifendcotac.x=()\n1", max_size=60))
def test_no_text_breaks_the_reader(source):
    template, at = read_or_refused(Template, source)
    assert at is None or 0 <= at < len(source)
    if template is not None:
        template.names()
        with suppress(TemplateFailure):
            template.render(SCOPE, html=True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abc"), values), st.booleans())
def test_no_data_breaks_the_rendering(data, html):
    template = Template(
        "{% if contact.a %}{{ contact.a | upcase | date: '%d' }}{% endif %}{% for x in contact.b %}{{ x }}{% endfor %}"
        "{{ contact.c | default: 1 | times: 2 | truncate: 5 | split: ',' | join: ' ' }}"
    )
    with suppress(TemplateFailure):
        template.render({"contact": data}, html=html)


@pytest.mark.parametrize(
    "text",
    ["{{" * 100_000, "{%" * 100_000, "{{" * 100_000 + "}}", "{{ '" * 50_000 + "'}}", "{% if a %}" * 20_000],
    ids=["open", "open tag", "one end", "quotes", "nested"],
)
def test_hostile_text_is_refused_at_once(text):
    began = time.process_time()
    with pytest.raises(Mistake):
        Template(text)
    assert time.process_time() - began < 1


def test_many_names_are_found_in_time_that_grows_with_the_text():
    text = "{{ contact.a }}\n" * 15_000
    began = time.process_time()
    template = Template(text)
    assert not template.mentions("opt_out_link")
    assert template.names()[-1].line == 15_000
    assert time.process_time() - began < 5
