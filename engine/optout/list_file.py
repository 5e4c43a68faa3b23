"""The Do Not Contact list from a file, CSV or JSON lines: our own export, Infobip's, and other systems' lists of
people who said no. Streaming and pure.

Rules of the format:
- An address is an email, a phone number or a whole email domain. It stands in any column that is called so; a row with
  several is several entries. A file of one column needs no header.
- Without a channel, an entry is for all channels that reach the address; without a sender, for any; and unless the row
  says `marketing`, it covers everything. What we cannot read widens an entry, it never makes it less.
- A row that says somebody may be written to (`subscribed`, `active`, `removed`, …) is passed over: a file takes nobody
  off the list.
- What stands beside an address costs no row: a reason that is too long is cut, letters that are none are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from tactful.elements.contract import Covers
from tactful.elements.options.channel import CHANNELS
from tactful.engine.addresses import BadAddress, destination, email_domain, is_email_domain, phone_number
from tactful.engine.keyring import is_erased
from tactful.engine.optout.do_not_contact import Entry
from tactful.engine.records import Faulty, csv_records, json_records
from tactful.engine.rules.permission import ALL_CHANNELS, ANY_SENDER

Kind = Literal["csv", "jsonl"]

OWN = ("destination", "channel", "sender", "covers", "source", "reason", "since")
"""The columns of our own export."""

INFOBIP = ("Contact information", "Sender", "Source", "Channel", "Account", "Added")
"""The columns of Infobip's Do Not Contact list."""

LONGEST_TEXT = 1_000
"""Characters kept of a reason; of a source and a date, a fifth."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of the file. `source`, `added` and the like are the row's own words, empty where it has none."""

    line: int
    entry: Entry
    source: str = ""
    reason: str | None = None
    added: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, or a column of the header, that is left out: why, and what to do where there is something."""

    line: int
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A row that says somebody may be written to. `says` is how: `status subscribed`."""

    line: int
    says: str


def read_list(
    source: BinaryIO, kind: Kind, region: str | None = None, senders: Collection[str] = ()
) -> Iterator[Row | BadRow | PassedOver]:
    """Read a list from a file opened as bytes (UTF-8), in the file's order.

    `region` is the country of phone numbers written without one; `senders` are those the project names, so that
    `38595000111` is known for `+38595000111`. Raises BadFile, at the first row asked for, where the file as a whole
    is of no use; never for what stands in a row.
    """
    reader = _Reader(kind, region, senders)
    records = (
        csv_records(source, _name, _ADDRESSES, _bare) if kind == "csv" else json_records(source, _name)
    )  # fmt: skip
    for line, record in records:
        try:
            if isinstance(record, Faulty):
                raise record
            yield from reader.rows(line, record)
        except Faulty as faulty:
            yield BadRow(line, faulty.reason, faulty.hint)


# --- Columns -------------------------------------------------------------------------------------

_EMAIL = ("email", "email_address", "e_mail", "mail")
_PHONE = ("phone", "phone_number", "mobile", "mobile_number", "mobile_phone", "cell", "number", "telephone")
_ABROAD = ("msisdn", "wa_id")
_ANY = ("destination", "address", "contact_information", "contact", "to", "recipient", "value", "domain")
_ADDRESSES = ("email", "phone", "destination", *_EMAIL[1:], *_PHONE[1:], *_ABROAD, *_ANY[1:], "destinations")
_SENDER = ("sender", "from", "from_number", "from_address")
_SOURCE = ("source", "source_type", "origin")
_REASON = ("reason", "unsub_reason", "unsubscribe_reason", "comment", "note", "notes", "why")
_ADDED = (
    "since", "added", "created_date", "created_at", "created", "created_time", "unsubscribed_at", "unsub_time",
    "opted_out_at", "date", "timestamp", "time", "updated_at", "last_update_time",
)  # fmt: skip
_ACCOUNT = ("account", "account_key")
_STATUS = ("status", "state", "subscription_status", "act", "action", "what")
_SAY_NO = (
    "unsubscribed", "opted_out", "opt_out", "optout", "do_not_contact", "dnc", "blocked", "blocklisted",
    "blacklisted", "suppressed",
)  # fmt: skip
_SAY_YES = ("subscribed", "opted_in", "opt_in", "optin", "active", "enabled")

_MAY_BE_WRITTEN_TO = frozenset({
    "subscribed", "subscribe", "resubscribed", "active", "enabled", "confirmed", "allowed", "opted_in", "opt_in",
    "optin", "in", "start", "unblock", "unblocked", "removed", "remove", "deleted", "delete", "off",
})  # fmt: skip
_FALSE = frozenset({"", "false", "no", "n", "0", "f", "off", "null", "none"})

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN_WORDS = re.compile(r"[^a-z0-9]+")


