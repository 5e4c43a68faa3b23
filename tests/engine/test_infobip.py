"""Infobip: SMS out over a real HTTP server that plays it, and what it answers and reports."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.provider import (
    Provider,
    Say,
    floods,
    hangs_up,
    hangs_up_halfway,
    says,
    says_no_http,
    says_nothing,
    says_raw,
)

from tactful.elements.contract import MessageKey
from tactful.elements.options.mistake import Mistake
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
from tactful.engine.channels.infobip_receipts import inbound, receipts
from tactful.engine.channels.receipts import NotUnderstood, Receipt
from tactful.engine.senders import InfobipSender, Secret

MARCH_2 = 1_772_442_000_000  # 2026-03-02 09:00 UTC
SENDER, ANA = "+38595000111", "+385911234567"
API_KEY, SECRET = "003026bb-key-of-acme", "told only to: Infobip"
ENVIRON = {"INFOBIP_KEY": API_KEY, "INFOBIP_SECRET": SECRET}
KEY = MessageKey(1204, 3)
ATTEMPT = attempt_id(KEY, SENDER, MARCH_2, 1)


def status(group: int, id: int, name: str = "SOME_NAME", message: str | None = None) -> Say:
    told = {"groupId": group, "groupName": "GROUP", "id": id, "name": name, "description": "In words"}
    return says(
        200, {"bulkId": "1", "messages": [{"messageId": message or ATTEMPT, "status": told, "destination": "1"}]}
    )


PENDING = status(1, 26, "PENDING_ACCEPTED")


def settings_for(provider: Provider, **changes: Any) -> InfobipSender:
    written = {"channel": "sms", "via": "infobip", "base_url": provider.url, "api_key": {"env": "INFOBIP_KEY"},
               "timeout_seconds": 5}  # fmt: skip
    return InfobipSender.model_validate(written | changes)


def outgoing(settings: InfobipSender, number: int = 3, text: str = "Shall we?", to: str = ANA) -> Outgoing:
    key = MessageKey(1204, number)
    return Outgoing(
        key, "sms", SENDER, settings, to, {"text": text}, message_id(key, SENDER), MARCH_2,
        attempt_id=attempt_id(key, SENDER, MARCH_2, 1),
    )  # fmt: skip


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider(PENDING)
    yield provider
    provider.stop()


@pytest.fixture
def settings(provider: Provider) -> InfobipSender:
    return settings_for(provider)


@pytest.fixture
def connector(settings: InfobipSender) -> Iterator[Connector]:
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
    assert outcomes(connector, outgoing(settings, text="Žuti čaj 🍵\nSTOP: 111")) == [Accepted(ATTEMPT)]
    (asked,) = provider.asked
    assert asked.path == "/sms/3/messages"
    assert asked.headers["Authorization"] == f"App {API_KEY}"
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {
        "messages": [
            {
                "sender": "38595000111",
                "destinations": [{"to": "385911234567", "messageId": ATTEMPT}],
                "content": {"text": "Žuti čaj 🍵\nSTOP: 111"},
                "webhooks": {"callbackData": ATTEMPT, "contentType": "application/json"},
            }
        ]
    }


def test_where_infobip_reaches_us_it_is_told_where(provider):
    settings = settings_for(provider, public_url="https://go.acme.example/", webhook_secret={"env": "INFOBIP_SECRET"})
    connector = connect(settings, ENVIRON)
    outcomes(connector, outgoing(settings))
    connector.close()
    (message,) = json.loads(provider.asked[0].body)["messages"]
    assert message["webhooks"]["delivery"] == {
        "url": "https://go.acme.example/providers/%2B38595000111/receipts?secret=told%20only%20to%3A%20Infobip"
    }


def test_what_is_never_repeated_has_the_name_that_infobip_gives_it(provider, settings, connector):
    answer = Outgoing(KEY, "sms", SENDER, settings, ANA, {"text": "Done"}, message_id(KEY, SENDER), MARCH_2)
    assert outcomes(connector, answer) == [Accepted(ATTEMPT)]
    (message,) = json.loads(provider.asked[0].body)["messages"]
    assert message["destinations"] == [{"to": "385911234567"}]
    assert "webhooks" not in message


def test_one_message_a_request_over_one_connection(provider, settings, connector):
    assert len(outcomes(connector, *(outgoing(settings, number) for number in range(1, 8)))) == 7
    outcomes(connector, outgoing(settings, 8))
    assert [len(json.loads(each.body)["messages"]) for each in provider.asked] == [1] * 8
    assert {each.connection for each in provider.asked} == {1}


def test_what_is_not_asked_for_is_not_sent(provider, settings, connector):
    sending = connector.send([outgoing(settings, number) for number in (1, 2, 3)])
    next(sending)
    sending.close()
    assert len(provider.asked) == 1


def test_a_closed_connector_opens_again(provider, settings, connector):
    outcomes(connector, outgoing(settings, 1))
    connector.close()
    outcomes(connector, outgoing(settings, 2))
    assert provider.connections == 2


def test_the_name_of_an_attempt_is_the_same_only_where_its_outcome_is_unknown():
    assert attempt_id(KEY, SENDER, MARCH_2, 1) == ATTEMPT
    others = [(KEY, SENDER, MARCH_2, 2), (KEY, SENDER, MARCH_2 + 1, 1), (MessageKey(1204, 4), SENDER, MARCH_2, 1)]
    assert len({ATTEMPT, *(attempt_id(*each) for each in others)}) == 4
    assert ATTEMPT.startswith("1204.3-1-")


# --- What it answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (status(1, 7), Accepted(ATTEMPT)),
        (status(3, 2), Accepted(ATTEMPT)),
        (status(5, 23, "REJECTED_DUPLICATE_MESSAGE_ID"), Accepted(ATTEMPT)),
        (status(5, 14, "REJECTED_DESTINATION_BLOCKLISTED"),
         Blocked("REJECTED_DESTINATION_BLOCKLISTED (14)", "Infobip 14", "any_sender")),
        (status(5, 10, "REJECTED_DND"), Blocked("REJECTED_DND (10)", "Infobip 10", "any_sender")),
        (status(5, 52, "REJECTED_DESTINATION"), Refused("REJECTED_DESTINATION (52)", True, None, True)),
        (status(5, 8, "REJECTED_PREFIX_MISSING"), Refused("REJECTED_PREFIX_MISSING (8)", True, None, True)),
        (status(5, 12, "REJECTED_NOT_ENOUGH_CREDITS"), Refused("REJECTED_NOT_ENOUGH_CREDITS (12)", False)),
        (status(5, 11, "REJECTED_SOURCE"), Refused("REJECTED_SOURCE (11)", True)),
        (status(5, 4711, "REJECTED_AS_NEVER_BEFORE"), Refused("REJECTED_AS_NEVER_BEFORE (4711)", True)),
        (status(5, 11, f"no {ANA} {ANA[1:]} {API_KEY}"), Refused("no (address) (address) (secret) (11)", True)),
        (says(400, {"errorCode": "E400", "description": "Request cannot be processed."}),
         Refused("400 Request cannot be processed.", True)),
        (says(400, {"requestError": {"serviceException": {"text": "Bad request"}}}), Refused("400 Bad request", True)),
        (says(400, "?"), Refused("the provider answered 400", True)),
        (says(401, {"description": API_KEY}), down("the provider answered 401; is `api_key` right?")),
        (says(403, {}), down("the provider answered 403; is `api_key` right?")),
        (says(404, {}), down("the provider answered 404; is `base_url` right?")),
        (says(302, {}, Location="/elsewhere"),
         down("the provider answered 302, a redirect; is `base_url` right?")),
        (says(308, {}, Location="https://evil.example/"),
         down("the provider answered 308, a redirect; is `base_url` right?")),
        (says(429, {}, Retry_After="7"), down("the provider answered 429", 7_000)),
        (says(429, {}, Retry_After="Mon, 02 Mar 2026 09:05:00 GMT"),
         down("the provider answered 429", 300_000)),
        (says(429, {}, Retry_After="99999999999999999999"), down("the provider answered 429", 86_400_000)),
        (says(429, {}, Retry_After="soon"), down("the provider answered 429")),
        (says(429, {}, Retry_After="Mon, 02 Mar 2020 09:05:00 GMT"), down("the provider answered 429")),
        (says(500, {"description": "Something went wrong."}), Refused("500 Something went wrong.", False)),
        (says(503, {}, Retry_After="60"), down("the provider answered 503", 60_000)),
    ],
)  # fmt: skip
def test_answers(provider, settings, connector, answer, outcome):
    provider.says = [answer]
    assert outcomes(connector, outgoing(settings)) == [outcome]
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (hangs_up, "broke before the provider had answered"),
        (hangs_up_halfway, "broke before the provider had answered"),
        (says_no_http, "broke before the provider had answered"),
        (floods, "far too long"),
        (says(502, {}), "answered 502"),
        (says(504, {}), "answered 504"),
        (says(200, {}), "made no sense"),
        (says(200, []), "made no sense"),
        (says(200, {"messages": []}), "made no sense"),
        (says(200, {"messages": [{"status": {"groupId": "1", "id": 26}}]}), "made no sense"),
        (says(200, {"messages": [{"status": {"groupId": 9, "id": 26}}]}), "made no sense"),
        (says_raw(204, b""), "made no sense"),
        (says_raw(200, b"<html>Welcome</html>"), "made no sense"),
        (says_raw(200, b"[" * 60_000), "made no sense"),
        (says_raw(200, b"\xff\xfe\x00"), "made no sense"),
        (says_raw(200, b"\x1f\x8bnot gzip", Content_Encoding="gzip"), "made no sense"),
    ],
)
def test_what_the_provider_may_have_is_unknown(provider, settings, connector, answer, why):
    provider.says = [answer]
    (outcome,) = outcomes(connector, outgoing(settings))
    assert isinstance(outcome, Unknown)
    assert why in outcome.why
    assert outcomes(connector, outgoing(settings, 4)) == [Accepted(ATTEMPT)], "and the next one goes out"


def test_no_answer_in_time_is_unknown(provider):
    settings = settings_for(provider, timeout_seconds=0.3)
    connector = connect(settings, ENVIRON)
    provider.says = [says_nothing]
    assert outcomes(connector, outgoing(settings)) == [Unknown("no answer from the provider within 0.3 seconds")]
    connector.close()


def test_nobody_there_is_tried_later_and_once_a_batch(provider, settings, connector):
    provider.stop()
    first, second = outcomes(connector, outgoing(settings, 1), outgoing(settings, 2))
    assert isinstance(first, Refused)
    assert not first.final
    assert first.why.startswith(f"cannot connect to 127.0.0.1:{provider.server_port}")
    assert second is first, "not tried again for each message, each time until the timeout"


@pytest.mark.parametrize("answer", [says(429, {}), says(401, {}), says(503, {}), says(301, {})])
def test_a_provider_that_takes_nothing_is_asked_once_a_batch(provider, settings, connector, answer):
    provider.says = [answer]
    found = outcomes(connector, *(outgoing(settings, number) for number in (1, 2, 3)))
    assert len(provider.asked) == 1
    assert found[0] == found[1] == found[2]
    assert outcomes(connector, outgoing(settings, 4)) == [Accepted(ATTEMPT)], "the next batch is another matter"


def test_a_refusal_stands_for_itself(provider, settings, connector):
    provider.says = [status(5, 52), hangs_up, says(500, {})]
    found = outcomes(connector, *(outgoing(settings, number) for number in (1, 2, 3, 4)))
    assert [type(each) for each in found] == [Refused, Unknown, Refused, Accepted]


def test_halves_of_characters_are_not_sent(provider, settings, connector):
    assert outcomes(connector, outgoing(settings, text="half \ud83c")) == [
        Refused("there are characters in it that cannot be sent", final=True)
    ]
    assert provider.asked == []


def test_a_certificate_that_does_not_hold(settings):
    """TLS is verified: nothing is said to a server that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("localhost.pem"))
    provider = Provider(PENDING)
    provider.socket = context.wrap_socket(provider.socket, server_side=True, do_handshake_on_connect=False)
    https = settings_for(provider, base_url=provider.url.replace("http:", "https:"))
    connector = connect(https, ENVIRON)
    (outcome,) = outcomes(connector, outgoing(https))
    assert isinstance(outcome, Refused)
    assert not outcome.final
    assert "its certificate does not hold" in outcome.why
    assert provider.asked == []
    connector.close()
    provider.stop()


