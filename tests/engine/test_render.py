"""Messages rendered for one contact: whole, or not at all."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from tactful.elements.contract import Contact, Event, MessageKey, Send
from tactful.elements.options.template import Template
from tactful.engine.render import CannotRender, render

ANA = Contact(
    7, "crm-7", {"first_name": "Ana & Co", "email": "old@example.com", "city": None, "n": 3},
    frozenset({"vip", "news"}), "ana@example.com", None, "Europe/Zagreb",
)  # fmt: skip
ENTRY = Event("basket_abandoned", 0, {"value": 35, "items": [{"name": "Mug"}], "name": "shadowed"})


class SendThree(Send):
    sends: ClassVar[str | None] = "email"
    subject: Template
    html: Template
    text: Template

    def parts(self) -> Mapping[str, Template]:
        return {"subject": self.subject, "html": self.html, "text": self.text}


def rendered(text="x", html="x", subject="x", **extras):
    element = SendThree(subject=Template(subject), html=Template(html), text=Template(text))
    return render(element, ANA, ENTRY, {"reply": "yes"}, "win-back", MessageKey(1204, 3), extras)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ contact.id }} {{ contact.email }} {{ contact.time_zone }}", "crm-7 ana@example.com Europe/Zagreb"),
        ("{{ contact.tags | join: ', ' }}", "news, vip"),
        ("{{ entry.name }} {{ entry.value }} {{ entry.items[0].name }}", "basket_abandoned 35 Mug"),
        ("{{ journey.reply }} {{ flow.id }} {{ message.id }}", "yes win-back 1204.3"),
        ("{{ contact.city | default: 'there' }}", "there"),
        ("{% if contact.phone %}phone{% else %}none{% endif %}", "none"),
    ],
)
def test_what_templates_may_name(text, said):
    assert rendered(text)["text"] == said


def test_what_the_engine_brings():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    parts = rendered("{{ opt_out_link }} {{ 'now' | date: '%Y' }}", opt_out_link="https://x.example/u", now=now)
    assert parts["text"] == "https://x.example/u 2026"


def test_values_are_escaped_in_html_only():
    name = "{{ contact.first_name }}"
    assert rendered(name, name, name) == {"subject": "Ana & Co", "html": "Ana &amp; Co", "text": "Ana & Co"}


def test_a_subject_is_one_line():
    assert rendered(subject=" Hi\r\nBcc: x \t{{ contact.id }}\n")["subject"] == "Hi Bcc: x crm-7"
    assert rendered(text="a\nb\0")["text"] == "a\nb"


@pytest.mark.parametrize(
    ("part", "text", "why"),
    [
        ("text", "{{ contact.last_name }}", "text: .*last_name"),
        ("html", "{{ contact.phone }}", "html: .*phone"),
        ("subject", "{{ contact.city }}", "subject: .*city"),
        ("text", " \n", "text: comes out blank"),
        ("subject", "{% if contact.phone %}x{% endif %}", "subject: comes out blank"),
        ("text", "{% for i in (1..100000) %}{% endfor %}x", "text: "),
    ],
)
def test_one_part_that_fails_and_none_leaves(part, text, why):
    with pytest.raises(CannotRender, match=why) as caught:
        rendered(**{part: text})
    assert caught.value.why == str(caught.value)


def test_half_a_character_cannot_be_sent():
    element = SendThree(subject=Template("x"), html=Template("x"), text=Template("{{ entry.note }}"))
    with pytest.raises(CannotRender, match="text: cannot be rendered"):
        render(element, ANA, Event("e", 0, {"note": "\ud800"}), {}, "f", MessageKey(1, 1))
