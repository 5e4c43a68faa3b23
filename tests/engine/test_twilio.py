"""Twilio: SMS out over a real HTTP server that plays it, and what it answers and tells, signed."""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.engine.provider import Provider, Say, hangs_up, hangs_up_halfway, says, says_no_http, says_nothing, says_raw

from tactful.elements.contract import MessageKey
from tactful.engine.channels import (
    Accepted,
    Blocked,
    Connector,
    NoConnector,
    Outgoing,
    Refused,
    Unknown,
    attempt_id,
    connect,
    message_id,
)
from tactful.engine.channels.receipts import NotUnderstood, Receipt
from tactful.engine.channels.twilio_receipts import inbound, is_signed, receipt, signature
from tactful.engine.senders import TwilioSender

MARCH_2 = 1_772_442_000_000  # 2026-03-02 09:00 UTC
SENDER, ANA = "+447700900100", "+447700900456"
ACCOUNT, TOKEN = "AC" + "0" * 30 + "1f", "8f2c-auth-token-of-acme"
ENVIRON = {"TWILIO_TOKEN": TOKEN}
KEY = MessageKey(1204, 3)
ATTEMPT = attempt_id(KEY, SENDER, MARCH_2, 1)
SID = "SM" + "1" * 32
QUEUED = says(201, {"sid": SID, "status": "queued", "error_code": None, "to": ANA})


def wrong(status: int, code: int, message: str = "In words", **headers: str) -> Say:
    told = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return says(status, told, **headers)


def settings_for(provider: Provider, **changes: Any) -> TwilioSender:
    written = {"channel": "sms", "via": "twilio", "account_sid": ACCOUNT, "auth_token": {"env": "TWILIO_TOKEN"},
               "base_url": provider.url, "timeout_seconds": 5}  # fmt: skip
    return TwilioSender.model_validate(written | changes)


def outgoing(settings: TwilioSender, number: int = 3, text: str = "Shall we?") -> Outgoing:
    key = MessageKey(1204, number)
    return Outgoing(
        key, "sms", SENDER, settings, ANA, {"text": text}, message_id(key, SENDER), MARCH_2,
        attempt_id=attempt_id(key, SENDER, MARCH_2, 1),
    )  # fmt: skip


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider(QUEUED)
    yield provider
    provider.stop()


@pytest.fixture
def settings(provider: Provider) -> TwilioSender:
    return settings_for(provider)


@pytest.fixture
def connector(settings: TwilioSender) -> Iterator[Connector]:
    connector = connect(settings, ENVIRON)
    yield connector
    connector.close()


def down(why, retry_after_ms=None):
    return Refused(why, final=False, retry_after_ms=retry_after_ms, down=True)


def outcomes(connector: Connector, *messages: Outgoing) -> list[object]:
    found = list(connector.send(messages))
    assert [key for key, _ in found] == [each.key for each in messages], "every outcome is told exactly once, in order"
    return [outcome for _, outcome in found]


# --- A message on the wire -----------------------------------------------------------------------


def test_a_message(provider, settings, connector):
    assert outcomes(connector, outgoing(settings, text="Žuti čaj & 🍵 = 50%")) == [Accepted(SID)]
    (asked,) = provider.asked
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode(), strict_parsing=True) == {
        "To": [ANA], "From": [SENDER], "Body": ["Žuti čaj & 🍵 = 50%"]
    }  # fmt: skip


def test_twilio_gives_our_own_name_of_a_message_back(provider):
    settings = settings_for(provider, public_url="https://go.acme.example")
    connector = connect(settings, ENVIRON)
    outcomes(connector, outgoing(settings))
    connector.close()
    assert parse_qs(provider.asked[0].body.decode())["StatusCallback"] == [
        f"https://go.acme.example/providers/%2B447700900100/receipts?message={ATTEMPT}"
    ]


def test_one_connection_for_all(provider, settings, connector):
    outcomes(connector, *(outgoing(settings, number) for number in range(1, 6)))
    assert [each.connection for each in provider.asked] == [1] * 5


