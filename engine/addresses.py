"""Addresses in one spelling, so that whoever said no is found again.

An address has two forms. The *address* is what a message is sent to: an email with its domain in
lower-case ASCII (IDNA) and its local part as written, a phone number as E.164. The *destination* is
what the Do Not Contact list and every lock go by: the same, with an email's local part folded too,
because nobody who unsubscribed as `ana@example.com` wants mail as `Ana@example.com`. Dots and `+tags`
stay: what they mean differs from one mail provider to the next.

Pure: no DNS, no files. Both libraries are large, so they are loaded at the first address that needs
them; the plain ones, nearly all, are decided here by rules the tests hold equal to the libraries'.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from tactful.elements.options.channel import CHANNELS

if TYPE_CHECKING:
    from tactful.elements.contract import Contact


LONGEST_ID = 200
"""Characters of a contact's own id, at most."""


class BadAddress(ValueError):
    """Not an address anything can be sent to. The message says in plain words what is wrong with it."""


def email_address(text: str) -> str:
    """An email address as it is sent to: `Ana@BÜRO.example` becomes `Ana@xn--bro-hoa.example`.

    Surrounding white space is dropped. Domains reserved for tests (`.test`) pass, so that rehearsals can
    use them; no other special-use name does. Raises BadAddress.
    """
    text = text.strip()
    if not text:
        raise BadAddress("the email address is empty")
    if len(text) > _EMAIL_LONGEST:
        raise BadAddress(f"the email address is longer than {_EMAIL_LONGEST} characters")
    local, at, domain = text.partition("@")
    if at and text.isascii() and _PLAIN_LOCAL.fullmatch(local):
        # The library judges a local part like this by the very same pattern, and apart from the domain.
        local = local.lower() if local.lower() in _role_names() else local
        plain = f"{local}@{_domain(domain)}"
        if len(plain) <= _EMAIL_LONGEST and "xn--" not in plain:
            return plain
    return _by_library(text)


def phone_number(text: str, region: str | None = None) -> str:
    """A phone number as E.164, such as `+385911234567`.

    `region` is the country (`HR`) of numbers written without one. Whether a number is in use cannot be
    known: its length must be right for its country, no more. Letters and extensions are refused rather
    than turned into some other number. Raises BadAddress.
    """
    text = text.strip().removeprefix("tel:").strip()
    if _stays_as_it_is(text):
        return text
    if not text:
        raise BadAddress("the phone number is empty")
    if _ROUNDED.fullmatch(text):
        raise BadAddress("a spreadsheet rounded this phone number; format the column as text and export it again")
    if len(text) > 40 or not _PHONE_TEXT.fullmatch(text):
        raise BadAddress("a phone number is digits, with + before the country code")
    written = _by_metadata(text, region)
    for _ in range(20):  # the library strips one trunk 0 at a time; no number has as many digits
        again = written if _stays_as_it_is(written) else _by_metadata(written, None)
        if again == written:
            break
        written = again
    return written


def destination(kind: str, address: str, region: str | None = None) -> str:
    """The one key of an address, by kind (`email`, `phone` or `push`); of any spelling, raw or normalised.

    Applied to a destination it gives the same destination. Raises BadAddress.
    """
    match kind:
        case "email":
            return _folded(email_address(address))
        case "phone":
            return phone_number(address, region)
        case "push":
            return _of_contact(address.strip())
        case _:
            raise ValueError(f"{kind!r} is not a kind of address")


def email_domain(text: str) -> str:
    """The destination that stands for every address of a domain: `acme.example`, or `@acme.example`, becomes
    `@acme.example`. Domains below it are others. Raises BadAddress."""
    domain = text.strip().removeprefix("@")
    if not domain or "@" in domain:
        raise BadAddress("this is not an email domain, such as @acme.example")
    return f"@{_domain(domain)}"


def is_email_domain(text: str) -> bool:
    """Whether a person means a whole domain by this: `@acme.example`, or a name with dots and letters and no @."""
    text = text.strip()
    return text.startswith("@") or ("@" not in text and "." in text and any(each.isalpha() for each in text))


def address_of(contact: Contact, channel: str) -> str | None:
    """Where a contact is written to on a channel; None where they have no such address.

    Push goes by the contact's own key: whoever delivers it knows the devices. Raises KeyError for a
    channel that does not exist.
    """
    match CHANNELS[channel].address:
        case "email":
            return contact.email
        case "phone":
            return contact.phone
        case _:
            return contact.key


