"""Lists from files: what says no is read, whoever wrote it; what does not is told by line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.engine.optout.do_not_contact import Entry
from tactful.engine.optout.list_file import BadRow, Kind, PassedOver, Row, read_list
from tactful.engine.records import BadFile

SENDERS = ("news@acme.example", "+38595000111", "ACME")
ANA, NUMBER = "ana@example.com", "+385911234567"


def read(text: str | bytes, kind: Kind = "csv", region: str | None = "HR") -> list[Row | BadRow | PassedOver]:
    raw = text.encode() if isinstance(text, str) else text
    return list(read_list(io.BytesIO(raw), kind, region, SENDERS))


def entries(text: str, kind: Kind = "csv", region: str | None = "HR") -> list[tuple[str, ...]]:
    """Destination, channel, sender and covers of every entry; there is nothing else in the file."""
    rows = read(text, kind, region)
    assert all(isinstance(row, Row) for row in rows), rows
    return [tuple(row.entry) for row in rows if isinstance(row, Row)]


def only(text: str, kind: Kind = "csv") -> Row:
    (row,) = read(text, kind)
    assert isinstance(row, Row), row
    return row


def everything(to: str, channel: str = "all", sender: str = "") -> tuple[str, ...]:
    return to, channel, sender, "everything"


# --- Columns -------------------------------------------------------------------------------------


def test_our_own_export() -> None:
    row = only(
        "destination,channel,sender,covers,source,reason,since\n"
        "ana@example.com,email,news@acme.example,marketing,keyword STOP,too many,2024-01-05T08:00:00Z\n"
    )
    assert row == Row(
        2, Entry(ANA, "email", "news@acme.example", "marketing"), "keyword STOP", "too many", "2024-01-05T08:00:00Z"
    )


def test_infobips_list() -> None:
    text = (
        "Contact information,Sender,Source,Channel,Account,Added\n"
        "385911234567,38595000111,MO,SMS,8F07,2022-08-18T12:36:42.123Z\n"
        "jane@example.com,,CUSTOM,EMAIL,,\n"
        "acme.example,,CUSTOM,,,\n"
        "385911234568,ACME,URL_OPT_OUT,MMS,,\n"
    )
    assert entries(text) == [
        everything(NUMBER, "sms", "+38595000111"), everything("jane@example.com", "email"),
        everything("@acme.example"), everything("+385911234568", "sms", "ACME"),
    ]  # fmt: skip
    first = read(text)[0]
    assert isinstance(first, Row)
    assert (first.source, first.added, first.account) == ("MO", "2022-08-18T12:36:42.123Z", "8F07")


def test_infobips_api_as_it_gives_and_as_it_takes() -> None:
    gives = {
        "sender": "38595000111", "destination": "385911234567", "sourceType": "MO", "channel": "SMS",
        "accountKey": "8F", "createdDate": "2022-08-18T12:36:42.123Z",
    }  # fmt: skip
    takes = {"destinations": [{"to": "385911234567"}, {"to": ANA}]}
    lines = "\n".join(json.dumps(each) for each in (gives, takes))
    assert entries(lines, "jsonl") == [everything(NUMBER, "sms", "+38595000111"), everything(NUMBER), everything(ANA)]


@pytest.mark.parametrize(
    "first", ["email", "Email Address", "EmailAddress", "E-mail", "address", "TO", "Recipient", "destination"]
)
def test_other_systems_names_of_an_address(first: str) -> None:
    assert entries(f"{first}\nAna@Example.com\n") == [everything(ANA)]


@pytest.mark.parametrize("first", ["phone", "Phone Number", "mobile", "number", "msisdn", "contact", "wa_id"])
def test_other_systems_names_of_a_number(first: str) -> None:
    assert entries(f"{first}\n{NUMBER}\n") == [everything(NUMBER)]


def test_a_number_of_ours_without_plus_and_country_goes_by_the_projects_region() -> None:
    assert entries("phone\n091 123 4567\n") == [everything(NUMBER)]
    (row,) = read("phone\n091 123 4567\n", region=None)
    assert isinstance(row, BadRow)
    assert "country code is missing" in row.reason
    assert "region" in (row.hint or "")


@pytest.mark.parametrize(
    ("text", "to"),
    [("ana@example.com\nben@example.com\n", ANA), ("+385911234567\n+385911234568\n", NUMBER),
     ("@acme.example\n@x.example\n", "@acme.example"), ("\n091 123 4567\n+385911234568\n", NUMBER)],
)  # fmt: skip
def test_one_column_needs_no_header_and_its_first_line_is_no_name(text: str, to: str) -> None:
    found = entries(text)
    assert found[0] == everything(to)
    assert len(found) == 2


def test_lines_are_counted_from_one_in_a_file_without_header() -> None:
    assert [row.line for row in read("ana@example.com\nno address\nben@example.com\n")] == [1, 2, 3]


def test_a_row_with_an_email_and_a_number_is_two_entries() -> None:
    assert entries(f"email,phone\n{ANA},{NUMBER}\n") == [everything(ANA), everything(NUMBER)]


def test_several_channels_are_several_entries() -> None:
    assert entries(f"phone,channel\n{NUMBER},SMS; WhatsApp\n") == [
        everything(NUMBER, "sms"), everything(NUMBER, "whatsapp"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "first_name,age\nAna,3\n", "emial\nana@example.com\n"])
def test_a_file_without_addresses_is_refused(text: str) -> None:
    with pytest.raises(BadFile):
        read(text)


def test_a_column_that_was_probably_meant_is_named() -> None:
    with pytest.raises(BadFile) as refused:
        read("emial,x\nana@example.com,1\n")
    assert refused.value.hint == "in place of `emial`, did you mean `email`?"


# --- It can only add -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "word"),
    [("status", "subscribed"), ("status", "Active"), ("Status", "opted-in"), ("state", "removed"), ("act", "unblock"),
     ("subscribed", "true"), ("active", "1"), ("unsubscribed", "no"), ("opted_out", ""), ("do_not_contact", "FALSE")],
)  # fmt: skip
def test_a_row_that_says_yes_is_passed_over_and_told(column: str, word: str) -> None:
    (row,) = read(f"email,{column}\n{ANA},{word}\n")
    assert isinstance(row, PassedOver)
    assert row.says.startswith(column.lower())


@pytest.mark.parametrize(
    ("column", "word"),
    [("status", "unsubscribed"), ("status", "bounced"), ("status", "5.1.1"), ("status", ""), ("subscribed", "false"),
     ("subscribed", ""), ("unsubscribed", "yes"), ("opted_out", "1"), ("status", "cleaned"), ("act", "block")],
)  # fmt: skip
def test_all_other_rows_say_no(column: str, word: str) -> None:
    assert entries(f"email,{column}\n{ANA},{word}\n") == [everything(ANA)]


def test_one_no_in_a_row_is_a_no() -> None:
    assert entries(f"email,status,opted_out\n{ANA},active,yes\n") == [everything(ANA)]


@pytest.mark.parametrize("covers", ["", "everything", "all", "transactional", "?"])
def test_what_covers_not_just_marketing_covers_everything(covers: str) -> None:
    assert entries(f"email,covers\n{ANA},{covers}\n") == [everything(ANA)]


def test_a_sender_that_is_a_whole_domain_widens_to_any() -> None:
    assert entries(f"email,sender\n{ANA},acme.example\n") == [everything(ANA)]


def test_a_sender_nobody_knows_stays_as_it_is_written() -> None:
    assert entries(f"email,sender\n{ANA},old@acme.example\n") == [everything(ANA, sender="old@acme.example")]


# --- What is broken ------------------------------------------------------------------------------


def test_every_bad_row_is_told_and_the_rest_goes_on() -> None:
    rows = read(
        f'email,channel\nno,email\n{ANA},fax\n{ANA},sms\n,\n,email\n"{ANA}\nben@example.com,email\n{ANA},email\n'
    )
    told = [(row.line, row.reason) for row in rows if isinstance(row, BadRow)]
    assert [line for line, _ in told] == [2, 3, 4, 6, 7]
    assert told[1][1] == "there is no channel `fax` here"
    assert told[2][1] == f"`{ANA}`: sms does not reach an email address"
    assert told[3][1] == "there is no address"
    assert [row.entry.destination for row in rows if isinstance(row, Row)] == ["ben@example.com", ANA]


def test_what_stands_beside_an_address_costs_no_row() -> None:
    (row,) = read(b"email,reason,source\nana@example.com," + b"x" * 5_000 + b",\xff\xfe\n")
    assert isinstance(row, Row)
    assert row.reason is not None
    assert len(row.reason) == 1_000
    row.source.encode()


def test_only_the_name_of_an_erased_address_begins_with_a_hash() -> None:
    assert entries("destination\n#" + "0a" * 20 + "\n") == [everything("#" + "0a" * 20)]
    (row,) = read("destination\n#ana\n")
    assert isinstance(row, BadRow)


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl"]))
def test_nothing_that_may_stand_in_a_file_raises(raw: bytes, kind: Kind) -> None:
    try:
        for row in read(raw, kind):
            if isinstance(row, Row):
                json.dumps([*row.entry, row.source, row.reason, row.added]).encode()
                "".join([*row.entry, row.source, row.reason or "", row.added, row.account]).encode()
    except BadFile:
        pass


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)
_NAMES = st.sampled_from(
    ["email", "destinations", "to", "channel", "sender", "covers", "status", "opted_out", "source", "since", "reason"]
)


@given(st.dictionaries(_NAMES, _JSON))
def test_no_value_of_any_kind_raises(record: dict[str, object]) -> None:
    for row in read(json.dumps(record), "jsonl"):
        if isinstance(row, Row):
            "".join([*row.entry, row.source, row.reason or "", row.added, row.account]).encode()