# --- What it answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (says(201, {"sid": SID, "status": "accepted"}), Accepted(SID)),
        (wrong(400, 21610, f"Attempt to send to unsubscribed recipient {ANA}"),
         Blocked("21610 Attempt to send to unsubscribed recipient (address)", "Twilio 21610", "this_sender")),
        (says(201, {"sid": SID, "status": "failed", "error_code": 21610, "error_message": "Opted out"}),
         Blocked("21610 failed Opted out", "Twilio 21610", "this_sender")),
        (wrong(400, 21211, f"Invalid 'To' Phone Number: {ANA[1:]}"),
         Refused("21211 Invalid 'To' Phone Number: (address)", True, None, True)),
        (wrong(400, 21614), Refused("21614 In words", True, None, True)),
        (wrong(400, 21408), Refused("21408 In words", True)),
        (wrong(403, 21608), Refused("21608 In words", True)),
        (wrong(400, 21611), Refused("21611 In words", False)),
        (wrong(429, 20429, Retry_After="3"), down("429 In words", 3_000)),
        (wrong(503, 20503), down("503 In words")),
        (wrong(500, 20500), Refused("500 In words", False)),
        (wrong(401, 20003, TOKEN),
         down("the provider answered 401; is `account_sid` with `auth_token` right?")),
        (wrong(404, 20404), down("the provider answered 404; is `base_url` right?")),
        (says(307, {}, Location="/again"),
         down("the provider answered 307, a redirect; is `base_url` right?")),
        (says_raw(400, b"<xml/>"), Refused("the provider answered 400", True)),
        (wrong(400, 21617, f"{TOKEN} {ANA}"), Refused("21617 (secret) (address)", True)),
    ],
)  # fmt: skip
def test_answers(provider, settings, connector, answer, outcome):
    provider.says = [answer]
    assert outcomes(connector, outgoing(settings)) == [outcome]
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        hangs_up,
        hangs_up_halfway,
        says_no_http,
        wrong(502, 1),
        says(504, {}),
        says(201, {}),
        says(201, {"sid": SID, "status": "dancing"}),
        says(201, {"sid": 7, "status": "queued"}),
        says(202, {"sid": SID, "status": "queued"}),
        says_raw(200, b"<html>"),
    ],
)
def test_what_the_provider_may_have_is_unknown(provider, settings, connector, answer):
    provider.says = [answer]
    first, second = outcomes(connector, outgoing(settings), outgoing(settings, 4))
    assert isinstance(first, Unknown)
    assert second == Accepted(SID), "and the next one goes out"


def test_no_answer_in_time_is_unknown(provider):
    settings = settings_for(provider, timeout_seconds=0.3)
    connector = connect(settings, ENVIRON)
    provider.says = [says_nothing]
    assert outcomes(connector, outgoing(settings)) == [Unknown("no answer from the provider within 0.3 seconds")]
    connector.close()


def test_nobody_there_is_tried_later(provider, settings, connector):
    provider.stop()
    first, second = outcomes(connector, outgoing(settings, 1), outgoing(settings, 2))
    assert isinstance(first, Refused)
    assert not first.final
    assert second is first


def test_halves_of_characters_are_not_sent(provider, settings, connector):
    (outcome,) = outcomes(connector, outgoing(settings, text="\udc00"))
    assert outcome == Refused("there are characters in it that cannot be sent", final=True)
    assert provider.asked == []


def test_no_secret_and_no_address_is_ever_shown(provider, settings, connector, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    login = "QUMwMDAwMDAw"
    provider.says = [wrong(400, 21610, f"{TOKEN} {ANA}"), wrong(500, 1, TOKEN), hangs_up, wrong(401, 20003, ANA)]
    found = [outcomes(connector, outgoing(settings, number, "Dear Ana")) for number in range(1, 7)]
    shown = "\n".join([repr(found), repr(connector), repr(settings), caplog.text, *capfd.readouterr()])
    for hidden in (TOKEN, ANA[1:], "Dear Ana", login):
        assert hidden not in shown


# --- Settings ------------------------------------------------------------------------------------


def test_nothing_can_be_sent_without_the_token(settings):
    with pytest.raises(NoConnector, match="TWILIO_TOKEN, which holds the auth token, is not set"):
        connect(settings, {})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_sid": "SK" + "0" * 32}, "not the SID of an account"),
        ({"base_url": "http://api.twilio.com"}, "in the clear"),
        ({"channel": "whatsapp"}, "this way carries sms only"),
        ({"auth_token": TOKEN}, "does not belong in a file"),
    ],
)
def test_settings_that_cannot_be_meant(provider, changes, why):
    with pytest.raises(ValueError, match=why):
        settings_for(provider, **changes)


