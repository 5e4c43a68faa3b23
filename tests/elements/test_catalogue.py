"""What holds of every element in the catalogue, whoever wrote it; and what the catalogue refuses."""

import copy
import pickle
import re
import textwrap

import pytest

from tactful.elements import BadElement, catalogue
from tactful.elements.contract import END, Element, Leave, Send, Stay
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.mistake import Mistake
from tactful.flows.source import read

CATALOGUE = catalogue()
EVERY = pytest.mark.parametrize("word", CATALOGUE)

WORDS = [
    "add_to_do_not_contact",
    "branch",
    "goal",
    "pause",
    "remove_from_do_not_contact",
    "send_email",
    "send_push",
    "send_sms",
    "send_whatsapp",
    "split",
    "update_contact",
    "wait_for_change",
    "wait_for_event",
    "wait_for_reply",
]


def example(word):
    """The example of the manual: the id it gives the element, its options, and its `next`."""
    manual = CATALOGUE[word].__doc__ or ""
    _, _, indented = manual.partition("Example:\n")
    assert indented, f"{word} has no `Example:`"
    document, problems = read(f"{word}.yaml", textwrap.dedent(indented))
    assert problems == []
    assert document is not None
    [(id, options)] = document.data.items()
    assert options.pop("type") == word
    return id, options, options.pop("next")


def load(word):
    _, options, _ = example(word)
    return CATALOGUE[word].model_validate(options, context={"read": lambda name: f"<p>{name}</p>"})


def test_the_words_of_the_language_are_there():
    assert list(CATALOGUE) == sorted(WORDS)


def test_the_catalogue_is_read_anew_and_cannot_be_changed():
    assert catalogue() == CATALOGUE
    assert catalogue() is not CATALOGUE
    with pytest.raises(TypeError):
        CATALOGUE["send_email"] = Element  # type: ignore[index]


@EVERY
def test_the_manual_begins_with_a_sentence_about_what_it_does(word):
    manual = CATALOGUE[word].__doc__
    assert manual
    first = manual.splitlines()[0]
    assert re.fullmatch(r"[A-Z][^.]+[a-z]+[^.]*\.", first), f"one sentence on the first line: {first!r}"
    assert len(first) <= 90


@EVERY
def test_the_manual_names_every_option_and_every_exit(word):
    manual, _, _ = (CATALOGUE[word].__doc__ or "").partition("Example:")
    element = load(word)
    options = [info.alias or name for name, info in CATALOGUE[word].model_fields.items()]
    known_from_send = set(Send.model_fields) - {"valid_for"}
    silent = [
        name
        for name in {*options} - known_from_send - {"reason"} | {*CATALOGUE[word].exits} - {"done", "otherwise"}
        if f"`{name}" not in manual and f"{{{{ {name}" not in manual
    ]
    assert silent == []
    if "otherwise" in element.ways_out():
        assert "`otherwise`" in manual


@EVERY
def test_every_option_has_a_description(word):
    silent = [name for name, info in CATALOGUE[word].model_fields.items() if not info.description]
    assert silent == []


@EVERY
def test_the_schema_describes_every_option_in_the_words_of_the_file(word):
    schema = CATALOGUE[word].model_json_schema()
    assert schema["additionalProperties"] is False
    for name, option in schema["properties"].items():
        assert not name.endswith("_"), name
        assert option["description"].endswith("."), name


@EVERY
def test_the_example_of_the_manual_loads(word):
    element = load(word)
    assert isinstance(element, CATALOGUE[word])


@EVERY
def test_the_example_names_exits_it_has_and_leaves_none_out(word):
    element = load(word)
    _, _, target = example(word)
    exits = {*element.ways_out()}
    required = exits - {*element.optional_exits}
    if isinstance(target, dict):
        assert {*target} <= exits
        assert required <= {*target}
    else:
        assert len(required) == 1


@EVERY
def test_exits_are_distinct_and_free_of_reserved_words(word):
    exits = load(word).ways_out()
    assert len({*exits}) == len(exits) > 0
    assert END not in exits


