"""The project file: read whole, and all that is wrong with it told at once, in its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.options.duration import Duration
from tactful.engine.http_options import Http, HttpLimits, KeyOptions, Listen, Webhook
from tactful.engine.project import NotSet, Project, find_project, load_project
from tactful.engine.project_options import KeywordRule, Links, OptOut, PackRule
from tactful.engine.rules.permission import Limit
from tactful.engine.senders import ConsoleSender, InfobipSender, Secret, SmtpSender
from tactful.flows.model import SenderFacts, Surroundings
from tactful.flows.problem import Problem

# As the language's page has it.
WHOLE = """\
database: sqlite:///tactful.db             # or postgresql+psycopg://…
flows: flows/                              # where the flow files are
contact:
  first_name: text
  orders: number
  country: text
  birthday: date
senders:
  "news@acme.example": {channel: email, via: smtp, host: localhost, port: 2525}
  "+38595000111":      {channel: sms, via: infobip, two_way: true}
  "ACME":              {channel: sms, via: infobip, two_way: false}    # alphanumeric: opt-out by link
limits:
  - {messages: 3, per: 7 days, when_limited: hold}
transactional: [password-reset]
opt_out:
  base_url: https://go.acme.example
  keywords:
    - {sender: "+38595000111", keyword: STOP, action: block, level: this_sender, reply: "You won't hear from us."}
    - {sender: "+38595000111", keyword: START, action: unblock, level: this_sender}
    - {pack: us-fcc, level: any_sender, enabled: false}
  links: {enabled: true, level: any_sender}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "flows").mkdir()
    return tmp_path.resolve()


def load(folder, text) -> tuple[Project | None, tuple[Problem, ...]]:
    file = folder / "tactful.yaml"
    file.write_text(text, encoding="utf-8")
    return load_project(file)


def project(folder, text) -> Project:
    found, problems = load(folder, text)
    assert found is not None, "\n".join(problem.render() for problem in problems)
    assert not problems
    return found


def told(folder, text):
    """Line, column and code of every problem."""
    return [(p.place.line, p.place.column, p.code) for p in load(folder, text)[1]]


def only(folder, text):
    (problem,) = load(folder, text)[1]
    return problem


def test_a_whole_project(folder):
    assert project(folder, WHOLE) == Project(
        file=folder / "tactful.yaml",
        database="sqlite:///tactful.db",
        flows=folder / "flows",
        contact={"first_name": "text", "orders": "number", "country": "text", "birthday": "date"},
        senders={
            "news@acme.example": SmtpSender(
                channel="email", via="smtp", host="localhost", port=2525, tls="none", on_unknown="at_least_once"
            ),
            "+38595000111": InfobipSender(channel="sms", via="infobip", two_way=True),
            "ACME": InfobipSender(channel="sms", via="infobip", two_way=False),
        },
        limits=(Limit(3, Duration.parse("7 days"), "hold"),),
        transactional=frozenset({"password-reset"}),
        opt_out=OptOut(
            base_url="https://go.acme.example",
            keywords=(
                KeywordRule(
                    sender="+38595000111", keyword="STOP", action="block", level="this_sender",
                    reply="You won't hear from us.",
                ),
                KeywordRule(sender="+38595000111", keyword="START", action="unblock", level="this_sender"),
                PackRule(pack="us-fcc", level="any_sender", enabled=False),
            ),
            links=Links(enabled=True, level="any_sender"),
        ),
    )  # fmt: skip


def test_what_flows_want_to_know(folder):
    assert project(folder, WHOLE).surroundings() == Surroundings(
        {"first_name": "text", "orders": "number", "country": "text", "birthday": "date"},
        {
            "news@acme.example": SenderFacts("email", reports=frozenset()),  # a mail server tells of nothing
            "+38595000111": SenderFacts("sms"),
            "ACME": SenderFacts("sms", two_way=False),
        },
        frozenset({"password-reset"}),
        opt_out_links=True,
    )


TRACKS = """\
senders:
  a@acme.example: {channel: email, via: smtp, host: localhost, %s}
  b@acme.example: {channel: email, via: console, track: [opened]}
opt_out: {base_url: https://go.acme.example, links: {enabled: false}}
"""


