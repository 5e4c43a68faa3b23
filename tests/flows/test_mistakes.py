"""Broken flows, and what is said of each: every mistake at its place, in one go.

A row is the YAML, the problems as `line:column code` in the order they are told (warnings end with `?`), and where it
matters the project around and the files beside.
"""

import pytest

from tactful.flows.load import load_sources
from tactful.flows.model import LONE, SenderFacts, Surroundings

SENDERS = {
    "news@acme.example": SenderFacts("email"),
    "blind@acme.example": SenderFacts("email", reports=frozenset({"delivered"})),
    "+38595000111": SenderFacts("sms"),
    "ACME": SenderFacts("sms", two_way=False),
}
PROJECT = Surroundings(
    attributes={"first_name": "text", "orders": "number", "birthday": "date", "vip": "boolean", "likes": "list"},
    senders=SENDERS,
    transactional=frozenset({"password-reset"}),
    opt_out_links=True,
)
NO_LINKS = Surroundings(senders=SENDERS, opt_out_links=False)

# fmt: off
ROWS = {
    "unknown type": (
        """\
flow: f
elements:
  a: {type: send_emial, subject: x}
  b:
    type: pose
""",
        ["3:13 unknown-type", "4:3 unreachable", "5:11 unknown-type"],
        LONE, {},
    ),
    "unknown option": (
        """\
flow: f
elements:
  a: {type: pause, fro: 3 days}
  b: {type: pause, for: 3 days, nxt: a}
""",
        ["3:20 unknown-option", "4:3 unreachable", "4:33 unknown-option"],
        LONE, {},
    ),
    "unknown exit": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    within: 3 days
    next: {hapened: b, timed_out: end}
  b: {type: pause, for: 1 day}
""",
        ["7:12 unknown-exit"],
        LONE, {},
    ),
    "unknown exit2": (
        """\
flow: f
elements:
  a:
    type: pause
    for: 3 days
    next: {zzz: end}
""",
        ["3:3 open-exit", "6:12 unknown-exit"],
        LONE, {},
    ),
    "open exit": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    within: 3 days
    next: {happened: end}
""",
        ["3:3 open-exit"],
        LONE, {},
    ),
    "open exits": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    within: 3 days
""",
        ["3:3 open-exit"],
        LONE, {},
    ),
    "next end": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    within: 3 days
    next: end
""",
        [],
        LONE, {},
    ),
    "unclear next": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    within: 3 days
    next: b
  b: {type: goal, name: x}
""",
        ["7:11 unclear-next"],
        LONE, {},
    ),
    "no within": (
        """\
flow: f
elements:
  a:
    type: wait_for_event
    event: bought
    next: end
""",
        ["3:3 missing-option"],
        LONE, {},
    ),
    "unknown element": (
        """\
flow: f
elements:
  a: {type: pause, for: 1 day, next: bb}
  b: {type: goal, name: x, next: zzzz}
  bc: {type: goal, name: x}
""",
        ["3:38 unknown-element", "4:34 unknown-element", "5:3 unreachable"],
        LONE, {},
    ),
    "unreachable": (
        """\
flow: f
elements:
  a: {type: pause, for: 1 day}
  b: {type: goal, name: x, next: c}
  c: {type: goal, name: x, next: b}
""",
        ["4:3 unreachable", "4:3 circle", "5:3 unreachable"],
        LONE, {},
    ),
    "circle": (
        """\
flow: f
start: b
elements:
  a: {type: goal, name: x, next: b}
  b: {type: branch, paths: {x: contact.a == 1}, next: {x: a, otherwise: end}}
""",
        ["4:3 circle"],
        LONE, {},
    ),
    "selfcircle": (
        """\
flow: f
elements:
  a: {type: goal, name: x, next: a}
