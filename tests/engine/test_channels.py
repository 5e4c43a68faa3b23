"""The channels: emails as they look on the wire, and connectors against servers that really answer."""

import asyncio
import email
import email.policy
import io
import os
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.contract import MessageKey
from tactful.engine.channels import (
    Accepted,
    NoConnector,
    Outgoing,
    Refused,
    Unknown,
    connect,
    message_id,
    without_addresses,
)
from tactful.engine.channels.console import ConsoleConnector
from tactful.engine.channels.email_message import compose
from tactful.engine.channels.plain_text import one_line, plain_text
from tactful.engine.channels.smtp import SmtpConnector
from tactful.engine.senders import ConsoleSender, Secret, SmtpSender

MARCH_2 = 1_772_442_000_000  # 2026-03-02 09:00 UTC
CERTIFICATE = Path(__file__).with_name("localhost.pem")  # made for these tests, good for nothing else
LOCAL = SmtpSender(channel="email", via="smtp", host="127.0.0.1")
KEY = MessageKey(1204, 3)


def outgoing(number=3, to="ana@example.com", settings=LOCAL, headers=None, sender="news@acme.example", **parts):
    key = MessageKey(1204, number)
    return Outgoing(
        key, "email", sender, settings, to, parts or {"subject": "Hello", "text": "Hi Ana"},
        message_id(key, sender), MARCH_2, headers or {},
    )  # fmt: skip


def parsed(message):
    return email.message_from_bytes(compose(message).data, policy=email.policy.default)


def said(part):
    """The text of a part, but for line ends at its end, which the format does not keep."""
    return part.get_content().replace("\r\n", "\n").rstrip("\n")


# --- What a message is called --------------------------------------------------------------------


def test_a_message_id_is_the_same_every_time_and_another_for_every_message():
    ids = {message_id(MessageKey(1204, step), "news@acme.example") for step in range(1, 50)}
    assert len(ids) == 49
    assert message_id(KEY, "news@acme.example") == message_id(KEY, "news@acme.example")
    assert message_id(KEY, "news@acme.example").startswith("<1204.3.")
    assert message_id(KEY, "news@ACME.example").endswith("@acme.example>")
    assert message_id(KEY, "news@büro.example").endswith("@xn--bro-hoa.example>")
    assert message_id(KEY, "ACME").endswith("@tactful.invalid>")


