"""Contacts from files: what is right comes in, what is not is told by line."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.engine.contacts_file import BadFile, BadRow, ContactFields, Row, read_contacts
from tactful.engine.records import LONGEST_ROW

SCHEMA = {"first_name": "text", "orders": "number", "vip": "boolean", "birthday": "date", "likes": "list"}


def read(text, kind="csv", schema=None, region="HR"):
    raw = text.encode() if isinstance(text, str) else text
    return list(read_contacts(io.BytesIO(raw), kind, schema, region))


def good(rows):
    return [row.contact for row in rows if isinstance(row, Row)]


def bad(rows):
    return [(row.line, row.reason) for row in rows if isinstance(row, BadRow)]


def only(text, **options):
    (row,) = read(text, **options)
    assert isinstance(row, Row), row
    return row.contact


def why(text, **options):
    """The reason of the one bad row."""
    ((_, reason),) = bad(read(text, **options))
    return reason


# --- CSV -----------------------------------------------------------------------------------------


def test_a_whole_row():
    text = (
        "id,email,phone,time_zone,tags,first_name,orders,vip,birthday,likes\n"
        "crm-7,Ana@Example.com,091 123 4567,Europe/Zagreb,vip; newsletter,Ana,3,yes,1990-02-28,tea|books\n"
    )
    assert only(text, schema=SCHEMA) == ContactFields(
        "crm-7", "Ana@example.com", "+385911234567", "Europe/Zagreb",
        {"first_name": "Ana", "orders": 3, "vip": True, "birthday": "1990-02-28", "likes": ["tea", "books"]},
        frozenset({"vip", "newsletter"}),
    )  # fmt: skip


def test_without_an_id_the_email_is_the_key_and_else_the_phone():
    rows = read("email,phone\nAna@Example.com,0911234567\n,0911234568\n")
    assert [contact.key for contact in good(rows)] == ["ana@example.com", "+385911234568"]
    assert why("email,first_name\n,Ana\n") == "there is neither an id nor an email nor a phone number"


def test_an_empty_cell_says_nothing():
    assert only("id,email,first_name,orders\nx,,,\n", schema=SCHEMA) == ContactFields("x")


def test_what_excel_makes_of_it():
    with_mark = "\ufeffid;email;first_name\r\n1;ana@example.com;Žana\r\n"
    assert only(with_mark) == ContactFields("1", "ana@example.com", attributes={"first_name": "Žana"})
    assert only("sep=;\nid;email\n1;ana@example.com\n").email == "ana@example.com"
    assert only("id\temail\n1\tana@example.com\n").email == "ana@example.com"
    assert len(read("id,email\n1,ana@example.com\n,\n\n,,,\n")) == 1  # rows without any value
    assert "spreadsheet rounded" in why("id,phone\n1,3.85911E+11\n")


def test_a_formula_is_text():
    found = only('id,note,first_name\n1,"=HYPERLINK(""http://x"")",+1\n').attributes
    assert found == {"note": '=HYPERLINK("http://x")', "first_name": "+1"}


def test_text_in_quotes_may_have_lines():
    rows = read('id,note\n1,"two\nlines, and a ""quote"""\n2,x\n')
    assert [(row.line, row.contact.attributes["note"]) for row in rows] == [
        (2, 'two\nlines, and a "quote"'),
        (4, "x"),
    ]


def test_names_of_columns():
    found = only("ID,E-Mail,Time Zone,First Name,größe\n1,a@example.com,UTC,Ana,3\n", schema={"First_name": "text"})
    assert found == ContactFields("1", "a@example.com", None, "UTC", {"First_name": "Ana", "größe": "3"})