@pytest.mark.parametrize(
    ("written", "reports"),
    [
        ("track: []", set()),
        ("track: [opened]", {"opened"}),
        ("track: [clicked, opened]", {"opened", "clicked"}),
        ("track: [opened], reports: [bounced]", {"opened", "bounced"}),
    ],
)
def test_what_is_tracked_counts_as_reported(folder, written, reports):
    senders = project(folder, TRACKS % written).surroundings().senders
    assert senders is not None
    assert senders["a@acme.example"].reports == reports
    assert senders["b@acme.example"].reports is None, "the console reports whatever email can"


def test_tracking_that_leads_nowhere_is_told_at_its_place(folder):
    text = TRACKS.partition("opt_out")[0] % "track: [opened]"
    assert told(folder, text) == [(2, 64, "links-lead-nowhere"), (3, 50, "links-lead-nowhere")]
    assert told(folder, text + "opt_out: {base_url: nowhere}") == [(4, 21, "bad-url")], "one mistake is told once"
    assert told(folder, text.replace("via: smtp, host: localhost", "via: infobip")) == [
        (2, 29, "wrong-channel"),
        (2, 50, "unknown-option"),
        (3, 50, "links-lead-nowhere"),
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_is_a_project(folder, text):
    found = project(folder, text)
    assert found == Project(file=folder / "tactful.yaml", database="sqlite:///tactful.db", flows=folder)
    assert found.surroundings() == Surroundings(None, None, frozenset(), opt_out_links=False)


def test_everything_that_is_wrong_at_once(folder):
    assert told(
        folder,
        """\
database: mysql://x
flow: x
time_zone: Europe/Zagreb
region: UK
contact: {email: text, first name: text, age: int}
senders:
  a@acme.example: {channel: email, via: smtp, host: localhost, port: 99999, prot: 3}
  b@acme.example: {channel: email, via: smpt}
  c@acme.example: {channel: emial, via: console}
  d@acme.example: 3
limits:
  - {messages: 0, per: 7}
transactional: [fine, A b]
opt_out:
  keyword: []
  keywords:
    - {keyword: "!!", action: blok, level: this}
""",
    ) == [
        (1, 11, "unknown-database"),
        (2, 1, "unknown-option"),
        (3, 1, "unknown-option"),
        (4, 9, "unknown-region"),
        (5, 11, "own-attribute"),
        (5, 24, "bad-name"),
        (5, 47, "bad-choice"),
        (7, 70, "out-of-range"),
        (7, 77, "unknown-option"),
        (8, 41, "unknown-via"),
        (9, 29, "unknown-channel"),
        (10, 19, "wrong-type"),
        (12, 16, "out-of-range"),
        (12, 24, "no-unit"),
        (13, 23, "bad-id"),
        (15, 3, "unknown-option"),
        (17, 17, "bad-keyword"),
        (17, 31, "bad-choice"),
        (17, 44, "bad-choice"),
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("flow: x", "did you mean `flows`?"),
        ("quiet_hours: {from: '21:00'}", "quiet hours stand in a flow's `settings:`"),
        ("time_zone: Europe/Zagreb", "a time zone stands in a flow's `settings:`"),
        ("region: uk", "write `GB`"),
        ("region: Croatia", "two letters, such as `HR`"),
        ("database: postgres://x", "write `postgresql+psycopg`"),
        ("contact: {age: integer}", "write `number`"),
        ("contact: {age: nubmer}", "did you mean `number`?"),
        ("senders: {a@x.example: {channel: email, via: mstp}}", "did you mean `smtp`?"),
        ("senders: {a@x.example: {channel: email}}", "there are `console`, `smtp`, `infobip` and `twilio`"),
        ("senders: {a@x.example: {channel: emial, via: console}}", "did you mean `email`?"),
        ("senders: {a@x.example: {channel: email, via: console, reports: [openned]}}", "did you mean `opened`?"),
        ("senders: {a@X.example: {channel: email, via: console}}", "write `a@x.example`"),
        ("senders: {+385 95 000111: {channel: push, via: console, nam: x}}", "did you mean `name`?"),
        ("senders: {a@x.example: {channel: email, via: console, track: [openned]}}", "did you mean `opened`?"),
        ("senders: {+38595000111: {channel: sms, via: console, track: [clicked]}}", "leave it out"),
        (
            "senders: {a@x.example: {channel: email, via: console, track: [opened]}}",
            "write `opt_out: {base_url: https://…}`, where this engine answers, or leave `track` out",
        ),
        ("opt_out: {links: {enabled: true}}", "write `base_url: https://…` above, or `enabled: false`"),
    ],
)
def test_hints(folder, text, hint):
    assert only(folder, text).hint == hint