def test_a_message_keeps_people_out_of_its_repr():
    shown = repr(outgoing(to="ana@example.com", text="Dear Ana", headers={"List-Unsubscribe": "<https://x/ana>"}))
    assert "ana" not in shown.lower()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 5.1.1 <ana@example.com>: user unknown", "550 5.1.1 (address): user unknown"),
        ("550 ANA.KOVAC@other.example rejected", "550 (address) rejected"),
        ("550 no mailbox here for ana", "550 no mailbox here for (address)"),
        ("550 line\r\nbreak\x1b[2J", "550 line break [2J"),
        ("no banana", "no banana"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_what_a_provider_said_is_kept_without_addresses(said, kept):
    assert without_addresses(said, "ana@example.com") == kept


def test_and_without_phone_numbers():
    assert without_addresses("invalid: +385 91 123 4567!", "+385911234567") == "invalid: (address)!"


@pytest.mark.parametrize(
    ("said", "login", "kept"),
    [
        ("Connection refused", "u", "Connection refused"),
        ("we do not trust us", "us", "we do not trust us"),
        ("the newsroom is closed to news", "news", "the newsroom is closed to (address)"),
        ("NEWS@acme.example (news) is closed", "news@acme.example", "(address) ((address)) is closed"),
    ],
)
def test_of_a_login_only_whole_words_are_taken_out(said, login, kept):
    assert without_addresses(said, login=login) == kept


def test_a_secret_is_taken_out_wherever_it_stands():
    said = "used hunter2, base64xhunter2x: pw"
    assert without_addresses(said, secrets=("hunter2", "p")) == "used (secret), base64x(secret)x: (secret)w"


# --- An email on the wire ------------------------------------------------------------------------


def test_an_email():
    settings = LOCAL.model_copy(update={"name": 'Acme, "News"', "reply_to": "help@acme.example"})
    message = parsed(
        outgoing(
            settings=settings,
            subject="Grüße, Ana 👨‍👩‍👧",
            html="<p>Hi&nbsp;Ana, <a href='https://go.acme.example/x?a=1&amp;b=2'>come back</a></p>",
            headers={
                "List-Unsubscribe": "<https://go.acme.example/u/" + "t" * 300 + ">",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )
    )
    assert message["From"].addresses[0].display_name == 'Acme, "News"'
    assert message["From"].addresses[0].addr_spec == "news@acme.example"
    assert message["To"] == "ana@example.com"
    assert message["Reply-To"] == "help@acme.example"
    assert message["Subject"] == "Grüße, Ana 👨‍👩‍👧"
    assert message["Date"].datetime.timestamp() * 1000 == MARCH_2
    assert message["Message-ID"] == message_id(KEY, "news@acme.example")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert said(message.get_body("plain")) == "Hi Ana, come back (https://go.acme.example/x?a=1&b=2)"
    assert not message.defects


def test_a_long_address_in_a_header_stays_in_one_piece():
    address = "<https://go.acme.example/u/" + "t" * 300 + ">"
    data = compose(outgoing(headers={"List-Unsubscribe": address})).data
    assert f"List-Unsubscribe: {address}\r\n".encode() in data


def test_text_alone_is_one_part():
    message = parsed(outgoing(subject="x", text="Hi\n.\nfrom\r\nus " + "long " * 100))
    assert message.get_content_type() == "text/plain"
    assert said(message) == "Hi\n.\nfrom\nus " + "long " * 100


def test_the_same_message_is_the_same_bytes():
    assert compose(outgoing(html="<p>x")).data == compose(outgoing(html="<p>x")).data


def test_addresses_beyond_ascii():
    composed = compose(outgoing(to="ana@büro.example"))
    assert composed.recipient == "ana@xn--bro-hoa.example"
    assert not composed.international
    composed = compose(outgoing(to="žana@example.com"))
    assert composed.international
    assert "To: žana@example.com\r\n".encode() in composed.data


def test_a_header_cannot_be_smuggled_in():
    settings = LOCAL.model_copy(update={"name": "Acme\r\nBcc: evil@example.com"})
    message = parsed(outgoing(settings=settings, subject="Hi\r\nBcc: evil@example.com", text="x"))
    assert message["Bcc"] is None
    assert message["Subject"] == "Hi Bcc: evil@example.com"
    assert message["From"].addresses[0].display_name == "Acme Bcc: evil@example.com"
    assert parsed(outgoing(subject="=?utf-8?q?Bcc?=", text="x"))["Subject"] == "=?utf-8?q?Bcc?="


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"to": "ana"}, "@-sign"),
        ({"to": "ana@example.com\r\nRCPT TO:<evil@example.com>"}, "invalid characters"),
        ({"sender": "ACME"}, "@-sign"),
        ({"subject": "only"}, "needs `html` or `text`"),
        ({"headers": {"Bcc": "x@example.com"}}, "not a header to be added"),
        ({"headers": {"Content-Type": "text/html"}}, "not a header to be added"),
        ({"headers": {"X:": "y"}}, "not a header to be added"),
        ({"headers": {"X-A": "y\r\nBcc: z"}}, "not one line"),
        ({"headers": {"List-Unsubscribe": "<https://" + "x" * 1000 + ">"}}, "not one line"),
    ],
)
def test_what_cannot_be_an_email(change, why):
    with pytest.raises(ValueError, match=why):
        compose(outgoing(**change))


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_whatever_it_says_it_is_read_back(name, subject, text, html):
    settings = LOCAL.model_copy(update={"name": name})
    data = compose(outgoing(settings=settings, subject=subject, text=text, html=html)).data
    lines = data.split(b"\r\n")
    assert all(len(line) <= 998 for line in lines)
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert message["Subject"] == one_line(subject)
    (sender,) = message["From"].addresses
    assert sender.addr_spec == "news@acme.example"
    # The parser adds a blank where a no-break space stands at the end of an encoded word.
    assert "".join(sender.display_name.split()) == "".join(one_line(name).split())
    for kind, written in (("plain", text), ("html", html)):
        lines_of = written.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        assert said(message.get_body(kind)) == lines_of.rstrip("\n")