""",
        ["3:3 circle"],
        LONE, {},
    ),
    "ok circle": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: a, within: 1 day, next: {happened: end, timed_out: a}}
""",
        [],
        LONE, {},
    ),
    "bad msg circle": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: a, within: 1 day, next: {happened: c, timed_out: c}}
  c: {type: goal, name: x, next: b}
""",
        ["4:3 circle"],
        LONE, {},
    ),
    "unsent circle": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: {sent: b, failed: b}}
  b:
    {type: wait_for_event, event: clicked, message: a, within: 1 day,
    next: {happened: end, timed_out: end, not_sent: a}}
""",
        ["3:3 circle"],
        LONE, {},
    ),
    "not a send": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: b, within: 1 day, next: end}
""",
        ["4:54 not-a-send"],
        LONE, {},
    ),
    "msg unknown": (
        """\
flow: f
elements:
  offer: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: [ofer, xxx], within: 1 day, next: end}
""",
        ["4:55 unknown-element", "4:61 unknown-element"],
        LONE, {},
    ),
    "not every path": (
        """\
flow: f
elements:
  s: {type: split, paths: {x: 1, y: 1}, next: {x: a, y: b}}
  a: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: a, within: 1 day, next: {happened: end, timed_out: end}}
""",
        ["5:54 not-always-sent"],
        LONE, {},
    ),
    "every path multi": (
        """\
flow: f
elements:
  s: {type: split, paths: {x: 1, y: 1}, next: {x: a, y: c}}
  a: {type: send_sms, text: x, next: {sent: b, failed: c}}
  c: {type: send_email, subject: x, text: x, next: b}
  b: {type: wait_for_event, event: clicked, message: [a, c], within: 1 day, next: {happened: end, timed_out: end}}
""",
        [],
        LONE, {},
    ),
    "failed path": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: {sent: b, failed: b}}
  b: {type: wait_for_event, event: clicked, message: a, within: 1 day, next: {happened: end, timed_out: end}}
""",
        ["4:54 not-always-sent"],
        LONE, {},
    ),
    "sms opened": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b:
    type: wait_for_event
    event: opened
    message: a
    within: 1 day
    next: {happened: end, timed_out: c}
  c: {type: add_to_do_not_contact, channel: sms}
""",
        ["6:12 never-reported"],
        LONE, {},
    ),
    "sms opened nomsg": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b:
    type: wait_for_event
    event: opened
    within: 1 day
    next: {happened: end, timed_out: end}
""",
        ["6:12 never-reported"],
        LONE, {},
    ),
    "opened no send": (
        """\
flow: f
elements:
  b:
    type: wait_for_event
    event: opened
    within: 1 day
    next: {happened: end, timed_out: end}
""",
        ["5:12 never-reported"],
        LONE, {},
    ),
    "blind sender": (
        """\
flow: f
settings: {sender: {email: blind@acme.example}}
elements:
  a: {type: send_email, subject: x, text: y, next: b}
  b:
    type: wait_for_event
    event: opened
    message: a
    within: 1 day
    next: {happened: end, timed_out: end}
""",
        ["7:12 never-reported"],
        PROJECT, {},
    ),
    "oneway reply": (
        """\
flow: f
settings: {sender: {sms: ACME}}
elements:
  a: {type: send_sms, text: 'x {{ opt_out_link }}', next: b}
  b:
    type: wait_for_reply
    message: a
    within: 1 day
    paths: {y: [yes]}
    next: {y: end, otherwise: end, timed_out: end}
""",
        ["7:14 never-reported"],
        PROJECT, {},
    ),
    "send after dnc": (
        """\
flow: f
elements:
  a: {type: add_to_do_not_contact, channel: all, next: b}
  b: {type: send_sms, text: x}
""",
        ["4:3 send-after-opt-out"],
        LONE, {},
    ),
    "send after dnc lifted": (
        """\
flow: f
elements:
  a: {type: add_to_do_not_contact, channel: sms, next: r}
  r: {type: remove_from_do_not_contact, channel: sms, next: b}
  b: {type: send_sms, text: x}
""",
        [],
        LONE, {},
    ),
    "dnc other sender": (
        """\
flow: f
settings: {sender: {sms: ACME}}
elements:
  a: {type: add_to_do_not_contact, channel: sms, level: this_sender, sender: '+38595000111', next: b}
  b: {type: send_sms, text: x}
""",
        [],
        LONE, {},
    ),
    "dnc same sender": (
        """\
flow: f
settings: {sender: {sms: ACME}}
elements:
  a: {type: add_to_do_not_contact, channel: sms, level: this_sender, next: b}
  b: {type: send_sms, text: x}
""",
        ["5:3 send-after-opt-out"],
        LONE, {},
    ),
    "dnc transactional": (
        """\
flow: password-reset
settings: {purpose: transactional}
elements:
  a: {type: add_to_do_not_contact, channel: sms, next: b}
  b: {type: send_sms, text: x}
""",
        [],
        LONE, {},
    ),
    "oneway marketing": (
        """\
flow: f
settings: {sender: {sms: ACME}}
elements:
  a: {type: send_sms, text: x}
""",
        ["4:3 no-opt-out"],
        PROJECT, {},
    ),
    "pause eats": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: p}
  p: {type: pause, for: 3 days, next: b}
  b: {type: wait_for_event, event: clicked, message: a, within: 2 days, next: end}
