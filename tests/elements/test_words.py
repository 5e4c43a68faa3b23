"""What short answers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.options.words import matches, normalise

STOP = ["STOP", "opt out", "unsubscribe", "ARRÊT"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  STOP  ", "stop"),
        ("“Stop!”", "stop"),
        ("Stop. 🙏🏽", "stop"),
        ("\u200bST\u200dOP\ufeff", "stop"),
        ("ＳＴＯＰ", "stop"),  # noqa: RUF001 - full width on purpose
        ("opt \n\t out", "opt out"),
        ("*** YES ***", "yes"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("s\u2019il", "s'il"),
        ("cafe\u0301", "café"),
        ("👍", ""),
        ("", ""),
    ],
)
def test_how_a_text_is_compared(text, plain):
    assert normalise(text) == plain


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("stop", "STOP"),
        ("Stop it!", None),
        ("STOP PLEASE", "STOP"),
        ("Stop. Thank you", "STOP"),
        ("stop.thanks", "STOP"),
        ("please stop now, thank you very much!!", "STOP"),
        ("Bitte STOP, danke", "STOP"),
        ("stop svp", "STOP"),
        ("stop s'il vous plaît", "STOP"),
        ("Stop stop STOP", "STOP"),
        ("arrêt merci", "ARRÊT"),
        ("Opt   out", "opt out"),
        ("please opt out", "opt out"),
        ("opt in", None),
        ("out opt", None),
        ("stop sending me the other one", None),
        ("please don't stop", None),
        ("do not stop", None),
        ("STOP 12345", None),
        ("nonstop", None),
        ("stopall", None),
        ("thanks", None),
        ("", None),
        ("🙏", None),
    ],
)
def test_a_keyword_and_courtesy_say_it_a_sentence_does_not(text, word):
    assert matches(text, STOP) == word


def test_the_first_word_given_is_the_one_told():
    assert matches("ok", ["yes", "OK", "ok"]) == "OK"
    assert matches("thanks", ["thanks"]) == "thanks"


def test_a_sign_is_said_by_that_sign_alone():
    assert matches("👍🏽👍🏽", ["yes", "👍"]) == "👍"
    assert matches("👎", ["yes", "👍"]) is None
    assert matches("no 👍", ["👍"]) is None
    assert matches("!!", ["👍"]) is None


def test_an_empty_word_is_said_by_nothing():
    assert matches("", [""]) is None
    assert matches("hello", [""]) is None


@given(st.text(max_size=60))
def test_comparing_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=60))
def test_case_counts_for_nothing(text):
    assert normalise(text.upper().lower()) == normalise(text.upper())


noise = st.text(alphabet=" \t\n.!?,;'\"“”*-…🙏❤️\u200b\ufe0f", max_size=5)
courtesy = st.lists(st.sampled_from(["please", "thanks", "thank you", "danke", "merci"]), max_size=3)


@given(st.sampled_from(STOP), courtesy, courtesy, noise, noise, st.booleans())
def test_a_keyword_is_found_however_politely_it_is_typed(word, before, after, left, right, upper):
    text = " ".join([*before, word, *after])
    assert matches(left + (text.upper() if upper else text) + right, STOP) == word


@given(st.text(max_size=3_000), st.lists(st.text(max_size=10), max_size=4))
def test_no_text_breaks_it(text, words):
    assert matches(text, words) in {None, *words}


def test_a_long_letter_is_soon_done_with():
    assert matches("please " * 100_000, STOP) is None