# --- HTML as text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("just text", "just text"),
        ("a &lt; b &amp; c&nbsp;d", "a < b & c d"),
        ("<h1>Hi</h1><p>one<p>two", "Hi\n\none\n\ntwo"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<table><tr><td>a<td>b</tr><tr><td>c</table>", "a b\nc"),
        ("<a href='https://x.example/'>shop</a>", "shop (https://x.example/)"),
        ("<a href='https://x.example/'>https://x.example/</a>", "https://x.example/"),
        ("<a href='mailto:a@x.example'>a@x.example</a>", "a@x.example"),
        ("<a href='https://x.example/'><img src=x></a>", "https://x.example/"),
        ("<a href='https://x.example/'><img alt='Shop'></a>", "Shop (https://x.example/)"),
        ("<a href='#top'>up</a> <a>nowhere</a>", "up nowhere"),
        ("<a href='https://x.example/'>open", "open (https://x.example/)"),
        ("<head><title>T</title><style>p{}</style></head><body>x</body>", "x"),
        ("<head><title>T<body>x", "x"),
        ("<script>alert('<p>')</script>x<!-- y -->", "x"),
        ("a<hr>b", "a\n---\nb"),
        ("a\n   b\t c", "a b c"),
        ("<p>a</p>\n\n\n<p>b</p>", "a\n\nb"),
        ("<b>bold</b><i>er", "bolder"),
    ],
)
def test_html_as_text(html, text):
    assert plain_text(html) == text


@given(st.text(max_size=200) | st.from_regex(r"(</?(a|p|li|td|br|head|script)[ >]?|x|&)*", fullmatch=True))
def test_any_html(html):
    assert plain_text(html) == plain_text(html).strip()


# --- Console -------------------------------------------------------------------------------------


def test_printed():
    out = io.StringIO()
    sms = replace(outgoing(), channel="sms", sender="ACME", destination="+385911234567", parts={"text": "Hi\x1b[2J"})
    assert list(ConsoleConnector(out=out).send([outgoing(), sms])) == [(KEY, Accepted()), (KEY, Accepted())]
    assert out.getvalue() == (
        "--- email 1204.3: news@acme.example -> ana@example.com\nsubject: Hello\nHi Ana\n\n"
        "--- sms 1204.3: ACME -> +385911234567\nHi [2J\n\n"
    )


def test_printed_on_a_terminal_without_our_letters(capsys):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    list(ConsoleConnector(out=out).send([outgoing(text="Žana 👋")]))
    assert b"?ana ?" in raw.getvalue()
    list(ConsoleConnector().send([outgoing()]))
    assert "Hi Ana" in capsys.readouterr().out


def test_as_files(tmp_path):
    folder = tmp_path / "sent" / "today"
    connector = connect(ConsoleSender(channel="email", via="console", folder=folder))
    sms = replace(outgoing(4), channel="sms", destination="+385911234567", parts={"text": "Hi Žana"})
    assert [outcome for _, outcome in connector.send([outgoing(), sms])] == [Accepted(), Accepted()]
    assert [outcome for _, outcome in connector.send([outgoing(subject="Again", text="x")])] == [Accepted()]
    connector.close()
    assert sorted(file.name for file in folder.iterdir()) == ["1204.3.eml", "1204.4.txt"]
    assert email.message_from_bytes((folder / "1204.3.eml").read_bytes())["Subject"] == "Again"
    assert (folder / "1204.4.txt").read_text(encoding="utf-8").endswith("\nHi Žana\n")