# --- What it tells, and whether it is Twilio ------------------------------------------------------

# The example of Twilio's own documentation.
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TOLD = [
    ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"), ("From", "+14158675309"),
    ("To", "+18005551212"),
]  # fmt: skip
SIGNED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_the_signature_of_the_documentations_example():
    """HMAC-SHA1 with the auth token, over the address and, with nothing in between, the values sorted by name."""
    assert signature("12345", URL, TOLD) == SIGNED
    assert signature("12345", URL, TOLD[::-1]) == SIGNED
    assert is_signed("12345", URL, TOLD, SIGNED)


@pytest.mark.parametrize(
    ("token", "url", "told", "signed"),
    [
        ("12346", URL, TOLD, SIGNED),
        ("12345", URL.replace("https", "http"), TOLD, SIGNED),
        ("12345", URL + "&x=1", TOLD, SIGNED),
        ("12345", URL, TOLD[1:], SIGNED),
        ("12345", URL, [*TOLD, ("Body", "STOP")], SIGNED),
        ("12345", URL, TOLD, SIGNED[:-1]),
        ("12345", URL, TOLD, ""),
        ("12345", URL, TOLD, "ž" * 28),
        ("12345", "https://mycompany.com:99999/", TOLD, SIGNED),
        ("12345", "https://[", TOLD, SIGNED),
    ],
)
def test_what_is_not_signed_so(token, url, told, signed):
    assert not is_signed(token, url, told, signed)


def test_a_usual_port_may_stand_in_the_address_or_not():
    with_port = URL.replace(".com/", ".com:443/")
    assert is_signed("12345", with_port, TOLD, SIGNED)
    assert is_signed("12345", URL, TOLD, signature("12345", with_port, TOLD))
    other = URL.replace(".com/", ".com:8443/")
    assert not is_signed("12345", other, TOLD, SIGNED)
    assert is_signed("12345", other, TOLD, signature("12345", other, TOLD))


def test_a_value_told_twice_is_signed_once():
    assert signature("12345", URL, [*TOLD, TOLD[0]]) == SIGNED


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("queued", "", None),
        ("sent", "", None),
        ("delivered", "", ("delivered", "Twilio delivered", False, None)),
        ("undelivered", "30005", ("bounced", "Twilio 30005", True, None)),
        ("undelivered", "30003", ("bounced", "Twilio 30003", False, None)),
        ("undelivered", "30006", ("bounced", "Twilio 30006", False, None)),
        ("failed", "21610", ("rejected", "Twilio 21610", False, "this_sender")),
        ("failed", "30001", ("rejected", "Twilio 30001", False, None)),
        ("failed", "9" * 5000, ("rejected", "Twilio 999999999", False, None)),
        ("failed", "no number", ("rejected", "Twilio failed", False, None)),
        ("dancing", "", None),
    ],
)
def test_status_callbacks(status, code, expected):
    found = receipt({"MessageSid": SID, "MessageStatus": status, "ErrorCode": code, "To": ANA}, ATTEMPT)
    assert (found and (found.became, found.code, found.nobody, found.blocked)) == expected


def test_a_status_callback():
    found = receipt({"MessageSid": SID, "MessageStatus": "delivered", "To": ANA, "From": SENDER}, ATTEMPT)
    assert found == Receipt(KEY, "delivered", "Twilio delivered", f"twilio {SID} delivered 0", SID, ANA)
    for other in (None, "1204.3", "hello"):
        assert receipt({"MessageSid": SID, "MessageStatus": "delivered"}, other) is None
    with pytest.raises(NotUnderstood):
        receipt({"MessageStatus": "delivered"}, ATTEMPT)


def test_a_message_that_came_in():
    found = inbound({"MessageSid": SID, "From": ANA, "To": SENDER, "Body": "Stop. Thank you"})
    assert (found.sender, found.address, found.text, found.key) == (SENDER, ANA, "Stop. Thank you", f"twilio {SID}")
    with pytest.raises(NotUnderstood):
        inbound({"From": ANA, "Body": "STOP"})