def test_a_column_without_a_usable_name_is_told_and_left_out():
    rows = read("id,,2nd name,__class__\n1,a,b,c\n")
    assert bad(rows) == [
        (1, "column 2 has no name and is left out"),
        (1, "`2nd name` cannot be the name of an attribute"),
        (1, "`__class__` cannot be the name of an attribute"),
    ]
    assert good(rows) == [ContactFields("1")]


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        (b"", "the file is empty", "the first line names the columns"),
        (b"\n\n", "the file is empty", None),
        (b"e.mail,name\n", "no column `id`, `email` or `phone`", "in place of `e.mail`, did you mean `email`?"),
        (b"id,email,Email\n", "two columns are called `email`", None),
        ("id,email\n".encode("utf-16"), "UTF-16", "CSV UTF-8"),
        ("id,email\n".encode("utf-16-le"), "UTF-16", "CSV UTF-8"),
        ("id,größe\n".encode("latin-1"), "is not UTF-8", "CSV UTF-8"),
        (b"PK\x03\x04rest", "a spreadsheet or an archive", "export it as CSV"),
        (b"id,email\r1,a@example.com\r", "end in CR alone", None),
        (b'"id,email\n', "quotes in the header", None),
        (b"x" * (LONGEST_ROW + 5), "header is longer", None),
        (b"id," + b",".join(b"c%d" % n for n in range(1001)) + b"\n", "more than 1,000 columns", None),
    ],
    ids=lambda value: value[:20] if isinstance(value, str | bytes) else "",
)
def test_a_file_of_no_use(text, why, hint):
    with pytest.raises(BadFile, match=why) as caught:
        read(text)
    if hint:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1,ana,,,", "email `ana`: an email address must have an @-sign"),
        ("1,,12,,", "phone `12`: this has too few digits for a number of HR (+385)"),
        ("1,,,Europe/Zagrep,", "`Europe/Zagrep` is not a time zone"),
        ("1,,,,many", "orders must be a number, not `many`"),
        ('1,,,,"1,5"', "orders must be a number, not `1,5`"),
        ("1,,,,1e999", "orders is too large a number"),
        ("1,,,," + "9" * 30, f"orders must be a number, not `{'9' * 30}`"),
        ("1,,,", "the row has 4 cells, the header 5"),
        ("1,,,,,x", "the row has 6 cells, the header 5"),
        ("1,,,,\0", "orders holds a NUL byte, which text cannot"),
        ("1,,,," + "x" * 10_001, "orders is longer than 10,000 characters"),
        ("1," + "x" * 200_000 + ",,,", "a value is far too long, or a quote is never closed"),
        ('1,"a"b,,,', "the quotes do not match"),
        ("x" * 201 + ",,,,", "id must be one line of at most 200 characters"),
    ],
)
def test_a_bad_row_is_told_and_the_others_come_in(row, why):
    rows = read(f"id,email,phone,time_zone,orders\n{row}\n2,bo@example.com,,,7\n", schema=SCHEMA)
    assert bad(rows) == [(2, why)]
    assert good(rows) == [ContactFields("2", "bo@example.com", attributes={"orders": 7})]


def test_hints_help():
    (row,) = read("id,time_zone\n1,Europe/Zagrep\n")
    assert row.hint == "did you mean `Europe/Zagreb`?"


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("orders", "12", 12),
        ("orders", " -3 ", -3),
        ("orders", "1.50", 1.5),
        ("orders", "1e3", 1000.0),
        ("vip", "TRUE", True),
        ("vip", "0", False),
        ("birthday", "2026-12-24", "2026-12-24"),
        ("birthday", "2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
        ("likes", "a; b|c,,a", ["a", "b", "c"]),
        ("first_name", "01234", "01234"),
        ("undeclared", "01234", "01234"),
    ],
)
def test_csv_text_as_its_type(column, text, value):
    assert only(f'id,{column}\n1,"{text}"\n', schema=SCHEMA).attributes == {column: value}


@pytest.mark.parametrize(
    ("column", "text"), [("vip", "maybe"), ("birthday", "24.12.2026"), ("birthday", "2026-02-30"), ("orders", "½")]
)
def test_csv_text_of_another_type(column, text):
    (row,) = read(f"id,{column}\n1,{text}\n", schema=SCHEMA)
    assert row.reason.startswith(f"{column} must be ")
    assert row.hint


def test_bytes_that_are_no_utf8_cost_their_row():
    rows = read(b"id,first_name\n1,Ana\n2,\xc5na\n3,Bo\n")
    assert [contact.key for contact in good(rows)] == ["1", "3"]
    assert bad(rows) == [(3, "first_name is not UTF-8")]


def test_of_two_rows_with_one_id_the_first_counts():
    rows = read("email,orders\nana@example.com,1\nbo@example.com,2\nANA@example.com,3\n")
    assert bad(rows) == [(4, "the contact `ana@example.com` stands on line 2 already")]
    assert [contact.attributes for contact in good(rows)] == [{"orders": "1"}, {"orders": "2"}]


def test_a_quote_never_closed_costs_its_own_row_only():
    lines = [f"{n},x" for n in range(3_000)]
    lines[5] = '5,"never closed'
    rows = read("id,note\n" + "\n".join(lines) + "\n")
    assert bad(rows) == [(7, "the quotes do not match")]
    assert [contact.key for contact in good(rows)] == [str(n) for n in range(3_000) if n != 5]
    assert [row.line for row in rows] == list(range(2, 3_002))


def test_a_quote_never_closed_at_the_end():
    rows = read('id,note\n1,"open\n2,x\n3,y')
    assert bad(rows) == [(2, "the quotes do not match")]
    assert [contact.key for contact in good(rows)] == ["2", "3"]