def test_files_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    connector = ConsoleConnector(tmp_path / "file")
    ((_, outcome),) = connector.send([outgoing()])
    assert isinstance(outcome, Refused)
    assert not outcome.final
    ((_, outcome),) = ConsoleConnector(tmp_path).send([outgoing(to="nobody")])
    assert isinstance(outcome, Refused)
    assert outcome.final


# --- Which connector -----------------------------------------------------------------------------


def test_a_password_must_be_set():
    settings = SmtpSender(
        channel="email", via="smtp", host="mail.example", username="acme", password=Secret(env="ACME_PASSWORD")
    )
    with pytest.raises(NoConnector, match="ACME_PASSWORD, which holds the password, is not set"):
        connect(settings, {})
    assert "hunter2" not in repr(connect(settings, {"ACME_PASSWORD": "hunter2"}))


# --- SMTP ----------------------------------------------------------------------------------------


class Server:
    """An SMTP server on a port of this machine, in a thread of its own."""

    def __init__(self, handler, tls=None, **options):
        self.handler = handler
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.connections = 0

        def protocol():
            self.connections += 1
            return SMTP(handler, loop=self._loop, hostname="mail.example", **options)

        starting = self._loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self):
        async def stop():
            self._server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._loop.shutdown_default_executor()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Inbox:
    """Takes every message; refuses or drops those its subject or recipient asks it to."""

    def __init__(self):
        self.received = []
        self.logins = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 -- aiosmtpd's names
        for start, answer in {
            "gone": f"550 5.1.1 <{address}>: no such user",
            "later": "451 4.7.1 greylisted, try again",
            "moved": f"550 5.1.6 <{address}>: moved",
            "nowhere": "550-5.1.10 this domain\r\n550 5.1.10 takes no mail",
            "policy": "550 5.7.1 not from there",
            "bare": "550 no such user here, or a list of ours",
            "odd": "550 5.1.100 what",
            "syntax": "553 5.1.1 what",
            "mine": "553 5.7.1 not owned by user acme",
            "tls": "530 must issue STARTTLS first",
            "busy": "421 too many messages on this connection",
        }.items():
            if address.startswith(start):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        match message["Subject"]:
            case "drop":
                server.transport.abort()
                return "250 never heard"
            case "spam":
                return f"554 5.7.1 spam for {envelope.rcpt_tos[0]}"
            case "full":
                return "452 4.3.1 disk full"
            case "nonsense":
                return "what?"
        self.received.append((envelope.mail_from, envelope.rcpt_tos, message))
        return f"250 2.0.0 Ok: queued as 4F{len(self.received):04}"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"hunter2", handled=False)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def server(inbox) -> Iterator[Server]:
    server = Server(inbox, enable_SMTPUTF8=True)
    yield server
    server.stop()


@pytest.fixture
def connector(server):
    connector = SmtpConnector(settings_for(server))
    yield connector
    connector.close()


def settings_for(server, **changes):
    written = {"channel": "email", "via": "smtp", "host": "127.0.0.1", "port": server.port, "timeout_seconds": 5}
    return SmtpSender.model_validate(written | changes)


def outcomes(connector, *messages):
    return [outcome for _, outcome in connector.send(messages)]