@pytest.mark.parametrize(
    "text",
    ["- a", "text", "senders: []", "senders:", "limits: {}", "limits: [3]", "opt_out: 3", "opt_out: {keywords: 3}",
     "opt_out: {keywords: [3]}", "opt_out: {links: 3}", "contact: [a]", "contact: {a: [1]}", "senders: {a: {via: [1]}}",
     "{", "a: 1\na: 2", "\0", "database: {env: 1 2}", "flows: [a]", "transactional: x", "region: 3"],
)  # fmt: skip
def test_what_has_the_wrong_shape_is_told(folder, text):
    found, problems = load(folder, text)
    assert found is None
    assert problems


@given(st.text(max_size=60))
def test_any_text_is_a_project_or_told(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    found, problems = load_project(file)
    assert (found is None) == any(problem.severity == "error" for problem in problems)


PIECES = st.recursive(
    st.sampled_from([None, 1, True, "x", "email", "smtp", "7 days", "a@x.example"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["via", "channel", "host", "keyword", "keywords", "links", "a@x.example", "per", "env"]),
        inner, max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["database", "flows", "contact", "senders", "limits", "transactional", "opt_out", "region"]),
        PIECES,
        max_size=3,
    )
)
def test_any_shape_is_a_project_or_told(tmp_path_factory, data):
    import json

    file = tmp_path_factory.getbasetemp() / "shape.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    found, problems = load_project(file)
    assert (found is None) == any(problem.severity == "error" for problem in problems)


def test_a_file_that_is_not_there(folder):
    found, (problem,) = load_project(folder / "tactful.yaml")
    assert found is None
    assert problem.render().endswith(
        ":1:1: error: the file cannot be read: no such file or directory [file-unreadable]"
    )
    assert load_project(folder)[1][0].code == "file-unreadable"


# --- Senders -------------------------------------------------------------------------------------


def sender(folder, name, options, **more):
    found = project(
        folder, f"senders:\n  {name!r}: {options}\nopt_out: {{base_url: https://go.acme.example}}\n", **more
    )
    assert found.senders is not None
    return found.senders[name]


@pytest.mark.parametrize(
    ("written", "port", "tls"),
    [
        ("host: mail.example", 587, "starttls"),
        ("host: mail.example, port: 465", 465, "implicit"),
        ("host: mail.example, tls: implicit", 465, "implicit"),
        ("host: mail.example, tls: none", 25, "none"),
        ("host: mail.example, port: 2525", 2525, "starttls"),
        ("host: localhost", 25, "none"),
        ("host: 127.0.0.1, port: 1025", 1025, "none"),
        ("host: '::1', tls: starttls", 587, "starttls"),
    ],
)
def test_the_usual_port_and_tls(folder, written, port, tls):
    found = sender(folder, "a@x.example", f"{{channel: email, via: smtp, {written}}}")
    assert isinstance(found, SmtpSender)
    assert (found.port, found.tls) == (port, tls)


def test_a_login(folder):
    login = "username: acme, password: {env: SMTP_PASSWORD}"
    found = sender(folder, "a@x.example", f"{{channel: email, via: smtp, host: mail.example, {login}}}")
    assert isinstance(found, SmtpSender)
    assert found.password == Secret(env="SMTP_PASSWORD")
    assert found.password.value({"SMTP_PASSWORD": "hunter2"}) == "hunter2"
    assert found.password.value({}) is None