def test_no_secret_and_no_address_is_ever_shown(provider, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    settings = settings_for(provider, public_url=provider.url, webhook_secret={"env": "INFOBIP_SECRET"})
    connector = connect(settings, ENVIRON)
    echo = f"App {API_KEY} for {ANA} and {ANA[1:]} told only to: Infobip told%20only%20to%3A%20Infobip"
    provider.says = [
        status(5, 14, echo), says(400, {"description": echo}), says(500, {"description": echo}), hangs_up,
        says(401, {"description": echo}), says(504, {"description": echo}),
    ]  # fmt: skip
    found = [outcomes(connector, outgoing(settings, number, text="Dear Ana")) for number in range(1, 8)]
    provider.stop()
    found.append(outcomes(connector, outgoing(settings, 9)))
    shown = "\n".join([repr(found), repr(connector), repr(settings), caplog.text, *capfd.readouterr()])
    for hidden in (API_KEY, SECRET, "told%20only", ANA[1:], "Dear Ana"):
        assert hidden not in shown
    connector.close()


# --- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "environ", "why"),
    [
        ({}, {}, "the environment variable INFOBIP_KEY, which holds the API key, is not set"),
        ({}, {"INFOBIP_KEY": "with\nnewline"}, "INFOBIP_KEY holds characters that no API key has"),
        ({"webhook_secret": {"env": "INFOBIP_SECRET"}}, {"INFOBIP_KEY": API_KEY}, "INFOBIP_SECRET.*webhook secret"),
        ({"api_key": None}, ENVIRON, "to send through Infobip, it needs `api_key` too"),
        ({"api_key": None, "base_url": None}, ENVIRON, "needs `base_url` and `api_key` too"),
    ],
)
def test_nothing_can_be_sent_without_what_it_needs(provider, changes, environ, why):
    with pytest.raises(NoConnector, match=why):
        connect(settings_for(provider, **changes), environ)