def _name(written: str) -> str:
    """`Contact information`, `contactInformation` and `CONTACT_INFORMATION` are one name."""
    if not written.isupper():
        written = _HUMP.sub("_", written)
    return _BETWEEN_WORDS.sub("_", written.lower()).strip("_") or f"?{written}"


def _bare(first: list[str]) -> list[str] | None:
    """A file of one column may begin with an address at once."""
    cell = first[0].strip().strip("'")
    looks = "@" in cell or is_email_domain(cell) or re.fullmatch(r"\+?[\d\s().\-/]{6,}", cell)
    return ["destination"] if len(first) == 1 and looks else None


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which of a record's names say what. Those that say nothing we know are not in it.

    `own` is our own export; `abroad` a system that writes every number with its country code, and no plus.
    """

    addresses: tuple[tuple[str, str], ...]
    sender: str | None
    channel: str | None
    covers: str | None
    source: str | None
    reason: str | None
    added: str | None
    account: str | None
    verdicts: tuple[tuple[str, str], ...]
    own: bool
    abroad: bool

    @classmethod
    def of(cls, names: Sequence[str]) -> _Layout:
        """The layout of a record with these names."""
        kinds = {name: kind for kind, those in (("email", _EMAIL), ("phone", _PHONE), ("any", _ANY)) for name in those}
        kinds |= dict.fromkeys(_ABROAD, "abroad") | {"destinations": "many"}
        verdicts = {name: kind for kind, those in (("status", _STATUS), ("no", _SAY_NO), ("yes", _SAY_YES))
                    for name in those}  # fmt: skip

        def first(wanted: Sequence[str]) -> str | None:
            return next((name for name in wanted if name in names), None)

        return cls(
            addresses=tuple((name, kinds[name]) for name in names if name in kinds),
            sender=first(_SENDER),
            channel=first(("channel",)),
            covers=first(("covers",)),
            source=first(_SOURCE),
            reason=first(_REASON),
            added=first(_ADDED),
            account=first(_ACCOUNT),
            verdicts=tuple((name, verdicts[name]) for name in names if name in verdicts),
            own=set(OWN) <= set(names),
            abroad=first(("contact_information", "source_type", "account_key", "destinations")) is not None,
        )


# --- A row ---------------------------------------------------------------------------------------

_CHANNELS = {name: name for name in CHANNELS} | {
    "": ALL_CHANNELS, "all": ALL_CHANNELS, "any": ALL_CHANNELS, "*": ALL_CHANNELS, "e-mail": "email", "mail": "email",
    "text": "sms", "mms": "sms", "rcs": "sms",  # to one number, and a STOP there means them all
}  # fmt: skip
_SEVERAL = re.compile(r"[;|,]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")
_ERASED = re.compile(r"#[0-9a-f]{40}")
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")


class _Reader:
    """Turns the records of one file into entries."""

    def __init__(self, kind: Kind, region: str | None, senders: Collection[str]) -> None:
        self._csv = kind == "csv"
        self._region = region
        self._senders = {spelt.lower(): each for each in senders for spelt in (each.removeprefix("+"), each)}
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def rows(self, line: int, record: Mapping[str, Any]) -> Iterator[Row | BadRow | PassedOver]:
        """The entries of a record. Raises Faulty."""
        layout = self._layout(tuple(record))
        said = _says_yes(record, layout)
        if said is not None:
            yield PassedOver(line, said)
            return
        channels = self._channels(self._text(record, layout.channel))
        sender = self._sender(self._text(record, layout.sender))
        covers: Covers = (
            "marketing" if self._text(record, layout.covers).strip().lower() == "marketing" else "everything"
        )
        reason = _kept(self._text(record, layout.reason), LONGEST_TEXT) or None
        source = _kept(self._text(record, layout.source), LONGEST_TEXT // 5).strip()
        added = _kept(self._text(record, layout.added), LONGEST_TEXT // 5).strip()
        account = _kept(self._text(record, layout.account), LONGEST_TEXT // 5).strip()
        addresses = list(self._addresses(record, layout))
        if not addresses:
            raise Faulty("there is no address")
        for kind, address in addresses:
            for channel in channels:
                try:
                    to = self._destination(kind, address, channel, layout)
                except BadAddress as bad:
                    yield BadRow(line, f"{_shown(address)}: {bad}", self._hint(str(bad)))
                    continue
                yield Row(line, Entry(to, channel, sender, covers), source, reason, added, account)

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        found = self._layouts.get(names)
        if found is None:
            found = _Layout.of(names)
            if len(self._layouts) < 1_000:
                self._layouts[names] = found
        return found

    def _text(self, record: Mapping[str, Any], name: str | None) -> str:
        if name is None:
            return ""
        value = record[name]
        text = value if isinstance(value, str) else _written(value)
        return text[1:] if self._csv and text.startswith("'") and _QUOTED.match(text) else text

    def _addresses(self, record: Mapping[str, Any], layout: _Layout) -> Iterator[tuple[str, str]]:
        for name, kind in layout.addresses:
            if kind == "many" and isinstance(record[name], list):  # as Infobip's API takes them
                for each in record[name]:
                    yield "any", _written(each.get("to") if isinstance(each, dict) else each).strip()
            elif text := self._text(record, name).strip():
                yield kind, text

    def _channels(self, written: str) -> list[str]:
        found = _CHANNELS.get(written) or _CHANNELS.get(written.strip().lower())
        if found is not None:
            return [found]
        several = [each.strip() for each in _SEVERAL.split(written) if each.strip()]
        for each in several:
            if each.lower() not in _CHANNELS:
                raise Faulty(f"there is no channel {_shown(each)} here", f"there are {', '.join(CHANNELS)} and all")
        return list(dict.fromkeys(_CHANNELS[each.lower()] for each in several)) or [ALL_CHANNELS]

    def _sender(self, written: str) -> str:
        """A sender as the project has it. What means all senders of a domain widens to any sender."""
        if not written:
            return ANY_SENDER
        written = _kept(written.strip(), LONGEST_TEXT // 5)
        if not written or written.lower() in ("any", "all", "*", "any_sender"):
            return ANY_SENDER
        known = self._senders.get(written.lower().removeprefix("+"))
        if known is not None:
            return known
        return ANY_SENDER if is_email_domain(written) else written

    def _destination(self, kind: str, address: str, channel: str, layout: _Layout) -> str:
        if is_erased(address):
            if not _ERASED.fullmatch(address):
                raise BadAddress("this is not the name of an erased address")
            return address
        if channel == "push" or (layout.own and channel == ALL_CHANNELS and _is_key(address)):
            return destination("push", address)
        reaches = "any" if channel == ALL_CHANNELS else CHANNELS[channel].address
        if kind in ("email", "any") and (address.startswith("@") or ("@" not in address and is_email_domain(address))):
            to, is_one = email_domain(address), "email"
        elif kind == "email" or (kind == "any" and "@" in address):
            to, is_one = destination("email", address), "email"
        else:
            to, is_one = self._phone(address, abroad=kind == "abroad" or layout.abroad), "phone"
        if reaches not in ("any", is_one):
            raise BadAddress(
                f"{channel} does not reach {'an email address' if is_one == 'email' else 'a phone number'}"
            )
        return to

    def _phone(self, text: str, *, abroad: bool) -> str:
        """Some systems write the country code without its plus."""
        if abroad and _DIGITS.fullmatch(text):
            try:
                return phone_number(f"+{text}")
            except BadAddress:
                pass
        return phone_number(text, self._region)

    def _hint(self, bad: str) -> str | None:
        if "country code is missing" in bad and self._region is None:
            return "say `region:` in the project file, for numbers without a country code"
        return None


def _is_key(destination: str) -> bool:
    """Whether an entry for all channels is for a contact's own id: that is how push knows people."""
    return not destination.startswith("+") and "@" not in destination


def _says_yes(record: Mapping[str, Any], layout: _Layout) -> str | None:
    """How a row says that somebody may be written to; None where it does not, or any of it says no."""
    found = None
    for name, kind in layout.verdicts:
        word = _BETWEEN_WORDS.sub("_", _written(record[name]).strip().lower()).strip("_")
        if kind == "status":
            may = None if not word else word in _MAY_BE_WRITTEN_TO
        elif kind == "no":
            may = word in _FALSE
        else:
            may = None if not word else word not in _FALSE
        if may is False:
            return None
        if may:
            found = found or f"{name} {word or 'is empty'}"
    return found


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _kept(text: str, most: int) -> str:
    """Text that every database can hold, cut where it is too long."""
    text = text.replace("\0", "")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # half characters, of what was no UTF-8
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shown(text: str) -> str:
    """A value as a message shows it: short, on one line."""
    shown = "".join(c if c.isprintable() else "·" for c in text[:60])
    return f"`{shown}…`" if len(text) > 60 else f"`{shown}`"


__all__ = ["INFOBIP", "OWN", "BadRow", "Kind", "PassedOver", "Row", "read_list"]