def test_a_secret_in_the_file_is_an_error_that_does_not_show_it(folder):
    text = "senders:\n  a@x.example: {channel: email, via: smtp, host: h, username: acme, password: hunter2}\n"
    problem = only(folder, text)
    assert problem.code == "secret-in-file"
    assert problem.hint == "put it in an environment variable and write `{env: NAME_OF_THE_VARIABLE}`"
    assert "hunter2" not in problem.render()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("{channel: email, via: smtp, host: h, username: acme}", "half-a-login"),
        ("{channel: email, via: smtp, host: h, tls: none, username: a, password: {env: P}}", "password-in-the-clear"),
        ("{channel: sms, via: smtp, host: h}", "wrong-channel"),
        ("{channel: email, via: smtp}", "missing-option"),
        ("{channel: email, via: smtp, host: 'a b'}", "bad-host"),
        ("{channel: email, via: smtp, host: h, username: a, password: {env: 'a b'}}", "bad-name"),
        ("{channel: email, via: smtp, host: h, username: a, password: {}}", "missing-option"),
        ("{channel: email, via: console, rate: 0}", "out-of-range"),
        ("{channel: email, via: console, reply_to: nobody}", "bad-address"),
        ("{channel: email, via: console, on_unknown: twice}", "bad-choice"),
        ("{channel: email, via: console, host: h}", "unknown-option"),
        ("{channel: push, via: console, two_way: true}", "one-way"),
    ],
)
def test_a_sender_that_cannot_be(folder, options, code):
    assert [found for _, _, found in told(folder, f"senders: {{a@x.example: {options}}}")] == [code]


@pytest.mark.parametrize(
    ("name", "channel", "two_way"),
    [
        ("a@x.example", "email", True),
        ("+38595000111", "sms", True),
        ("+38595000111", "whatsapp", True),
        ("88222", "sms", True),
        ("ACME", "sms", False),
        ("Acme 24", "sms", False),
        ("app", "push", False),
    ],
)
def test_who_can_be_answered(folder, name, channel, two_way):
    assert sender(folder, name, f"{{channel: {channel}, via: console}}").two_way is two_way


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("ACME", "email"),
        ("ACME", "whatsapp"),
        ("88222", "whatsapp"),
        ("a@x.example", "sms"),
        ("A name too long", "sms"),
        ("385950001110", "sms"),
        ("+385", "sms"),
        ("+385 95 000111", "sms"),
    ],
)
def test_names_no_sender_has(folder, name, channel):
    assert only(folder, f"senders: {{'{name}': {{channel: {channel}, via: console}}}}").code == "bad-sender"


def test_sms_never_reports_opened(folder):
    problem = only(folder, "senders: {'+38595000111': {channel: sms, via: console, reports: [opened]}}")
    assert problem.message == "sms never reports `opened`"
    assert problem.hint == "it can report bounced, clicked, delivered, opted_out, replied"


def test_what_senders_do_unless_told_otherwise(folder):
    email = sender(folder, "a@x.example", "{channel: email, via: console, folder: sent, reports: [opened]}")
    assert isinstance(email, ConsoleSender)
    assert email.folder == folder / "sent"
    assert email.on_unknown == "at_least_once"
    assert email.reports == frozenset({"opened"})
    assert sender(folder, "ACME", "{channel: sms, via: console}").on_unknown == "at_most_once"
    assert (
        sender(folder, "ACME", "{channel: sms, via: console, on_unknown: at_least_once}").on_unknown == "at_least_once"
    )
    assert sender(folder, "ACME", "{channel: sms, via: console, rate: 0.5}").rate == 0.5


# --- Opt-outs ------------------------------------------------------------------------------------

TWO = 'senders:\n  "+38595000111": {channel: sms, via: console}\n  "ACME": {channel: sms, via: console}\n'


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("[{sender: '+3859500011', keyword: STOP, action: block, level: any_sender}]", "unknown-sender"),
        ("[{sender: ACME, keyword: STOP, action: block, level: any_sender}]", "one-way"),
        ("[{keyword: STOP, action: block}]", "missing-option"),
        ("[{keyword: STOP, level: any_sender}]", "missing-option"),
        ("[{pack: us-fc, level: any_sender}]", "unknown-pack"),
        ("[{pack: us-fcc, keyword: STOP, level: any_sender}]", "unknown-option"),
        (
            (
                "[{keyword: STOP, action: block, level: any_sender}, "
                "{keyword: ' stop! ', action: unblock, level: any_sender}]"
            ),
            "duplicate-keyword",
        ),
    ],
)
def test_a_rule_that_cannot_be(folder, rules, code):
    text = f"{TWO}opt_out: {{base_url: https://go.acme.example, keywords: {rules}}}\n"
    assert [found for _, _, found in told(folder, text)] == [code]