def destination_of(contact: Contact, channel: str) -> str | None:
    """The key under which the Do Not Contact list would know a contact on a channel; None without address.

    Relies on the contact's addresses being normalised already, as `Contact` promises.
    """
    address = address_of(contact, channel)
    if address is not None and CHANNELS[channel].address == "email":
        return _folded(address)
    return address


def may_be_id(text: str) -> bool:
    """Whether a text may be a contact's own id."""
    return len(text) <= LONGEST_ID and text.isprintable()


def _of_contact(text: str) -> str:
    if not text:
        raise BadAddress("the address is empty")
    if not may_be_id(text):
        raise BadAddress(f"a contact's id is one line of at most {LONGEST_ID} characters")
    return text


# --- Email ---------------------------------------------------------------------------------------

_EMAIL_LONGEST = 254
_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
_PLAIN_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def _folded(address: str) -> str:
    local, _, domain = address.rpartition("@")
    if local.isascii():
        return f"{local.lower()}@{domain}"
    # The order of the Unicode standard's "canonical caseless matching" (section 3.13), composed at the end.
    decomposed = unicodedata.normalize("NFD", local).casefold()
    return f"{unicodedata.normalize('NFC', decomposed)}@{domain}"


@lru_cache(maxsize=16_384)
def _domain(domain: str) -> str:
    """A domain in ASCII; contact lists repeat few domains many times."""
    return _by_library(f"a@{domain}").removeprefix("a@")


def _by_library(text: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        reason = str(error).rstrip(".")
        raise BadAddress(reason[:1].lower() + reason[1:]) from None
    return f"{found.local_part}@{found.ascii_domain}"


@lru_cache(maxsize=1)
def _role_names() -> frozenset[str]:
    """`postmaster` and the like, whose case never counts (RFC 2142)."""
    from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

    return frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)


# --- Phone ---------------------------------------------------------------------------------------

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_TEXT = re.compile(r"[+＋]?[\d\s().\-/‐-―]+")  # noqa: RUF001 -- people do type these dashes and this plus
_ROUNDED = re.compile(r"\+?\d([.,]\d+)?E\+?\d+", re.IGNORECASE)
_MEXICO_MOBILE = re.compile(r"\+521(\d{10})")


def _by_metadata(text: str, region: str | None) -> str:
    import phonenumbers
    from phonenumbers import NumberParseException, ValidationResult

    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            if "+" in text or "＋" in text:  # noqa: RUF001
                raise BadAddress("no country has this country code") from None
            raise BadAddress("the country code is missing, as in +385911234567") from None
        raise BadAddress("this is too short or too long for a phone number") from None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Mexico dropped the 1 before mobile numbers in 2019; some carriers and apps still report senders with it.
    if mexican := _MEXICO_MOBILE.fullmatch(written):
        return f"+52{mexican[1]}"
    country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    where = "" if country in ("ZZ", "001") else f" for a number of {country} (+{number.country_code})"
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.IS_POSSIBLE:
            return written
        case ValidationResult.TOO_SHORT:
            raise BadAddress(f"this has too few digits{where}")
        case ValidationResult.TOO_LONG:
            raise BadAddress(f"this has too many digits{where}")
        case ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            raise BadAddress(f"the area code is missing{where}")
        case _:
            raise BadAddress(f"the number of digits is wrong{where}")


def _stays_as_it_is(e164: str) -> bool:
    """Whether this is E.164 and the library would return this very text; to ask it costs 20 times more."""
    if not _E164.fullmatch(e164):
        return False
    for digits in (1, 2, 3):
        plan = _numbering_plan(int(e164[1 : 1 + digits]))
        if plan is not None:
            trunk_prefix, lengths = plan
            national = e164[1 + digits :]
            return len(national) in lengths and not (trunk_prefix and trunk_prefix.match(national))
    return False


@lru_cache(maxsize=1_024)
def _numbering_plan(country_code: int) -> tuple[re.Pattern[str] | None, frozenset[int]] | None:
    """What might be stripped from the front of a country's numbers, and how long these may be."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = COUNTRY_CODE_TO_REGION_CODE.get(country_code)
    if regions is None:
        return None
    found = (
        PhoneMetadata.metadata_for_nongeo_region(country_code)
        if regions[0] == "001"
        else PhoneMetadata.metadata_for_region(regions[0])
    )
    if found is None or found.general_desc is None:
        return re.compile(""), frozenset()
    prefix = found.national_prefix_for_parsing
    return re.compile(prefix) if prefix else None, frozenset(found.general_desc.possible_length)