@pytest.mark.parametrize(
    "url",
    ["xyz.api.infobip.com", "ftp://xyz.api.infobip.com", "http://xyz.api.infobip.com", "https://", "https://a@b.example",
     "https://b.example/?a=1", "https://b.example/#x", "https://b.example:99999", "https://b.example/ x", "https://[::"],
)  # fmt: skip
def test_secrets_go_to_a_server_over_tls_only(provider, url):
    for field in ("base_url", "public_url"):
        with pytest.raises(ValueError, match=r"address of a server|only a server|in the clear") as raised:
            settings_for(provider, **{field: url})
        assert isinstance(raised.value.errors()[0]["ctx"]["error"], Mistake)  # type: ignore[attr-defined]


def test_it_carries_sms_only(provider):
    with pytest.raises(ValueError, match="this way carries sms only"):
        settings_for(provider, channel="whatsapp")


# --- What it reports on its own ------------------------------------------------------------------


def report(group: int, id: int, wrong: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "bulkId": "BULK", "messageId": ATTEMPT, "to": "385911234567", "sender": "38595000111",
        "sentAt": "2026-03-02T10:00:00.000+0100", "doneAt": "2026-03-02T10:00:07.500+0100", "messageCount": 1,
        "status": {"groupId": group, "groupName": "X", "id": id, "name": "N", "description": "D"},
        "error": {"groupId": 0, "groupName": "OK", "id": wrong, "name": "E", "description": "D", "permanent": False},
        "callbackData": ATTEMPT, **changes,
    }  # fmt: skip