def test_one_keyword_may_mean_different_things_to_different_senders(folder):
    rules = (
        "[{keyword: STOP, action: block, level: any_sender}, "
        "{sender: '+38595000111', keyword: STOP, action: block, level: this_sender}, "
        "{sender: '+38595000111', keyword: STOP, action: unblock, level: this_sender, enabled: false}]"
    )
    found = project(folder, f"{TWO}opt_out: {{base_url: https://go.acme.example, keywords: {rules}}}\n")
    assert len(found.opt_out.keywords) == 3


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://go.acme.example", True),
        ("https://go.acme.example/out/", True),
        ("http://localhost:8000", True),
        ("http://go.acme.example", False),
        ("go.acme.example", False),
        ("https://", False),
        ("https://go.acme.example?x=1", False),
        ("https://[", False),
        ("ftp://go.acme.example", False),
    ],
)
def test_where_links_lead(folder, url, fine):
    found, problems = load(folder, f"opt_out: {{base_url: '{url}'}}")
    if fine:
        assert found is not None
        assert found.opt_out.base_url == url.rstrip("/")
        assert found.opt_out.links.enabled
    else:
        assert [problem.code for problem in problems] == ["bad-url"]


def test_a_number_nobody_can_opt_out_from_is_a_warning(folder):
    found, problems = load(folder, TWO)
    assert found is not None
    assert [problem.render().splitlines()[0].partition(": ")[2] for problem in problems] == [
        "warning: nobody can opt out from `+38595000111` [no-way-out]",
        "warning: nobody can opt out from `ACME` [no-way-out]",
    ]
    assert [problem.hint for problem in problems] == ["add a keyword rule for STOP", "enable opt-out links"]
    keyword = "opt_out: {keywords: [{keyword: STOP, action: block, level: any_sender}]}"
    assert told(folder, TWO + keyword) == [(3, 3, "no-way-out")]
    assert told(folder, TWO + "opt_out: {base_url: https://go.acme.example}") == []


@pytest.mark.parametrize(
    ("written", "days"),
    [("5 years", 1827), ("6 years", 2192), ("10 years", 3653), ("2000 days", 2000), ("300 weeks", 2100)],
)
def test_histories_are_kept_for_so_long(folder, written, days):
    assert project(folder, f"opt_out: {{keep_history: {written}}}").keep_history.days == days


def test_histories_are_kept_for_five_years_where_nothing_is_said(folder):
    assert project(folder, "").keep_history.days == 1827


def test_a_country_may_ask_for_longer_and_never_for_less(folder):
    (folder / "tactful.yaml").write_text("countries: [us]\nopt_out: {keep_history: 30 days}")
    found, _ = load_project(folder / "tactful.yaml")
    assert found is not None
    assert found.keep_history.days == 1827
    assert project(folder, "countries: [us]\nopt_out: {keep_history: 6 years}").keep_history.days == 2192


@pytest.mark.parametrize("written", ["30 days", "4 years", "1826 days"])
def test_less_than_five_years_is_a_warning(folder, written):
    problem = only(folder, f"opt_out: {{keep_history: {written}}}")
    assert (problem.severity, problem.code, problem.place.column) == ("warning", "kept-too-short", 25)


@pytest.mark.parametrize("written", ["0 years", "11 years", "5 months", "5", "forever"])
def test_what_is_no_time_to_keep_histories(folder, written):
    assert only(folder, f"opt_out: {{keep_history: {written}}}").severity == "error"


@pytest.mark.parametrize(("written", "hint"), [("2 yeers", "years"), ("1 jear", "years"), ("100 dais", "days")])
@pytest.mark.parametrize("option", ["keep_journeys: %s", "opt_out: {keep_history: %s}"])
def test_a_mistyped_year_is_known(folder, option, written, hint):
    problem = only(folder, option % written)
    assert (problem.code, problem.hint) == ("unknown-unit", f"did you mean `{hint}`?")
    assert problem.place.column == option.index("%") + 1 + written.index(" ") + 1


