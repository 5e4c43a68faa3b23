"""Contacts from a file, CSV or JSON lines: every row that is right, and of every other its line and why.

Streaming and pure: rows come as the file is read, and nothing is kept of them but their ids.

Rules of the format:
- `id`, `email`, `phone`, `time_zone` and `tags` are the contact's own; every other name is an attribute's,
  with `_` for blanks and `-`. A row without `id` goes by its email, else by its phone.
- An empty cell or `null` says nothing: what the contact has stays. Without a schema every CSV value is text.
- Lists and tags in CSV are parted by `;`, `|` or `,`.
- Of two rows with one id the first counts, and the second is reported. To let the last one win would hide a
  faulty export, in which every row may bear the same id.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from tactful.elements.options.mistake import Mistake
from tactful.elements.options.wall_time import read_date
from tactful.elements.options.written import kind_of
from tactful.engine.addresses import LONGEST_ID, BadAddress, destination, email_address, may_be_id, phone_number
from tactful.engine.instants import zone_named, zone_names
from tactful.engine.records import BadFile, Faulty, csv_records, json_records, named
from tactful.flows.model import AttributeType

Kind = Literal["csv", "jsonl"]
Schema = Mapping[str, AttributeType]

LONGEST_VALUE = 10_000
"""Characters a value may have."""

LONGEST_LIST = 1_000
"""Items a list or the tags may have."""


@dataclass(frozen=True, slots=True)
class ContactFields:
    """What is known of a contact from outside; addresses normalised. None, or an absent attribute, says
    nothing: what is stored stays. An attribute of None is removed; tags are added.

    `attributes` hold JSON values, dates as `2026-12-24`.
    """

    key: str
    email: str | None = None
    phone: str | None = None
    time_zone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is right. `line` is where it begins, from 1."""

    line: int
    contact: ContactFields


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, or a column of the header, that is left out: why, and what to do where there is something."""

    line: int
    reason: str
    hint: str | None = None


def read_contacts(
    source: BinaryIO, kind: Kind, schema: Schema | None = None, region: str | None = None
) -> Iterator[Row | BadRow]:
    """Read contacts from a file opened as bytes (UTF-8; a byte order mark is skipped), in the file's order.

    `schema` are the attributes the project declares: CSV text is read as their type, JSON must fit it. Others
    stay as they are. `region` is the country of phone numbers written without one. Raises BadFile, at the
    first row asked for, where the file as a whole is of no use; never for what stands in a row.
    """
    names = _Names(schema or {})
    contacts = _Contacts(schema or {}, region)
    for line, record in csv_records(source, names) if kind == "csv" else json_records(source, names):
        try:
            if isinstance(record, Faulty):
                raise record
            yield Row(line, contacts.contact(line, record))
        except Faulty as faulty:
            yield BadRow(line, faulty.reason, faulty.hint)


def contacts_of(
    records: Iterable[Mapping[str, Any]], schema: Schema | None = None, region: str | None = None
) -> Iterator[Row | BadRow]:
    """The same for records that are at hand, by the rules of JSON lines; `line` counts them from 0."""
    names = _Names(schema or {})
    contacts = _Contacts(schema or {}, region, "at")
    for number, written in enumerate(records):
        try:
            yield Row(number, contacts.contact(number, named(written, names)))
        except Faulty as faulty:
            yield BadRow(number, faulty.reason, faulty.hint)


# --- Names ---------------------------------------------------------------------------------------

_OWN = ("id", "email", "phone", "time_zone", "tags")
_ALSO = {"e_mail": "email", "timezone": "time_zone"}
_NAME = re.compile(r"[^\W\d]\w*")
_BETWEEN_WORDS = re.compile(r"[\s-]+")


class _Names:
    """What the columns of a file are called here: as the schema spells them, whatever their case."""

    def __init__(self, schema: Schema) -> None:
        self._spelt = _ALSO | {name.lower(): name for name in (*schema, *_OWN)}
        self._known: dict[str, str] = {}

    def __call__(self, written: str) -> str:
        """The name of a column. Raises Faulty for one that conditions and templates could not name."""
        if written in self._known:
            return self._known[written]
        name = _BETWEEN_WORDS.sub("_", written.strip())
        name = self._spelt.get(name.lower(), name)
        if not _NAME.fullmatch(name) or name.startswith("__") or len(name) > 100:
            raise Faulty(f"{_shown(written)} cannot be the name of an attribute", "use letters, digits and _")
        if len(self._known) < 1_000:
            self._known[written] = name
        return name


# --- A row ---------------------------------------------------------------------------------------


class _Contacts:
    """Turns records into contacts, and knows the ids it has seen."""

    def __init__(self, schema: Schema, region: str | None, place: str = "on line") -> None:
        self._schema = schema
        self._region = region
        self._place = place
        self._seen: dict[str, int] = {}
        self._guesses = 100

    def contact(self, line: int, record: Mapping[str, Any]) -> ContactFields:
        """The contact of a record. Raises Faulty."""
        key = email = phone = zone = None
        tags: frozenset[str] = frozenset()
        attributes = {}
        for name, value in record.items():
            if value is None or value == "":
                continue
            if isinstance(value, str):
                _check_text(name, value)
            match name:
                case "id":
                    key = _id(value)
                case "email":
                    email = _address(name, value, email_address)
                case "phone":
                    phone = _address(name, value, self._phone)
                case "time_zone":
                    zone = self._zone(value)
                case "tags":
                    tags = frozenset(_texts(name, value))
                case _:
                    attributes[name] = _attribute(name, value, self._schema.get(name))
        key = key or (destination("email", email) if email else phone)
        if not key:
            raise Faulty("there is neither an id nor an email nor a phone number")
        first = self._seen.setdefault(key, line)
        if first != line:
            raise Faulty(f"the contact {_shown(key)} stands {self._place} {first} already", "the first one counts")
        return ContactFields(key, email, phone, zone, attributes, tags)

    def _phone(self, text: str) -> str:
        return phone_number(text, self._region)

    def _zone(self, value: object) -> str:
        if not isinstance(value, str):
            raise Faulty(f"time_zone must be text, not {kind_of(value)}")
        value = value.strip()
        if value in zone_names():
            return value
        if not self._guesses:  # to find out what was meant takes milliseconds
            raise Faulty(f"{_shown(value)} is not a time zone")
        self._guesses -= 1
        try:
            return zone_named(value).key
        except Mistake as mistake:
            raise Faulty(mistake.message, mistake.hint) from None


def _id(value: object) -> str:
    value = str(value) if type(value) is int else value
    if not isinstance(value, str):
        raise Faulty(f"id must be text, not {kind_of(value)}")
    value = value.strip()
    if not may_be_id(value):
        raise Faulty(f"id must be one line of at most {LONGEST_ID} characters")
    return value


def _address(name: str, value: object, normalise: Callable[[str], str]) -> str:
    value = str(value) if type(value) is int else value  # 385911234567, in JSON
    if not isinstance(value, str):
        raise Faulty(f"{name} must be text, not {kind_of(value)}")
    try:
        return normalise(value)
    except BadAddress as bad:
        raise Faulty(f"{name} {_shown(value)}: {bad}") from None


# --- A value -------------------------------------------------------------------------------------

_WANTED: Mapping[AttributeType, tuple[str, str]] = {
    "text": ("text", "put it in quotes"),
    "number": ("a number", "write 1234.5, without blanks or commas"),
    "boolean": ("true or false", "yes, no, 1 and 0 are read too"),
    "date": ("a date", "write 2026-12-24"),
    "list": ("a list", "write [1, 2, 3]"),
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?")
_LARGEST_INTEGER = 2**63 - 1
_SEPARATORS = re.compile(r"[;|,]")
_HALF = re.compile("[\ud800-\udfff]")  # what neither UTF-8 nor a database can hold


def _attribute(name: str, value: object, wanted: AttributeType | None) -> Any:
    """A value as its type has it. Raises Faulty."""
    match wanted, value:
        case (None | "text", str()) | (None | "boolean", bool()):
            return value
        case None | "number", int() | float() if not isinstance(value, bool):
            return _number(name, value)
        case None | "list", list():
            return _list(name, value)
        case "number", str() if found := _NUMBER.fullmatch(value.strip()):
            return _number(name, int(found[0]) if found[1] is found[2] is None else float(found[0]))
        case "boolean", str() if (word := value.strip().lower()) in _BOOLEANS:
            return _BOOLEANS[word]
        case "date", str() if read_date(value.strip()) is not None:
            return value.strip()
        case "list", str():
            return _texts(name, value)
        case "text", int() if not isinstance(value, bool):
            return str(_number(name, value))  # a postcode, say
        case _, dict():
            raise Faulty(f"{name} is nested", "an attribute is one value, or a list of texts and numbers")
    assert wanted is not None
    shown = _shown(value) if isinstance(value, str) else kind_of(value)
    raise Faulty(f"{name} must be {_WANTED[wanted][0]}, not {shown}", _WANTED[wanted][1])


def _number(name: str, number: int | float) -> int | float:
    if not math.isfinite(number) or (isinstance(number, int) and abs(number) > _LARGEST_INTEGER):
        raise Faulty(f"{name} is too large a number")
    return number


def _list(name: str, values: list[Any]) -> list[Any]:
    if len(values) > LONGEST_LIST:
        raise Faulty(f"{name} is a list of more than {LONGEST_LIST:,}")
    for value in values:
        if isinstance(value, str):
            _check_text(name, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _number(name, value)
        else:
            raise Faulty(f"{name} is a list with {kind_of(value)} in it", "a list holds texts and numbers")
    return values


def _texts(name: str, value: object) -> list[str]:
    """Texts from a list of them, or from one text with separators; each once, none blank."""
    if isinstance(value, str):
        value = _SEPARATORS.split(value)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Faulty(f"{name} must be a list of texts")
    return list(dict.fromkeys(text.strip() for text in _list(name, value) if text.strip()))


def _check_text(name: str, text: str) -> None:
    if len(text) > LONGEST_VALUE:
        raise Faulty(f"{name} is longer than {LONGEST_VALUE:,} characters")
    if "\0" in text:
        raise Faulty(f"{name} holds a NUL byte, which text cannot")
    if not text.isascii() and _HALF.search(text):
        raise Faulty(f"{name} is not UTF-8", 'save the file as UTF-8; in Excel, "CSV UTF-8 (comma delimited)"')


def _shown(text: str) -> str:
    """A value as a message shows it: short, on one line."""
    shown = "".join(c if c.isprintable() else "·" for c in text[:60])
    return f"`{shown}…`" if len(text) > 60 else f"`{shown}`"


__all__ = ["BadFile", "BadRow", "ContactFields", "Kind", "Row", "Schema", "contacts_of", "read_contacts"]