""",
        ["5:65 pause-eats-wait"],
        LONE, {},
    ),
    "pause part": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: p}
  p: {type: pause, for: 1 days, next: b}
  b: {type: wait_for_event, event: clicked, message: a, within: 2 days, next: end}
""",
        ["5:65 pause-shortens-wait?"],
        LONE, {},
    ),
    "senders": (
        """\
flow: f
settings: {sender: {email: nws@acme.example, sms: news@acme.example, emial: x}}
elements:
  a: {type: send_sms, text: x, sender: foo, next: b}
  b: {type: send_email, subject: x, text: y, purpose: transactional}
""",
        [
            "2:28 unknown-sender", "2:51 wrong-channel", "2:70 unknown-channel", "4:40 unknown-sender",
            "5:55 not-transactional",
        ],
        PROJECT, {},
    ),
    "no sender": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x}
""",
        ["3:3 no-sender"],
        PROJECT, {},
    ),
    "attrs": (
        """\
flow: f
entry: {event: e, where: contact.ordrs > 3 and entry.x == 1}
elements:
  a: {type: branch, paths: {x: contact.orders == 'a', y: contact.birthdy == 1}, next: {x: b, y: b, otherwise: b}}
  b:
    type: send_email
    subject: 'Hi {{ contact.frst_name }}'
    html: |
      Hello
      {{ contct.first_name }} {{ contact.likez }}
    sender: news@acme.example
    next: c
  c: {type: update_contact, set: {vip: 3, ordrs: 4, first_name: 5, birthday: soon}, next: d}
  d: {type: pause, until: contact.birthdy}
""",
        [
            "2:26 unknown-attribute", "2:48 no-such-name-here", "4:32 type-mismatch", "4:58 unknown-attribute",
            "7:21 unknown-attribute", "10:10 unknown-name", "10:34 unknown-attribute", "13:40 type-mismatch",
            "13:43 unknown-attribute", "13:65 type-mismatch", "13:78 type-mismatch", "14:27 unknown-attribute",
        ],
        PROJECT, {},
    ),
    "segment": (
        """\
flow: f
entry: {segment: entry.x == 1}
elements:
  a: {type: branch, paths: {x: entry.value > 3}, next: {x: end, otherwise: end}}
""",
        ["2:18 no-such-name-here", "4:32 no-entry-event"],
        LONE, {},
    ),
    "byhand": (
        """\
flow: f
elements:
  a: {type: branch, paths: {x: entry.value > 3}, next: {x: end, otherwise: end}}
