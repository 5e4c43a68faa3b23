"""YAML as tactful reads it: scalars, positions, and files that are not what they should be."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.flows.model import Place
from tactful.flows.source import DEEPEST, read
from tactful.flows.text import LARGEST


def sound(text):
    document, problems = read("a.yaml", text)
    assert problems == []
    assert document is not None
    return document


def data(text):
    return sound(text).data


def only_problem(raw):
    _, problems = read("a.yaml", raw)
    (problem,) = problems
    return problem.place.line, problem.place.column, problem.code


# --- Scalars -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "no", "on", "off", "yes", "y", "12:30", "1:30:00", "+49", "+385911234567", "01234", "007", "1.10",
        "1.0e3", "1e3", "0x1F", "0o17", "1_000", ".5", "5.", "-0", "2026-12-24", "2026-12-24 18:00", ".inf",
        ".nan", "=", "1.2.3", "12345678901234567890", "0.1000", "null value", "true story",
    ],
)  # fmt: skip
def test_text_stays_what_it_looks_like(text):
    assert data(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-3", -3), ("0", 0), ("3.5", 3.5), ("20.0", 20.0), ("-0.25", -0.25), ("true", True),
        ("False", False), ("null", None), ("~", None), ("", None), ("'5'", "5"),
        ('"true"', "true"), ("'~'", "~"), ('"\\u0041"', "A"),
    ],
)  # fmt: skip
def test_numbers_and_words_are_what_they_look_like(text, value):
    read_value = data(f"a: {text}")["a"]
    assert read_value == value
    assert type(read_value) is type(value)


@given(st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_a_number_is_one_only_where_its_spelling_is_kept(number):
    value = data(f"a: {number!r}")["a"]
    assert value == number if isinstance(value, int | float) else value == repr(number)
    assert str(value) == repr(number)


def test_keys_are_always_text():
    assert data("1: a\ntrue: b\n~: c\n1.10: d\n'': e") == {"1": "a", "true": "b", "~": "c", "1.10": "d", "": "e"}


def test_aliases_are_supported():
    assert data("a: &x {b: [1]}\nc: *x\nd: &k v\ne: *k") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "v", "e": "v"}


def test_an_empty_file_is_nothing():
    for text in ("", "# only a comment\n", "---\n", "\ufeff", "\n\n"):
        assert data(text) is None


def test_line_ends_and_byte_order_marks_make_no_difference():
    document = sound(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\n")
    assert document.data == {"a": 1, "b": 2, "c": 3}
    assert document.place_of(["c"]) == Place("a.yaml", 3, 4)


# --- Positions -----------------------------------------------------------------------------------

PLACES = """\
# a comment
plain: some text
list:
  - one
  - {two: 2, three: [a, b]}
block:
  inner: 'x'
empty:
日本: "🎉" # wide
text: |
  first {{ a }}
    second