def test_a_row_without_end_is_skipped_without_being_held():
    raw = b"id,note\n1," + b"x" * 20_000_000 + b'\n2,y\n3,"z\n' + b"x" * 3_000_000 + b"\n4,y\n"
    source = io.BytesIO(raw)
    tracemalloc.start()
    try:
        rows = list(read_contacts(source, "csv"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]
    assert [contact.key for contact in good(rows)] == ["2", "4"]
    assert peak < 8 * LONGEST_ROW


def test_rows_come_as_the_file_is_read():
    source = io.BytesIO(b"id\n" + b"".join(b"%d\n" % n for n in range(100_000)))
    rows = read_contacts(source, "csv")
    next(rows)
    assert source.tell() < 100


# --- JSON lines ----------------------------------------------------------------------------------


def test_a_json_row():
    row = {
        "id": 7, "email": "ana@example.com", "phone": 385911234567, "tags": ["vip"], "first_name": "Ana", "orders": 3,
        "vip": False, "likes": ["tea", 4], "birthday": None, "note": "", "other": 1.5, "flags": ["a"], "ok": True,
    }  # fmt: skip
    assert only(json.dumps(row) + "\n\n", kind="jsonl", schema=SCHEMA) == ContactFields(
        "7", "ana@example.com", "+385911234567", None,
        {"first_name": "Ana", "orders": 3, "vip": False, "likes": ["tea", 4], "other": 1.5, "flags": ["a"], "ok": True},
        frozenset({"vip"}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "this is not JSON: expecting property name enclosed in double quotes at character 3"),
        ("[]", "a row must be a JSON object"),
        ('{"id": "1", "id": "2"}', "a name stands in it twice"),
        ('{"id": "1", "First name": 1, "First_name": 2}', "two of its names mean the same"),
        ('{"id": "1", "a b!": 1}', "`a b!` cannot be the name of an attribute"),
        ('{"id": "1", "orders": NaN}', "NaN is not a number"),
        ('{"id": "1", "orders": 1e999}', "orders is too large a number"),
        ('{"id": "1", "orders": 99999999999999999999}', "orders is too large a number"),
        ('{"id": "1", "orders": ' + "9" * 5000 + "}", "a number in it is too long"),
        ('{"id": "1", "orders": true}', "orders must be a number, not true or false"),
        ('{"id": "1", "vip": 1}', "vip must be true or false, not a number"),
        ('{"id": "1", "first_name": 1.5}', "first_name must be text, not a number"),
        ('{"id": "1", "birthday": 20261224}', "birthday must be a date, not a number"),
        ('{"id": "1", "likes": {"a": 1}}', "likes is nested"),
        ('{"id": "1", "cart": {"a": 1}}', "cart is nested"),
        ('{"id": "1", "cart": [[1]]}', "cart is a list with a list in it"),
        ('{"id": "1", "cart": [null]}', "cart is a list with nothing in it"),
        ('{"id": "1", "tags": [1]}', "tags must be a list of texts"),
        ('{"id": "1", "tags": {"a": 1}}', "tags must be a list of texts"),
        ('{"id": true}', "id must be text, not true or false"),
        ('{"id": "1", "email": 1.5}', "email must be text, not a number"),
        ('{"id": "1", "time_zone": 1}', "time_zone must be text, not a number"),
        ('{"id": "1", "note": "\\u0000"}', "note holds a NUL byte, which text cannot"),
        ('{"id": "1", "note": "\\ud800"}', "note is not UTF-8"),
        ('{"id": "1", "note": ' + "[" * 100_000, "this JSON is nested too deeply"),
        ('{"id": "1", "note": "' + "x" * LONGEST_ROW + '"}', "the row is longer than 1,048,576 bytes"),
        ('{"orders": 1}', "there is neither an id nor an email nor a phone number"),
    ],
)
def test_a_bad_json_row_is_told_and_the_others_come_in(row, why):
    rows = read(row + '\n{"id": "2"}\n', kind="jsonl", schema=SCHEMA)
    assert bad(rows) == [(1, why)]
    assert good(rows) == [ContactFields("2")]


def test_a_postcode_written_as_a_number_is_text_where_text_is_declared():
    assert only('{"id": "1", "first_name": 10000}', kind="jsonl", schema=SCHEMA).attributes == {"first_name": "10000"}


# --- Whatever stands in a file -------------------------------------------------------------------


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl"]))
def test_any_bytes(raw, kind):
    try:
        rows = read(b"id,email,orders\n" + raw if kind == "csv" else raw, kind=kind, schema=SCHEMA)
    except BadFile:
        return
    assert [row.line for row in rows] == sorted(row.line for row in rows)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(CELLS, max_size=20))
def test_what_a_csv_writer_writes_is_read(notes):
    import csv

    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(["id", "note"])
    writer.writerows((f"k{n}", note) for n, note in enumerate(notes))
    rows = read(written.getvalue())
    assert [contact.key for contact in good(rows)] == [f"k{n}" for n in range(len(notes))]
    assert [contact.attributes.get("note", "") for contact in good(rows)] == notes


@given(st.lists(st.sampled_from(["1,x", '2,"', '"3",y', '4,""z', "", '"', "5,\r6", '7,"a\nb"']), max_size=12))
def test_no_line_is_lost_or_told_twice(lines):
    rows = read("id,note\n" + "\n".join(lines))
    assert len({row.line for row in rows}) == len(rows)
    ids = [contact.key for contact in good(rows)]
    assert len(ids) == len(set(ids))