""",
        ["3:32 no-entry-event?"],
        LONE, {},
    ),
    "files": (
        """\
flow: f
elements:
  a: {type: send_email, subject: x, html: {file: ofer.html}, next: b}
  b: {type: send_email, subject: x, html: {file: ../x.html}, next: c}
  c:
    type: send_email
    subject: x
    html: {file: bad.html}
""",
        ["3:50 file-missing", "4:50 file-outside", "bad.html:2:4 bad-template"],
        LONE, {"offer.html": "x", "bad.html": "a\n b {{ c |"},
    ),
    "header": (
        """\
flow: My Flow
language: 2
abot: x
entry: {event: a, schedule: 0 9 * *, audience: contact.x ==, again: after 3 dayz}
stop_when:
  - {event: a, when: contact.x == 1}
  - {where: contact.x == 1}
  - foo
settings:
  quiet_hours: {from: 25:00, until: 08:00}
  time_zone: Europe/Zagrb
  purpose: marketting
start: b
elements:
  a: {type: goal, name: x}
""",
        [
            "1:7 bad-id", "2:11 unknown-language", "3:1 unknown-key", "4:19 entry-twice",
            "4:29 bad-cron", "4:58 bad-condition", "4:77 unknown-unit", "6:16 stop-twice",
            "7:5 missing-option", "8:5 wrong-type", "10:23 bad-time", "11:14 unknown-zone",
            "12:12 bad-choice", "13:8 unknown-element",
        ],
        LONE, {},
    ),
    "ids": (
        """\
flow: f
elements:
  end: {type: goal, name: x, next: Foo Bar}
  Foo Bar: {type: goal, name: x, next: otherwise}
  otherwise: {type: goal, name: x}
  x:
""",
        ["3:3 reserved-id", "3:3 circle", "4:3 bad-id", "5:3 reserved-id", "6:3 empty", "6:3 unreachable"],
        LONE, {},
    ),
    "dups": (
        """\
flow: f
flow: g
elements:
  a: {type: goal, name: x, nam: 3, name: [1], next: b}
  a: {type: gaol, name: x}
  b: {type: pause, for: 3 dys, for: 3 dyas}
""",
        [
            "2:1 duplicate-key", "4:28 unknown-option", "4:36 duplicate-key", "4:42 wrong-type",
            "5:3 duplicate-key", "5:13 unknown-type", "6:27 unknown-unit", "6:32 duplicate-key",
            "6:39 unknown-unit",
        ],
        LONE, {},
    ),
    "quiet eq": (
        """\
flow: f
settings: {quiet_hours: {from: '08:00', until: '8:00'}}
elements:
  a: {type: goal, name: x}
""",
        ["2:25 bad-quiet-hours"],
        LONE, {},
    ),
    "empties": (
        """\
flow:
entry:
stop_when:
settings:
elements:
""",
        ["1:1 empty", "2:1 empty", "5:1 empty"],
        LONE, {},
    ),
    "empties2": (
        """\
flow: a
entry: {event: }
stop_when: [{event: }]
settings: {sender: }
elements:
  a:
    type:
  b:
    type: pause
    for:
    next:
""",
        ["2:9 empty", "3:14 empty", "4:12 empty", "7:5 empty", "8:3 for-or-until", "8:3 unreachable", "11:5 empty"],
        LONE, {},
    ),
    "scalar root": (
        """\
hello
""",
        ["1:1 not-a-flow"],
        LONE, {},
    ),
    "list root": (
        """\
- a
""",
        ["1:1 not-a-flow"],
        LONE, {},
    ),
    "empty file": (
        """\
# nothing
""",
        ["1:1 not-a-flow"],
        LONE, {},
    ),
    "numbers": (
        """\