@EVERY
def test_the_summary_is_short(word):
    summary = load(word).summary()
    assert 0 < len(summary) <= 80
    assert not summary.endswith(".")
    assert "\n" not in summary


@EVERY
def test_it_is_frozen_and_can_be_copied_and_stored(word, visit):
    element = load(word)
    element.enter(visit())
    with pytest.raises(ValueError, match="frozen"):
        setattr(element, next(iter(CATALOGUE[word].model_fields)), None)
    assert copy.deepcopy(element) == element
    assert pickle.loads(pickle.dumps(element)) == element  # noqa: S301


@EVERY
def test_arriving_is_answered_with_an_exit_it_has_or_a_stay_that_can_end(word, visit):
    element = load(word)
    here = visit()
    answer = element.enter(here)
    if isinstance(answer, Leave):
        assert answer.by in element.ways_out()
    else:
        assert isinstance(answer, Stay)
        assert answer.until is not None or element.awaits(here)


@EVERY
def test_the_same_question_has_the_same_answer(word, visit):
    element = load(word)
    assert element.enter(visit()) == element.enter(visit())
    assert element.awaits(visit()) == element.awaits(visit())


@EVERY
def test_options_nobody_knows_are_refused(word):
    _, options, _ = example(word)
    with pytest.raises(ValueError, match="extra_forbidden"):
        CATALOGUE[word].model_validate({**options, "colour": "red"}, context={"read": str})


def test_every_channel_has_its_send_and_its_place_on_the_list():
    assert {element.sends for element in CATALOGUE.values() if element.sends} == {*CHANNELS}
    channel = CATALOGUE["add_to_do_not_contact"].model_json_schema()["properties"]["channel"]
    assert channel["enum"] == [*CHANNELS, "all"]


def test_nobody_learns_whether_an_sms_was_opened():
    assert "opened" not in CHANNELS["sms"].reports


# --- Elements of other packages ------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs packages that declare elements, as far as Python can tell: their metadata on the path."""

    def install(*points):
        for number, (package, name, value) in enumerate(points):
            folder = tmp_path / str(number)
            metadata = folder / f"{package}-1.0.dist-info"
            metadata.mkdir(parents=True)
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            (metadata / "entry_points.txt").write_text(f"[tactful.elements]\n{name} = {value}\n")
            monkeypatch.syspath_prepend(folder)

    return install


def test_an_installed_element_is_in_the_catalogue(install):
    install(("acme", "a_long_break", "tactful.elements.pause:Pause"))
    assert catalogue()["a_long_break"] is CATALOGUE["pause"]
    assert list(catalogue()) == [*CATALOGUE, "a_long_break"]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (
            [("acme", "pause", "acme:Pause")],
            "two packages have an element `pause`: tactful and acme",
        ),
        (
            [("acme", "score", "tactful.elements.goal:Goal"), ("bolt", "score", "tactful.elements.pause:Pause")],
            "two packages have an element `score`: acme and bolt",
        ),
        ([("acme", "score", "no_such:Score")], "`score` of acme cannot be loaded: ModuleNotFoundError"),
        ([("acme", "score", "tactful.elements.goal:Score")], "cannot be loaded: AttributeError"),
        ([("acme", "score", "pathlib:Path")], "`pathlib:Path` is no subclass of tactful.elements.contract"),
        ([("acme", "score", "os:getcwd")], "is no subclass"),
        ([("acme", "Send Score", "tactful.elements.goal:Goal")], "has no proper name"),
    ],
)
def test_what_is_no_element_is_refused_by_name(install, points, said):
    install(*points)
    with pytest.raises(BadElement, match=re.escape(said)):
        catalogue()


def test_a_mistake_in_an_option_reaches_the_loader_as_it_is():
    with pytest.raises(ValueError, match="no unit of time") as caught:
        CATALOGUE["pause"].model_validate({"for": "3 dayz"})
    [error] = caught.value.errors()  # type: ignore[attr-defined]
    mistake = error["ctx"]["error"]
    assert isinstance(mistake, Mistake)
    assert (mistake.at, mistake.hint, mistake.code) == (2, "did you mean `days`?", "unknown-unit")
    assert error["loc"] == ("for",)
