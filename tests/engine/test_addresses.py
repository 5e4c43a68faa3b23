"""Addresses: one spelling for each, and the quick ways equal to the libraries' slow ones."""

import subprocess
import sys

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from tactful.elements.contract import Contact
from tactful.engine.addresses import (
    BadAddress,
    address_of,
    destination,
    destination_of,
    email_address,
    phone_number,
)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  ana@example.com\n", "ana@example.com"),
        ("Ana.K+news@Example.COM", "Ana.K+news@example.com"),
        ("ana@BÜRO.example", "ana@xn--bro-hoa.example"),
        ("ana@xn--bro-hoa.example", "ana@xn--bro-hoa.example"),
        ("Žana@example.com", "Žana@example.com"),
        ("Z\u030cana@example.com", "Žana@example.com"),  # composed
        ("POSTMASTER@example.com", "postmaster@example.com"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("ana@shop.test", "ana@shop.test"),
    ],
)
def test_an_email_in_one_spelling(written, address):
    assert email_address(written) == address


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty"),
        (" ", "is empty"),
        ("ana", "@-sign"),
        ("@example.com", "before the @"),
        ("ana@", "after the @"),
        ("ana@@example.com", "invalid characters"),
        ("ana@localhost", "period"),
        ("ana@mail.invalid", "reserved"),
        ("Ana <ana@example.com>", "display name"),
        ("ana@example.com, bo@example.com", "invalid characters"),
        ("ana@example.com\r\nBcc: bo@example.com", "invalid characters"),
        ("ana kovač@example.com", "invalid characters"),
        ("a" * 300 + "@example.com", "longer than 254"),
    ],
)
def test_no_email(written, why):
    with pytest.raises(BadAddress, match=why):
        email_address(written)


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+385911234567", None, "+385911234567"),
        ("+385 (0)91 123-45-67", None, "+385911234567"),
        ("+385/91/123 4567", None, "+385911234567"),
        ("tel:+385-91-123-4567", None, "+385911234567"),
        ("091 123 4567", "HR", "+385911234567"),
        ("00385 91 123 4567", "HR", "+385911234567"),
        ("385911234567", "HR", "+385911234567"),
        ("+1 212 555 0123", "HR", "+12125550123"),
        ("+39 06 1234567", None, "+39061234567"),  # the 0 belongs to it
        ("+521 55 1234 5678", None, "+525512345678"),  # as some carriers still report senders
        ("+٣٨٥ ٩١ ١٢٣ ٤٥٦٧", None, "+385911234567"),
    ],
)
def test_a_phone_number_in_one_spelling(written, region, number):
    assert phone_number(written, region) == number


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        ("", None, "is empty"),
        ("091 123 4567", None, "country code is missing"),
        ("+999 123 456", None, "no country"),
        ("+38591", None, r"too few digits for a number of HR \(\+385\)"),
        ("+385911234567890", None, "too many digits"),
        ("+1 555 1234", None, "area code is missing|number of digits"),
        ("+1 800 FLOWERS", None, "is digits"),
        ("+38591 123 45O7", None, "is digits"),  # the letter O must not become a 6
        ("+1 212 555 0123 ext. 5", None, "is digits"),
        ("3,85911E+11", "HR", "spreadsheet rounded"),
        ("call me", None, "is digits"),
        ("+" + "1" * 60, None, "is digits"),
    ],
)
def test_no_phone_number(written, region, why):
    with pytest.raises(BadAddress, match=why):
        phone_number(written, region)


def test_what_the_list_goes_by_folds_case():
    assert destination("email", " Ana.K@EXAMPLE.com") == "ana.k@example.com"
    assert destination("email", "ŽANA@example.com") == destination("email", "žana@example.com")
    assert destination("email", "STRASSE@example.com") != destination("email", "strasse+1@example.com")
    assert destination("phone", "091 123 4567", "HR") == "+385911234567"
    assert destination("push", " token ") == "token"
    with pytest.raises(BadAddress):
        destination("push", " ")
    for no_id in ("a\nb", "a\0", "\ud800", "x" * 201):
        with pytest.raises(BadAddress, match="one line"):
            destination("push", no_id)
    with pytest.raises(ValueError, match="not a kind"):
        destination("pigeon", "x")