def test_a_batch_goes_over_one_connection(server, inbox, connector):
    batch = [outgoing(number, to=f"ana{number}@example.com", html="<p>.\n.Hi") for number in range(1, 6)]
    assert list(connector.send(batch)) == [
        (MessageKey(1204, number), Accepted(f"4F000{number}")) for number in range(1, 6)
    ]
    assert outcomes(connector, outgoing(6)) == [Accepted("4F0006")]
    assert server.connections == 1
    sender, recipients, message = inbox.received[0]
    assert (sender, recipients) == ("news@acme.example", ["ana1@example.com"])
    assert said(message.get_body("html")) == "<p>.\n.Hi"
    assert message["Message-ID"] == message_id(MessageKey(1204, 1), "news@acme.example")


def test_what_is_not_asked_for_is_not_sent(inbox, connector):
    sending = connector.send([outgoing(1), outgoing(2), outgoing(3)])
    next(sending)
    sending.close()
    assert len(inbox.received) == 1


@pytest.mark.parametrize(
    ("to", "nobody"),
    [("gone", True), ("moved", True), ("nowhere", True), ("policy", False), ("bare", False), ("odd", False),
     ("syntax", False)],
)  # fmt: skip
def test_nobody_is_there_only_where_the_server_says_just_that(server, connector, to, nobody):
    (outcome,) = outcomes(connector, outgoing(to=f"{to}@example.com"))
    assert isinstance(outcome, Refused)
    assert (outcome.final, outcome.no_such_address) == (True, nobody)


def test_refusals_stand_for_themselves(server, inbox, connector):
    assert outcomes(
        connector,
        outgoing(1),
        outgoing(2, to="gone@example.com"),
        outgoing(3, to="later@example.com"),
        outgoing(4, subject="spam", text="x"),
        outgoing(5, subject="full", text="x"),
        outgoing(6, to="tls@example.com"),
        outgoing(7, to="nobody"),
        outgoing(8),
    ) == [
        Accepted("4F0001"),
        Refused("550 5.1.1 (address): no such user", final=True, no_such_address=True),
        Refused("451 4.7.1 greylisted, try again", final=False),
        Refused("554 5.7.1 spam for (address)", final=True),
        Refused("452 4.3.1 disk full", final=False),
        Refused("530 must issue STARTTLS first", final=False),
        Refused("an email address must have an @-sign", final=True),
        Accepted("4F0002"),
    ]
    assert server.connections == 1


def test_a_server_that_has_enough_of_a_connection_gets_another(server, connector):
    assert outcomes(connector, outgoing(1), outgoing(2, to="busy@example.com"), outgoing(3)) == [
        Accepted("4F0001"),
        Refused("421 too many messages on this connection", final=False),
        Accepted("4F0002"),
    ]
    assert server.connections == 2


def test_a_connection_lost_with_the_message_in_hand_is_unknown(server, inbox, connector):
    lost, then = outcomes(connector, outgoing(1, subject="drop", text="x"), outgoing(2))
    assert lost == Unknown("the connection broke after the message was handed over")
    assert then == Accepted("4F0001")


def test_an_answer_without_sense_is_unknown(connector):
    nonsense, then = outcomes(connector, outgoing(1, subject="nonsense", text="x"), outgoing(2))
    assert isinstance(nonsense, Unknown)
    assert then == Accepted("4F0001")


def test_a_letter_beyond_ascii_before_the_at(inbox, connector):
    assert outcomes(connector, outgoing(1, to="žana@example.com"), outgoing(2)) == [
        Accepted("4F0001"),
        Accepted("4F0002"),
    ]
    assert inbox.received[0][1] == ["žana@example.com"]


def test_and_a_server_that_cannot(inbox):
    server = Server(inbox)
    connector = SmtpConnector(settings_for(server))
    try:
        refused, accepted = outcomes(connector, outgoing(1, to="žana@example.com"), outgoing(2))
    finally:
        connector.close()
        server.stop()
    assert isinstance(refused, Refused)
    assert refused.final
    assert accepted == Accepted("4F0001")