def told(group: int, id: int, wrong: int = 0, **changes: Any) -> tuple[object, ...] | None:
    found = receipts({"results": [report(group, id, wrong, **changes)]})
    return (found[0].became, found[0].code, found[0].nobody, found[0].blocked) if found else None


def test_a_delivery_report():
    (found,) = receipts({"results": [report(3, 5)]})
    assert found == Receipt(
        KEY, "delivered", "Infobip 5", f"infobip {ATTEMPT} delivered 5 0", ATTEMPT, ANA, at=MARCH_2 + 7_500
    )
    assert ANA not in repr(found)


@pytest.mark.parametrize(
    ("group", "id", "wrong", "expected"),
    [
        (3, 2, 0, None),  # with the operator: on its way
        (1, 26, 0, None),
        (2, 9, 1, ("bounced", "Infobip 1", True, None)),
        (2, 9, 6, ("bounced", "Infobip 9", False, None)),
        (2, 4, 2052, ("bounced", "Infobip 2052", False, "any_sender")),
        (2, 4, 603, ("bounced", "Infobip 603", False, "this_sender")),
        (4, 15, 27, ("bounced", "Infobip 15", False, None)),
        (4, 29, 0, None),  # nobody ever said
        (5, 14, 0, ("rejected", "Infobip 14", False, "any_sender")),
        (5, 14, 1, ("rejected", "Infobip 14", False, "any_sender")),
        (5, 52, 0, ("rejected", "Infobip 52", True, None)),
        (5, 12, 0, ("rejected", "Infobip 12", False, None)),
        (5, 23, 0, None),  # of the repeat; the first one has a report of its own
        (3, 5, 1, ("delivered", "Infobip 5", False, None)),
    ],
)
def test_delivery_reports(group, id, wrong, expected):
    assert told(group, id, wrong) == expected