def test_a_contact_on_a_channel():
    ana = Contact(1, "crm-7", email="Ana@example.com", phone="+385911234567")
    assert address_of(ana, "email") == "Ana@example.com"
    assert destination_of(ana, "email") == "ana@example.com"
    assert destination_of(ana, "sms") == destination_of(ana, "whatsapp") == "+385911234567"
    assert destination_of(ana, "push") == "crm-7"
    assert destination_of(Contact(2, "bo"), "email") is None
    with pytest.raises(KeyError):
        destination_of(ana, "pigeon")


def asked_slowly(text):
    """What the library says of an email, in our words."""
    text = text.strip()
    if len(text) > 254:
        return None
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"


def asked(text):
    try:
        return email_address(text)
    except BadAddress:
        return None


LOCALS = st.from_regex(r"[A-Za-z0-9.+!'\"_()<>-]{0,12}", fullmatch=True) | st.just("PostMaster") | st.text(max_size=6)
DOMAINS = st.from_regex(r"([A-Za-z0-9_-]{0,5}\.){0,3}[a-z0-9-]{0,4}", fullmatch=True) | st.sampled_from(
    [
        "example.com",
        "EXAMPLE.com",
        "xn--bro-hoa.example",
        "büro.example",
        "a..b",
        "x.test",
        "test",
        "x.local",
        "1.2.3.4",
    ]
)


@given(LOCALS, DOMAINS, st.sampled_from(["@", "@@", "", "@ "]))
@example("a" * 64, "b" * 63 + "." + "c" * 63 + "." + "d" * 60 + ".com", "@")
@example("a" * 250, "b.co", "@")
def test_the_quick_way_of_emails_is_the_librarys(local, domain, at):
    assert asked(local + at + domain) == asked_slowly(local + at + domain)


@given(LOCALS, DOMAINS)
def test_a_destination_is_its_own(local, domain):
    try:
        key = destination("email", f"{local}@{domain}")
    except BadAddress:
        return
    assert destination("email", key) == key
    assert destination("email", key.upper()) == key or not key.isascii()  # some letters have no way back from upper
    contact = Contact(1, "x", email=email_address(f"{local}@{domain}"))
    assert destination_of(contact, "email") == key


COUNTRY_CODES = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)) | st.integers(1, 999)


@given(COUNTRY_CODES, st.from_regex(r"[0-9]{3,13}", fullmatch=True))
@example(49, "00123456")  # a 0 is stripped, and another one each time it is asked
@example(54, "91123456789")
@example(800, "12345678")
def test_the_quick_way_of_phone_numbers_is_the_librarys(code, national):
    written = f"+{code}{national}"
    try:
        number = phone_number(written)
    except BadAddress:
        return
    parsed = phonenumbers.parse(number)
    assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
    assert phonenumbers.is_possible_number(parsed)
    assert phone_number(number) == number


@given(st.integers(0, 400), st.integers(0, 10**9))
def test_every_countrys_own_examples_are_numbers(index, seed):
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    found = phonenumbers.example_number(regions[index % len(regions)])
    assert found is not None
    written = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    assert phone_number(written) == written
    international = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert phone_number(international) == written


@given(st.text(max_size=50), st.sampled_from([None, "HR", "US"]))
def test_any_text_is_an_address_or_a_bad_one(text, region):
    for normalise in (email_address, lambda text: phone_number(text, region)):
        try:
            address = normalise(text)
        except BadAddress:
            continue
        assert normalise(address) == address


def test_the_libraries_are_loaded_late():
    loaded = "import sys, tactful.engine.addresses; print({'phonenumbers', 'email_validator'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