def test_batches_side_by_side_have_a_connection_each(server, inbox):
    connector = SmtpConnector(settings_for(server, connections=2))
    first = connector.send([outgoing(1), outgoing(2)])
    second = connector.send([outgoing(3), outgoing(4)])
    try:
        for sending in (first, second, first, second):
            assert isinstance(next(sending)[1], Accepted)
        assert server.connections == 2
        assert (list(first), list(second)) == ([], [])
        assert outcomes(connector, outgoing(5)) == [Accepted("4F0005")]
        assert server.connections == 2
    finally:
        connector.close()


def test_nobody_there_is_asked_once_a_batch():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connector = SmtpConnector(LOCAL.model_copy(update={"port": port}))
    first, second = outcomes(connector, outgoing(1), outgoing(2))
    assert first == second == Refused(f"cannot connect to 127.0.0.1:{port}: Connection refused", final=False, down=True)


class Script:
    """A server that says just what it is told, one line for each line it is sent, and then nothing more."""

    def __init__(self, *answers, hang_up=True):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.heard = []
        self._answers = answers
        self._hang_up = hang_up
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        line, _ = self._listening.accept()
        with line, line.makefile("rb") as lines:
            for answer in self._answers:
                line.sendall(answer.encode() + b"\r\n")
                if answer is not self._answers[-1] or not self._hang_up:
                    self.heard.append(lines.readline())
            self._done.wait(10 if not self._hang_up else 0)

    def stop(self):
        self._done.set()
        self._thread.join(10)
        self._listening.close()


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["220 hi"], Refused),
        (["554 go away"], Refused),
        (["220 hi", "250 ok"], Refused),
        (["220 hi", "250 ok", "250 sender ok"], Refused),
        (["220 hi", "250 ok", "250 sender ok", "250 recipient ok"], Refused),
        (["220 hi", "250 ok", "250 sender ok", "250 recipient ok", "354 go on"], Unknown),
    ],
)
@pytest.mark.parametrize("hang_up", [True, False], ids=["hangs up", "falls silent"])
def test_how_far_it_came_decides_what_is_known(answers, outcome, hang_up):
    script = Script(*answers, hang_up=hang_up)
    connector = SmtpConnector(settings_for(script, timeout_seconds=0.2))
    try:
        first, second = outcomes(connector, outgoing(1), outgoing(2))
    finally:
        script.stop()
        connector.close()
    assert type(first) is outcome
    if isinstance(first, Refused):
        assert not first.final
        assert "ana" not in first.why
    assert isinstance(second, Refused)
    assert not second.final


def test_an_idle_connection_that_was_lost_is_made_anew(inbox):
    first = Server(inbox)
    connector = SmtpConnector(settings_for(first))
    try:
        assert outcomes(connector, outgoing(1)) == [Accepted("4F0001")]
        for line in connector._idle:
            assert line.sock is not None
            line.sock.shutdown(socket.SHUT_RDWR)
        assert outcomes(connector, outgoing(2)) == [Accepted("4F0002")]
        assert first.connections == 2
    finally:
        connector.close()
        first.stop()


# --- TLS and login -------------------------------------------------------------------------------


