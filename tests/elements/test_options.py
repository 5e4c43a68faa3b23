"""What all option values have in common; references, paths and hints."""

import copy
import pickle

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from tactful.elements.options.condition import Condition
from tactful.elements.options.duration import Duration
from tactful.elements.options.mistake import Mistake, did_you_mean, meant
from tactful.elements.options.moment import Moment, TimeOfDay
from tactful.elements.options.paths import Answer, PathName, Words, read_answer
from tactful.elements.options.reference import SendRef, SendRefs, newest_sent
from tactful.elements.options.template import Template, TemplateFailure
from tactful.elements.options.written import Written

WRITTEN: list[tuple[type[Written], str]] = [
    (Condition, "contact.orders > 5"),
    (Duration, "48 hours"),
    (Moment, "monday 09:00"),
    (TimeOfDay, "09:00"),
]
each = pytest.mark.parametrize(("kind", "text"), WRITTEN)


@each
def test_a_value_is_its_text(kind, text):
    value = kind.parse(text)
    assert value.text == str(value) == text
    assert value == kind.parse(text)
    assert value != kind.parse(text + " ")
    assert value != text
    assert len({value, kind.parse(text)}) == 1
    assert repr(value) == f"{kind.__name__}({text!r})"


@each
def test_a_value_never_changes(kind, text):
    value = kind.parse(text)
    with pytest.raises(AttributeError, match="immutable"):
        value.text = "other"
    with pytest.raises(AttributeError, match="immutable"):
        del value.text
    with pytest.raises(AttributeError):
        value.other = 1


@each
def test_a_value_can_be_copied_and_stored(kind, text):
    value = kind.parse(text)
    assert copy.deepcopy(value) is copy.copy(value) is value
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301


@each
def test_a_value_is_a_field(kind, text):
    adapter = TypeAdapter(kind)
    value = adapter.validate_python(text)
    assert adapter.validate_python(value) is value
    assert adapter.dump_json(value).decode() == f'"{text}"'
    schema = adapter.json_schema()
    assert schema["type"] == "string"
    assert schema["format"].startswith("tactful-")
    assert all(kind.parse(example).text == example for example in schema["examples"])


@each
@pytest.mark.parametrize("wrong", [None, 5, 4.5, ["a"], {"a": 1}, b"48 hours"])
def test_only_text_is_read(kind, text, wrong):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(wrong)
    assert isinstance(caught.value.errors()[0]["ctx"]["error"], Mistake)


def test_values_of_different_kinds_are_not_equal():
    assert Moment.parse("09:00") != TimeOfDay.parse("09:00")


def test_a_template_never_changes_and_can_be_copied_and_stored():
    template = Template("Hi {{ contact.x }}", "a.txt")
    with pytest.raises(AttributeError, match="immutable"):
        template.text = "other"
    assert copy.deepcopy(template) is template
    assert pickle.loads(pickle.dumps(template)) == template  # noqa: S301
    assert hash(template) == hash(Template("Hi {{ contact.x }}", "a.txt"))


def test_mistakes_survive_a_journey_between_processes():
    mistake = Mistake("no", 3, "yes", "bad", "a.html")
    again = pickle.loads(pickle.dumps(mistake))  # noqa: S301
    assert (again.message, again.at, again.hint, again.code, again.file) == ("no", 3, "yes", "bad", "a.html")
    failure = pickle.loads(pickle.dumps(TemplateFailure("no", 2)))  # noqa: S301
    assert (failure.message, failure.line) == ("no", 2)


@pytest.mark.parametrize(
    ("word", "choice"),
    [("opned", "opened"), ("OPENED", "opened"), ("opted-out", "opted_out"), ("xyz", None), ("", None)],
)
def test_did_you_mean(word, choice):
    assert did_you_mean(word, ["opened", "clicked", "opted_out"]) == choice
    assert meant(word, ["opened", "opted_out"]) == (f"did you mean `{choice}`?" if choice else None)


# --- References ----------------------------------------------------------------------------------------


class Refers(BaseModel):
    message: SendRefs


@pytest.mark.parametrize(("written", "refs"), [("offer", ("offer",)), (["offer", "offer_b"], ("offer", "offer_b"))])
def test_one_send_or_several(written, refs):
    read = Refers.model_validate({"message": written}).message
    assert read == refs
    assert all(type(ref) is SendRef for ref in read)


@pytest.mark.parametrize("wrong", [None, 5, [], ["offer", 5], ["offer", "offer"], "", {"a": 1}])
def test_what_names_no_send(wrong):
    with pytest.raises(ValidationError):
        Refers.model_validate({"message": wrong})


def test_of_several_sends_the_one_sent_last(visit):
    refs = (SendRef("a"), SendRef("b"), SendRef("c"), SendRef("d"))
    here = visit(messages={"a": (1, "2026-03-01 10:00"), "b": (2, "2026-03-01 12:00"), "c": (3, None)})
    newest = newest_sent(refs, here)
    assert newest is not None
    assert newest.step == 2
    together = visit(messages={"b": (4, "2026-03-01 12:00"), "a": (3, "2026-03-01 12:00")})
    newest = newest_sent(refs, together)
    assert newest is not None
    assert newest.step == 4
    assert newest_sent((SendRef("c"), SendRef("d")), here) is None


# --- Paths ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vip", "a", "B", "50", "größer", "big-ones", "first_2"])
def test_names_of_paths(name):
    assert TypeAdapter(PathName).validate_python(name) == name


@pytest.mark.parametrize("name", ["end", "otherwise", "happened", "timed_out", "not_sent", "", "a b", "-a", "a.b"])
def test_names_no_path_may_have(name):
    with pytest.raises(ValidationError):
        TypeAdapter(PathName).validate_python(name)


def test_words_or_a_condition():
    assert read_answer(["yes", " ok ", 1]) == Words(("yes", "ok", "1"))
    assert read_answer('contains(event.text, "later")') == Condition.parse('contains(event.text, "later")')
    assert TypeAdapter(Answer).json_schema()["anyOf"][1]["format"] == "tactful-condition"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("yes", "`yes` is no condition"),
        ([], "the list of words is empty"),
        ([True], "not true or false"),
        ([" "], "an empty word"),
        ([["a"]], "not a list"),
        (5, "written as text"),
    ],
)
def test_what_is_neither_words_nor_condition(wrong, message):
    with pytest.raises(Mistake, match=message):
        read_answer(wrong)