flow: f
elements:
  a: {type: send_sms, text: 2024, next: b}
  b: {type: wait_for_event, event: 5, within: 48, next: {happened: 3, timed_out: end}}
  3: {type: split, paths: {a: 1.10, b: x}, next: {a: 1.0, b: end}}
  1.0: {type: goal, name: 1.0}
""",
        ["4:47 no-unit", "5:40 wrong-type", "6:3 bad-id"],
        LONE, {},
    ),
    "cond offs": (
        """\
flow: f
elements:
  a:
    type: branch
    paths:
      x: contact.a ==\x20
      y: 'contact.b === 1'
      z: "contact.c + 1"
      w: >-
        contact.d ++
    next: end
""",
        ["6:20 bad-condition", "7:23 bad-condition", "8:11 bad-condition", "9:10 bad-condition"],
        LONE, {},
    ),
    "msg optional": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: b}
  b: {type: wait_for_event, event: bought, message: a, within: 1 day, next: end}
""",
        ["4:36 not-a-message-event"],
        LONE, {},
    ),
    "stop": (
        """\
flow: f
stop_when:
  - {event: x, when: contact.x == 1, gaol: true}
  - {when: event.x == 1}
elements:
  a: {type: goal, name: x}
""",
        ["3:16 stop-twice", "3:38 unknown-option", "4:12 no-such-name-here"],
        LONE, {},
    ),
    "for_": (
        """\
flow: f
elements:
  a: {type: pause, for_: 1 day}
""",
        ["3:20 unknown-option"],
        LONE, {},
    ),
    "path names": (
        """\
flow: f
elements:
  a: {type: branch, paths: {end: contact.x == 1, 'a b': contact.x == 2}, next: end}
""",
        ["3:29 reserved-name", "3:50 bad-name"],
        LONE, {},
    ),
    "dnc on one branch": (
        """\
flow: f
elements:
  s: {type: split, paths: {x: 1, y: 1}, next: {x: a, y: b}}
  a: {type: add_to_do_not_contact, channel: email, next: w}
  w: {type: pause, for: 1 day, next: b}
  b: {type: send_email, subject: x, text: y, next: c}
  c: {type: send_sms, text: x}
""",
        ["6:3 send-after-opt-out"],
        LONE, {},
    ),
    "dnc in a circle": (
        """\
flow: f
elements:
  b: {type: send_email, subject: x, text: y, next: w}
  w: {type: pause, for: 1 day, next: a}
  a: {type: add_to_do_not_contact, channel: email, covers: everything, next: b}
""",
        ["3:3 send-after-opt-out"],
        LONE, {},
    ),
    "resent in vain": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: {sent: p, failed: b}}
  p: {type: pause, for: 1 hour, next: a}
  b: {type: wait_for_event, event: clicked, message: a, within: 1 day, next: {happened: end, timed_out: end}}
""",
        ["5:54 not-always-sent", "5:65 pause-shortens-wait?"],
        LONE, {},
    ),
    "mixed channels": (
        """\
flow: f
elements:
  a: {type: send_sms, text: x, next: {sent: w, failed: b}}
  b: {type: send_email, subject: x, text: y, next: w}
  w: {type: wait_for_event, event: opened, message: [a, b], within: 1 day, next: {happened: end, timed_out: end}}
""",
        ["5:36 never-reported"],
        LONE, {},
    ),
    "reserved and bad targets": (
        """\
flow: f
elements:
  a: {type: goal, name: x, next: otherwise}
  b: {type: goal, name: x, next: [a]}
""",
        ["3:34 unknown-element", "4:3 unreachable", "4:34 wrong-type"],
        LONE, {},
    ),
    "start end": (
        """\
flow: f
start: end
elements:
  a: {type: goal, name: x}
""",
        ["2:8 unknown-element"],
        LONE, {},
    ),
    "element not a mapping": (
        """\
flow: f
elements:
  a: send_email
  b: [x]
""",
        ["3:6 wrong-type", "4:3 unreachable", "4:6 wrong-type"],
        LONE, {},
    ),
    "elements a list": (
        """\