@pytest.fixture
def context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def trusted(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


def secure_server(inbox, context, tls):
    if tls == "implicit":
        return Server(inbox, tls=context, authenticator=inbox.authenticate, auth_require_tls=False)
    return Server(
        inbox, tls_context=context, require_starttls=True, authenticator=inbox.authenticate, auth_required=True
    )


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.usefixtures("trusted")
def test_login_over_tls(inbox, context, tls):
    server = secure_server(inbox, context, tls)
    settings = settings_for(server, tls=tls, username="acme", password={"env": "ACME_PASSWORD"})
    connector = connect(settings, {"ACME_PASSWORD": "hunter2"})
    try:
        assert outcomes(connector, outgoing(1), outgoing(2)) == [Accepted("4F0001"), Accepted("4F0002")]
    finally:
        connector.close()
        server.stop()
    assert inbox.logins == [(b"acme", b"hunter2")]


@pytest.mark.parametrize("password", ["wrong", "pässword"])
@pytest.mark.usefixtures("trusted")
def test_a_login_that_fails_is_not_the_messages_fault(inbox, context, password):
    server = secure_server(inbox, context, "starttls")
    settings = settings_for(server, tls="starttls", username="acme", password={"env": "P"})
    connector = connect(settings, {"P": password})
    try:
        ((_, outcome),) = connector.send([outgoing()])
    finally:
        connector.close()
        server.stop()
    assert isinstance(outcome, Refused)
    assert not outcome.final
    assert outcome.down
    assert outcome.why.startswith(f"cannot log in at 127.0.0.1:{server.port}: ")
    assert password not in outcome.why
    assert "acme" not in outcome.why


class Busy(Inbox):
    """Refuses every login with an answer of its own, and hangs up."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    async def handle_AUTH(self, server, session, envelope, how):  # noqa: N802
        await server.push(f"{self.answer} {' '.join(how)}")
        server.transport.close()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("421 4.7.0 too many logins:", "421 4.7.0 too many logins: PLAIN (secret)"),
        ("454 4.7.0 ask (acme) later:", "454 4.7.0 ask ((address)) later: PLAIN (secret)"),
        ("535 5.7.8 no:", "the server answered 535; are username and password right?"),
    ],
)
@pytest.mark.usefixtures("trusted")
def test_a_server_that_refuses_a_login_and_hangs_up_is_heard(context, tls, answer, says):
    server = secure_server(Busy(answer), context, tls)
    connector = SmtpConnector(settings_for(server, tls=tls, username="acme", password={"env": "P"}), "hunter2")
    try:
        ((_, outcome),) = connector.send([outgoing()])
    finally:
        connector.close()
        server.stop()
    assert outcome == Refused(f"cannot log in at 127.0.0.1:{server.port}: {says}", final=False, down=True)


@pytest.mark.usefixtures("trusted")
def test_what_a_server_says_of_a_message_shows_no_login(inbox, context):
    server = secure_server(inbox, context, "starttls")
    connector = SmtpConnector(settings_for(server, username="acme", tls="starttls", password={"env": "P"}), "hunter2")
    try:
        ((_, outcome),) = connector.send([outgoing(to="mine@example.com")])
    finally:
        connector.close()
        server.stop()
    assert outcome == Refused("553 5.7.1 not owned by user (address)", final=True)


@pytest.mark.parametrize("answers", [["554 no hunter2 here"], ["220 hi", "250 ok", "550 never say hunter2"]])
def test_what_a_server_says_shows_no_password(answers):
    script = Script(*answers)
    connector = SmtpConnector(settings_for(script), "hunter2")
    try:
        ((_, outcome),) = connector.send([outgoing()])
    finally:
        script.stop()
        connector.close()
    assert isinstance(outcome, Refused)
    assert "(secret)" in outcome.why
    assert "hunter2" not in outcome.why


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_nobody_vouches_for(inbox, context, tls):
    server = secure_server(inbox, context, tls)
    connector = SmtpConnector(settings_for(server, tls=tls))
    try:
        ((_, outcome),) = connector.send([outgoing()])
    finally:
        connector.close()
        server.stop()
    assert isinstance(outcome, Refused)
    assert not outcome.final
    assert "its certificate does not hold: self-signed certificate" in outcome.why
    assert not inbox.logins


def test_a_server_without_tls_where_it_is_wanted(server):
    connector = SmtpConnector(settings_for(server, tls="starttls"))
    ((_, outcome),) = connector.send([outgoing()])
    assert isinstance(outcome, Refused)
    assert not outcome.final
    assert "STARTTLS" in outcome.why


def test_connectors_are_imported_by_who_needs_them():
    import subprocess

    code = "import sys, tactful.engine.channels; print(sorted({'smtplib', 'ssl', 'html.parser'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