@pytest.mark.parametrize("changes", [
    {"callbackData": None}, {"callbackData": "1204.3"}, {"callbackData": ["x"]}, {"callbackData": ATTEMPT + "0"},
    {"status": None}, {"status": {"id": 5}},
])  # fmt: skip
def test_what_is_none_of_ours_is_passed_over(changes):
    assert told(3, 5, **changes) is None


@pytest.mark.parametrize("body", [None, [], {}, {"results": {}}, {"results": [1]}, "results", {"results": "x"}])
def test_what_is_no_report_is_told(body):
    for read in (receipts, inbound):
        with pytest.raises(NotUnderstood):
            read(body)


def test_odd_values_are_no_crash():
    (found,) = receipts({"results": [report(3, 5, doneAt="yesterday", to=7, messageId={}, error="?")]})
    assert (found.at, found.destination, found.provider_id) == (None, None, None)


def test_a_message_that_came_in():
    told = {
        "messageId": "817790313235066447", "from": "385911234567", "to": "38595000111", "text": "STOP please",
        "cleanText": "please", "keyword": "STOP", "receivedAt": "2026-03-02T09:00:01.000+0000", "smsCount": 1,
    }  # fmt: skip
    (found,) = inbound({"results": [told], "messageCount": 1, "pendingMessageCount": 0})
    assert (found.sender, found.address, found.text) == (SENDER, ANA, "STOP please")
    assert (found.key, found.at) == ("infobip 817790313235066447", MARCH_2 + 1_000)
    assert inbound({"results": [{"from": 1, "to": 2}]}) == []


def test_the_key_is_read_from_the_environment_only():
    with pytest.raises(ValueError, match="does not belong in a file"):
        InfobipSender.model_validate({"channel": "sms", "via": "infobip", "api_key": API_KEY})
    assert Secret(env="INFOBIP_KEY").value(ENVIRON) == API_KEY