def test_limits_look_back_so_far(folder):
    assert only(folder, "limits: [{messages: 1, per: 401 days}]").code == "too-long"
    assert (
        project(folder, "limits: [{messages: 1, per: 400 days, when_limited: skip}]").limits[0].when_limited == "skip"
    )


# --- HTTP ----------------------------------------------------------------------------------------

HTTP = """
http:
  host: 0.0.0.0
  port: 80
  public: {host: "::", port: 443}
  keys:
    - {name: the shop, key: {env: SHOP_KEY}, scopes: [events, "do-not-contact:read"]}
  limits: {per_key: 60, megabytes: 1}
webhooks:
  - {url: "https://crm.acme.example/hooks?x=1", secret: {env: CRM_SECRET}}
  - {url: "http://localhost:9000", secret: {env: CRM_SECRET}}
"""


def test_where_it_listens_and_whom_it_tells(folder):
    found = project(folder, HTTP)
    assert found.http == Http(
        host="0.0.0.0",
        port=80,
        public=Listen(host="::", port=443),
        keys=(KeyOptions(name="the shop", key=Secret(env="SHOP_KEY"), scopes=("events", "do-not-contact:read")),),
        limits=HttpLimits(per_key=60, megabytes=1),
    )
    assert found.webhooks == (
        Webhook(url="https://crm.acme.example/hooks?x=1", secret=Secret(env="CRM_SECRET")),
        Webhook(url="http://localhost:9000", secret=Secret(env="CRM_SECRET")),
    )


def test_without_the_section_nothing_listens_and_with_an_empty_one_this_machine_is_answered(folder):
    assert project(folder, "").http is None
    assert project(folder, "http: {}").http == Http(host="127.0.0.1", port=8080)


def test_everything_that_is_wrong_with_http_at_once(folder):
    found = told(
        folder,
        """\
http:
  host: "a b"
  port: 0
  public: {host: 1.2.3.4, prot: 3}
  limits: {per_key: 0}
  keys:
    - {name: shop, key: hunter2, scopes: [event]}
    - {name: "a\\nb", key: {env: "A B"}, scopes: []}
    - {name: web, key: {env: K}, scopes: [events]}
    - {name: web, key: {env: K}, scopes: [events]}
webhooks:
  - {url: "http://x.example", secret: {env: S}}
  - {url: "https://x.example/a", secret: {env: S}}
  - {url: "https://x.example/a", secret: {env: S}}
  - {url: "https://u:p@x.example/a", secret: {env: S}}
  - {url: "https://[", secret: whsec_x}
""",
    )
    assert found == [
        (2, 9, "bad-host"),
        (3, 9, "out-of-range"),
        (4, 27, "unknown-option"),
        (5, 21, "out-of-range"),
        (7, 25, "secret-in-file"),
        (7, 42, "unknown-scope"),
        (8, 14, "bad-name"),
        (8, 33, "bad-name"),
        (8, 49, "too-short"),
        (10, 7, "duplicate-name"),
        (12, 11, "bad-url"),
        (14, 5, "duplicate-webhook"),
        (15, 11, "secret-in-file"),
        (16, 11, "bad-url"),
        (16, 32, "secret-in-file"),
    ]


def test_a_secret_in_the_file_is_not_shown(folder):
    _, problems = load(folder, "http: {keys: [{name: a, key: hunter2, scopes: [events]}]}")
    assert "hunter2" not in "".join(problem.render() for problem in problems)


@pytest.mark.parametrize(
    ("others", "whose"),
    [("public: {port: 80}", "the API"), ("watch: {port: 80}", "the API"),
     ("public: {port: 81}, watch: {port: 81}", "`public`")],
)  # fmt: skip
def test_what_has_an_address_of_its_own_shares_it_with_nothing(folder, others, whose):
    problem = only(folder, f"http: {{port: 80, {others}}}")
    assert (problem.code, problem.hint) == ("same-address", "leave it out, or name another")
    assert problem.message == f"this is the address of {whose} already"