"""


@pytest.mark.parametrize(
    ("path", "line", "column", "key_line", "key_column"),
    [
        ([], 2, 1, 2, 1),
        (["plain"], 2, 8, 2, 1),
        (["list"], 3, 1, 3, 1),
        (["list", 0], 4, 5, 4, 5),
        (["list", 1, "three", 1], 5, 25, 5, 25),
        (["list", 1, "two"], 5, 11, 5, 6),
        (["block"], 6, 1, 6, 1),
        (["block", "inner"], 7, 10, 7, 3),
        (["empty"], 8, 1, 8, 1),
        (["日本"], 9, 5, 9, 1),
        (["block", "nothing", "here"], 6, 1, 6, 1),
        (["list", 7], 3, 1, 3, 1),
    ],
)
def test_every_path_has_a_place(path, line, column, key_line, key_column):
    document = sound(PLACES)
    assert document.place_of(path) == Place("a.yaml", line, column)
    assert document.key_place_of(path) == Place("a.yaml", key_line, key_column)


@pytest.mark.parametrize(
    ("text", "at", "line", "column"),
    [
        ("a: some text", 5, 1, 9),
        ("a: 'some text'", 5, 1, 10),
        ('a: "some text"', 5, 1, 10),
        ('a: "so\\tme"', 3, 1, 4),  # an escape stands before: the beginning
        ("a: 'it''s'", 3, 1, 4),
        ("a: |\n  ab\n   cd\n\n  ef\n", 9, 5, 4),
        ("a: |\n  ab\n   cd\n\n  ef\n", 4, 3, 4),
        ("a: >\n  ab\n  cd\n", 4, 1, 4),
    ],
)
def test_a_problem_may_point_into_a_text(text, at, line, column):
    problem = sound(text).problem(["a"], "code", "message", at=at)
    assert (problem.place.line, problem.place.column) == (line, column)


# --- Files that are not what they should be ------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "line", "column", "code"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "duplicate-key"),
        ("a: {b: 1, b: 2}", 1, 11, "duplicate-key"),
        ("a:\n\tb: 1", 2, 1, "tab"),
        ("a:\n  b: 1\n \tc: 1", 3, 2, "tab"),
        ("a: 1".encode("utf-16"), 1, 1, "encoding"),
        ("a: 1".encode("utf-32"), 1, 1, "encoding"),
        ("flow: f".encode("utf-16-le"), 1, 1, "encoding"),
        ("a: x\nb: Grüße".encode("latin-1"), 2, 6, "encoding"),
        (b"a: 1\nb: \xff", 2, 4, "encoding"),
        (b"a: 1\n\x00", 2, 1, "control-character"),
        ("a: \x1b[31m", 1, 4, "control-character"),
        ("a: \ud800", 1, 4, "control-character"),
        ('a: "b\\0"', 1, 4, "control-character"),
        ('"a\\x00": 1', 1, 1, "control-character"),
        ("a: 1\n---\nb: 1", 2, 1, "several-documents"),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "tag"),
        ("a: !important", 1, 4, "tag"),
        ("!x a: 1", 1, 1, "tag"),
        ("a: {<<: {b: 1}}", 1, 5, "merge-key"),
        ("a: {{ b }}", 1, 5, "bad-key"),
        ("? [a]\n: b", 1, 3, "bad-key"),
        (": b", 1, 1, "bad-key"),
        ("a: *b", 1, 4, "unknown-alias"),
        ("a: &b [*b]", 1, 8, "endless-alias"),
        ("%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "directive"),
        ('a: "b\nc: d', 1, 4, "open-quote"),
        ("a: b: c", 1, 5, "syntax"),
        ("a: [1, 2\n", 1, 4, "syntax"),
        ("a: {b: 1\nc: 1", 2, 2, "syntax"),
        ("a: @b", 1, 4, "syntax"),
        ("a:\n  b: 1\n c: 2", 3, 2, "syntax"),
        ("a\nb: 1", 2, 2, "syntax"),
        ("a: '{{ x }}' b", 1, 14, "syntax"),
    ],
)
def test_what_is_no_proper_yaml_is_refused_at_its_place(raw, line, column, code):
    assert only_problem(raw) == (line, column, code)


def test_all_that_yaml_can_go_on_from_is_told_at_once():
    _, problems = read("a.yaml", "a: 1\na: !x 2\nb: *c\nd: {<<: 1}\n")
    assert [problem.code for problem in problems] == ["tag", "duplicate-key", "unknown-alias", "merge-key"]


def brackets(depth):
    return "[" * depth + "]" * depth


def test_nesting_is_bounded():
    assert read("a.yaml", brackets(DEEPEST))[1] == []
    assert only_problem(brackets(DEEPEST + 1)) == (1, DEEPEST + 1, "too-deep")


def bomb():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines)


GARBAGE = {
    "10 MB": ("a" * 10_000_000, "too-large"),
    "10 MB of brackets": ("[" * 10_000_000, "too-large"),
    "brackets": ("[" * 200_000, "too-deep"),
    "braces": ("{a: " * 200_000, "too-deep"),
    "brackets by lines": ("[\n" * 200_000, "too-deep"),
    "dashes": ("- " * 400_000, "too-deep"),
    "question marks": ("? " * 400_000, "too-deep"),
    "indentation": ("\n".join(" " * depth + "a:" for depth in range(1_000)), "too-deep"),
    "alias bomb": (bomb(), "too-many-values"),
    "many values": ("[" + "a," * 500_000 + "]", "too-many-values"),
    "nested values": ("[" + ("[" * 30 + "]" * 30 + ",") * 10_000 + "]", "too-many-values"),
    "one key over and over": ("a: 1\n" * 70_000, "duplicate-key"),
    "tag directives": ("".join(f"%TAG !a{n}! tag:x\n" for n in range(40_000)) + "---\na: 1", "directive"),
    "documents": ("---\n" * 200_000, "several-documents"),
    "an open quote": ('a: "' + "b\n" * 400_000, "open-quote"),
    "colons": ("a:" * 400_000 + " b: c", "syntax"),
    "tags": ("!a " * 300_000, "syntax"),
    "tabs": ("a:\n" + "\t" * 500_000 + "b", "tab"),
    "blank lines": ("\n" * 1_000_000 + "a: [", "syntax"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_in_no_time(name):
    text, code = GARBAGE[name]
    begin = time.process_time()
    _, problems = read("a.yaml", text)
    rendered = [problem.render() for problem in problems[:500]]
    assert time.process_time() - begin < 1
    assert code in {problem.code for problem in problems}
    assert all(len(text) < 1_000 for text in rendered)


def test_the_largest_file_is_read():
    text = "a: |\n" + "  0123456789\n" * ((LARGEST - 5) // 13)
    assert read("a.yaml", text)[1] == []


@given(st.binary())
def test_no_bytes_raise(raw):
    document, problems = read("a.yaml", raw)
    assert (document is None) <= bool(problems)


@given(st.text("ab:{}[]-?!&*|>'\"%@`#,\n \t1~<=\\"))
def test_no_text_raises(text):
    document, problems = read("a.yaml", text)
    assert document is not None or problems
    if document is not None:
        assert isinstance(document.data, dict | list | str | int | float | None)
    for problem in problems:
        assert problem.render()