flow: f
elements:
  - {type: goal, name: x}
""",
        ["2:1 wrong-type"],
        LONE, {},
    ),
    "no elements": (
        """\
flow: f
""",
        ["1:1 missing-option"],
        LONE, {},
    ),
    "no type": (
        """\
flow: f
elements:
  a: {name: x}
""",
        ["3:3 missing-option"],
        LONE, {},
    ),
    "sender without level": (
        """\
flow: f
elements:
  a: {type: add_to_do_not_contact, channel: sms, sender: ACME}
""",
        ["3:3 sender-not-used"],
        LONE, {},
    ),
    "crlf and bom": (
        """\
\ufeffflow: f\r
elements:\r
  a: {type: goal, nam: x}\r
""",
        ["3:19 unknown-option"],
        LONE, {},
    ),
    "wide characters": (
        """\
flow: f
about: 日本語 🎉
elements:
  a: {type: goal, name: 日本語, nam: x}
""",
        ["4:30 unknown-option"],
        LONE, {},
    ),
    "merge and tag": (
        """\
flow: f
elements:
  a: &a {type: goal, name: !loud x}
  b: {<<: *a}
""",
        ["3:28 tag", "4:3 missing-option", "4:3 unreachable", "4:7 merge-key"],
        LONE, {},
    ),
    "file is a list": (
        """\
flow: f
elements:
  a: {type: send_sms, text: {file: [x]}}
  b: {type: send_sms, text: [x]}
""",
        ["3:36 bad-file", "4:3 unreachable", "4:29 not-text"],
        LONE, {},
    ),
    "zone is a folder": (
        """\
flow: f
settings: {time_zone: Europe}
elements:
  a: {type: goal, name: x}
""",
        ["2:23 unknown-zone"],
        LONE, {},
    ),
    "negative and bare durations": (
        """\
flow: f
elements:
  a: {type: pause, for: -1 day, next: b}
  b: {type: pause, for: '5', next: c}
  c: {type: pause, for: 2 months}
""",
        ["3:25 negative-duration", "4:25 no-unit", "5:27 unknown-unit"],
        LONE, {},
    ),
    "transactional settings": (
        """\
flow: f
settings: {purpose: transactional, sender: {email: news@acme.example}}
elements:
  a: {type: send_email, subject: x, text: y}
""",
        ["2:21 not-transactional"],
        PROJECT, {},
    ),
    "opt-out link needs links": (
        """\
flow: f
settings: {sender: {email: news@acme.example}}
elements:
  a: {type: send_email, subject: x, text: 'no? {{ opt_out_link }}'}
""",
        ["4:3 opt-out-links-off?"],
        NO_LINKS, {},
    ),
    "this sender without one": (
        """\
flow: f
elements:
  a: {type: add_to_do_not_contact, channel: sms, level: this_sender}
""",
        ["3:3 no-sender"],
        PROJECT, {},
    ),
    "unknown sender on the list": (
        """\
flow: f
elements:
  a: {type: add_to_do_not_contact, channel: sms, level: this_sender, sender: ACMEE}
""",
        ["3:78 unknown-sender"],
        PROJECT, {},
    ),
}
# fmt: on


def told(problem):
    file = "" if problem.place.file == "flow.yaml" else problem.place.file + ":"
    mark = "?" if problem.severity == "warning" else ""
    return f"{file}{problem.place.line}:{problem.place.column} {problem.code}{mark}"


@pytest.mark.parametrize("name", ROWS)
def test_every_mistake_is_told_at_its_place(name, elements):
    text, expected, around, files = ROWS[name]
    loaded = load_sources({"flow.yaml": text, **files}, elements, around)
    assert [told(problem) for problem in loaded.problems] == expected
    refused = any(not line.endswith("?") for line in expected)
    assert (loaded.flow is None) == refused