# --- Places --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("sqlite:///tactful.db", "sqlite:///{folder}/tactful.db"),
        ("sqlite:///data/x.db?timeout=5", "sqlite:///{folder}/data/x.db?timeout=5"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ("'sqlite:///:memory:'", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://db.example/acme", "postgresql+psycopg://db.example/acme"),
    ],
)
def test_the_databases_address(folder, written, url):
    expected = url.format(folder=folder)
    assert project(folder, f"database: {written}").database_url({}) == expected
    assert project(folder, "database: {env: DB}").database_url({"DB": written.strip("'")}) == expected


def test_an_address_that_is_not_set(folder):
    with pytest.raises(NotSet, match="the environment variable DB, the database's address, is not set"):
        project(folder, "database: {env: DB}").database_url({})


def test_a_password_in_the_databases_address_is_a_warning_that_does_not_show_it(folder):
    found, (problem,) = load(folder, "database: postgresql+psycopg://acme:hunter2@db.example/acme")
    assert found is not None
    assert (problem.severity, problem.code) == ("warning", "secret-in-file")
    assert "hunter2" not in problem.render()


@pytest.mark.parametrize(
    ("address", "severity", "code"),
    [
        ("postgresql+psycopg:///acme?host=db.example&password=hunter2", "warning", "secret-in-file"),
        ("postgresql+psycopg:///acme?sslpassword=hunter2", "warning", "secret-in-file"),
        ("postgres://acme:hunter2@db.example/acme", "error", "unknown-database"),
    ],
)
def test_a_password_is_not_shown_wherever_in_the_address_it_stands(folder, address, severity, code):
    _, (problem,) = load(folder, f"database: {address}")
    assert (problem.severity, problem.code) == (severity, code)
    assert "hunter2" not in problem.render()


@pytest.mark.parametrize(("secret", "warned"), [("change-me", True), ("x" * 23, True), ("x" * 24, False), ("", False)])
def test_a_secret_that_is_soon_guessed_is_warned_of(folder, monkeypatch, secret, warned):
    monkeypatch.setenv("TACTFUL_SECRET", secret)
    found, problems = load(folder, "region: HR\nsecret: {env: TACTFUL_SECRET}")
    assert found is not None, "links that were sent stay good"
    places = [(each.place.line, each.place.column, each.severity, each.code) for each in problems]
    assert places == ([(2, 9, "warning", "short-secret")] if warned else [])
    assert "change-me" not in "".join(each.render() for each in problems)


MAKE_IT = "make it, or name the one with the flow files, as seen from this file"


@pytest.mark.parametrize("written", ["flowz", "../away/flows", "a.yaml"])
def test_flows_stand_in_a_folder_that_is_there(folder, written):
    (folder / "a.yaml").write_text("")
    found, (problem,) = load(folder, f"region: HR\nflows: {written}")
    assert found is not None, "what needs no flows goes on"
    assert (problem.place.line, problem.place.column) == (2, 8)
    assert (problem.severity, problem.code, problem.hint) == ("warning", "no-folder", MAKE_IT)
    assert problem.message == f"there is no folder `{written}`, so there are no flows"


def test_the_nearest_project(folder):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (folder / "tactful.yaml").write_text("")
    assert find_project(inner) == folder / "tactful.yaml"
    (folder / "a" / "tactful.yaml").write_text("")
    assert find_project(inner) == find_project(inner / "flow.yaml") == folder / "a" / "tactful.yaml"


def test_which_files_are_flows(folder, monkeypatch):
    names = ["tactful.yaml", "b.yaml", "a.yml", "a.flowtest.yaml", "sub/c.yaml", ".hidden/d.yaml", "note.txt", "a.html"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    found = project(folder, "")
    assert [file.relative_to(folder).as_posix() for file in found.flow_files()] == ["a.yml", "b.yaml", "sub/c.yaml"]
    monkeypatch.chdir(folder)
    relative, _ = load_project(Path("tactful.yaml"))
    assert relative is not None
    assert relative.flow_files() == found.flow_files()
    assert project(folder, "flows: flows").flow_files() == []
