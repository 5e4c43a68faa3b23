"""`check`, `elements`, `schema`, `draw`, `preview`, `send-test`: what one writes flows with."""

import email
import json
from pathlib import Path

import pytest

from tactful.elements import catalogue

BROKEN = """\
flow: broken
elements:
  offer:
    type: send_email
    subjct: Hello
    text: Hello
    next: nowhere
"""


@pytest.fixture
def broken(shop):
    """A second flow in the shop, with two mistakes."""
    file = shop / "flows" / "broken.yaml"
    file.write_text(BROKEN, encoding="utf-8")
    return file


# --- check ---------------------------------------------------------------------------------------


def test_check_of_a_sound_project(tactful, shop):
    assert tactful("check").out == "2 files checked, nothing to complain of\n"


def test_check_names_every_mistake_at_its_place(tactful, broken):
    ran = tactful("check", code=1)
    lines = ran.out.splitlines()
    assert any(line.startswith("flows/broken.yaml:5:5: error: ") and "subjct" in line for line in lines)
    assert any(line.startswith("flows/broken.yaml:7:11: error: ") for line in lines)
    assert "    subjct: Hello" in ran.out
    assert lines[-1].startswith("3 errors and 0 warnings in 3 files") or lines[-1].startswith("2 errors")
    assert ran.err == ""


def test_check_as_json(tactful, broken):
    found = tactful("check", "--json", code=1).json
    assert set(found) == {"files", "problems", "errors", "warnings"}
    assert found["errors"] == sum(each["severity"] == "error" for each in found["problems"]) > 0
    by_file = {each["file"]: each for each in found["files"]}
    assert by_file["flows/broken.yaml"]["flow"] is None
    assert by_file["flows/broken.yaml"]["errors"] == found["errors"]
    assert by_file["flows/win-back/flow.yaml"] == {
        "file": "flows/win-back/flow.yaml", "flow": "win-back", "errors": 0, "warnings": 0,
    }  # fmt: skip
    assert set(found["problems"][0]) == {
        "file", "line", "column", "severity", "code", "message", "hint", "source_line",
    }  # fmt: skip


def test_check_of_named_files_and_folders(tactful, broken):
    assert "1 file checked" in tactful("check", "flows/win-back/flow.yaml").out
    assert "1 file checked" in tactful("check", "tactful.yaml").out
    assert "1 file checked" in tactful("check", "flows/win-back").out
    assert "1 file checked" in tactful("check", "flows/win-back", "flows/win-back/flow.yaml").out
    tactful("check", "flows", code=1)
    tactful("check", ".", code=1)


def test_check_of_a_flow_with_no_project_around_it(tactful, empty):
    (empty / "lone.yaml").write_text(
        "flow: lone\nsettings: {sender: {email: anybody@acme.example}}\nelements:\n"
        "  hello: {type: send_email, subject: Hello, text: '{{ contact.anything | default: 1 }}'}\n",
        encoding="utf-8",
    )
    assert tactful("check", "lone.yaml", "--json").json["problems"] == []


def test_check_of_two_flows_with_one_id(tactful, shop):
    other = shop / "flows" / "another.yaml"
    other.write_text("# a copy\nflow: win-back\nelements:\n  rest: {type: pause, for: 1 day}\n", encoding="utf-8")
    found = tactful("check", "--json", code=1).json
    (problem,) = found["problems"]
    assert problem["code"] == "duplicate-flow"
    assert (problem["file"], problem["line"]) == ("flows/win-back/flow.yaml", 2)
    assert "flows/another.yaml" in problem["message"]
    assert "another id" in tactful("publish", "--all", code=1).err


def test_check_of_a_broken_project_file(tactful, shop):
    (shop / "tactful.yaml").write_text("senders: 12\nflows: flows/\n", encoding="utf-8")
    found = tactful("check", "--json", code=1).json
    assert found["problems"][0]["file"] == "tactful.yaml"
    found = tactful("check", "flows/win-back/flow.yaml", "--json", code=1).json
    assert {each["file"] for each in found["files"]} == {"tactful.yaml", "flows/win-back/flow.yaml"}


def test_check_of_warnings_is_fine(tactful, shop):
    text = (shop / "tactful.yaml").read_text(encoding="utf-8")
    (shop / "tactful.yaml").write_text(text.partition("opt_out:")[0], encoding="utf-8")
    found = tactful("check", "--json").json
    assert found["warnings"] > 0
    assert found["errors"] == 0
    assert "no errors in 2 files" in tactful("check").out


def test_check_of_what_is_no_flow(tactful, shop):
    (shop / "x.flowtest.yaml").write_text("flow: x", encoding="utf-8")
    assert "scenarios" in tactful("check", "x.flowtest.yaml", code=2).err
    (shop / "nothing").mkdir()
    assert "no flow files" in tactful("check", "nothing", code=2).err
    (shop / "binary.yaml").write_bytes(b"\xff\xfe\x00flow")
    assert "UTF-16" in tactful("check", "binary.yaml", code=1).out


# --- elements, schema, draw ----------------------------------------------------------------------


def test_elements_lists_the_catalogue(tactful):
    said = tactful("elements").out
    listed = tactful("elements", "--json").json
    assert [each["word"] for each in listed] == list(catalogue())
    for word in catalogue():
        assert word in said
    assert set(listed[0]) == {"word", "summary", "family", "sends", "exits", "optional_exits"}


@pytest.mark.parametrize("word", list(catalogue()))
def test_elements_shows_a_manual_page(tactful, word):
    said = tactful("elements", word).out
    assert "Options" in said
    assert f"type: {word}" in said.split("Example")[1]
    page = tactful("elements", word, "--json").json
    assert page["manual"]
    assert all(option["description"] for option in page["options"])


def test_schema(tactful, empty):
    found = tactful("schema").json
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    ran = tactful("schema", "-o", "flow.schema.json")
    assert ran.out == ""
    assert json.loads(Path("flow.schema.json").read_text(encoding="utf-8")) == found
    of_scenarios = tactful("schema", "--scenarios").json
    assert "opts_out" in of_scenarios["$defs"]["step"]["properties"]


@pytest.mark.parametrize("flow", ["win-back", "flows/win-back/flow.yaml"])
@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<svg"), ("mmd", b"---"), ("dot", b"digraph")])
def test_draw(tactful, shop, flow, kind, begins):
    assert tactful("draw", flow, "-o", f"picture.{kind}").out == ""
    picture = Path(f"picture.{kind}").read_bytes()
    assert begins in picture[:200]
    tactful("draw", flow, "-o", f"dark.{kind}", "--dark")
    assert Path(f"dark.{kind}").read_bytes()


def test_draw_as_png(tactful, shop):
    pytest.importorskip("resvg_py")
    tactful("draw", "win-back", "-o", "picture.PNG")
    assert Path("picture.PNG").read_bytes().startswith(b"\x89PNG")


def test_draw_without_a_file_is_mermaid(tactful, shop):
    tactful("draw", "win-back", "-o", "picture.mmd")
    assert tactful("draw", "win-back").out == Path("picture.mmd").read_text(encoding="utf-8").rstrip("\n") + "\n"


def test_draw_says_what_was_probably_meant(tactful, broken):
    assert "did you mean `win-back`?" in tactful("draw", "win-bak", code=2).err
    assert "flows/broken.yaml:5:5: error:" in tactful("draw", "broken", code=1).err
    assert "is a folder" in tactful("draw", "flows/win-back", code=2).err
    assert "no such file or directory" in tactful("draw", "win-back", "-o", "no/where.svg", code=1).err


# --- preview -------------------------------------------------------------------------------------


def test_preview_shows_what_would_go_out_and_that_it_may(tactful, open_shop):
    said = tactful("preview", "win-back", "offer", "--contact", "ana").out
    for part in ("news@acme.example", "ana@example.com", "We kept your basket, Ana", "Hello Ana,", "May go out now"):
        assert part in said
    assert "<p>" not in said


def test_preview_as_json_and_as_a_file(tactful, open_shop):
    ran = tactful(
        "preview", "win-back", "offer", "--contact", "ana", "--data", '{"value": 99}', "--json", "-o", "o.html"
    )
    found = ran.json
    assert set(found) == {
        "flow", "element", "contact", "channel", "sender", "to", "purpose", "parts", "cannot", "verdict", "why",
        "until", "halted",
    }  # fmt: skip
    assert found["verdict"] == "send"
    assert "€99" in found["parts"]["html"]
    assert Path("o.html").read_text(encoding="utf-8") == found["parts"]["html"]


def test_preview_takes_the_entry_of_the_newest_journey(tactful, open_shop):
    tactful("event", "basket_abandoned", "--contact", "ana", "--data", '{"value": 41}')
    assert "€41" in tactful("preview", "win-back", "offer", "--contact", "ana").out


def test_preview_says_why_it_may_not(tactful, open_shop):
    tactful("dnc", "add", "ana@example.com")
    assert "Do Not Contact list" in tactful("preview", "win-back", "offer", "--contact", "ana").out
    found = tactful("preview", "win-back", "offer", "--contact", "ana", "--json").json
    assert (found["verdict"], found["why"]) == ("suppress", "on the Do Not Contact list (a person)")
    said = tactful("preview", "win-back", "ask", "--contact", "chloe").out
    assert "the contact has no address for sms" in said
    tactful("halt")
    assert "All sending is stopped" in tactful("preview", "win-back", "offer", "--contact", "ben").out


def test_preview_of_what_cannot_be_rendered(tactful, open_shop):
    (open_shop / "flows" / "win-back" / "offer.html").write_text("{{ entry.item }}", encoding="utf-8")
    ran = tactful("preview", "win-back", "offer", "--contact", "ana", code=1)
    assert "offer.html, line 1" in ran.err
    assert "--data" in ran.err
    assert tactful("preview", "win-back", "offer", "--contact", "ana", "--json", code=1).json["parts"] is None


def test_preview_of_bad_names(tactful, open_shop):
    assert "did you mean `offer`?" in tactful("preview", "win-back", "ofer", "--contact", "ana", code=2).err
    assert "sends nothing" in tactful("preview", "win-back", "opened", "--contact", "ana", code=2).err
    assert "did you mean `ana`?" in tactful("preview", "win-back", "offer", "--contact", "anna", code=1).err
    ran = tactful("preview", "win-back", "offer", "--contact", "ana", "--data", '{"a" 1}', code=2)
    assert ran.err.splitlines()[1:3] == ['    {"a" 1}', "         ^"]
    assert (
        "must be a JSON object"
        in tactful("preview", "win-back", "offer", "--contact", "ana", "--data", "[]", code=2).err
    )
    assert "no HTML" in tactful("preview", "win-back", "ask", "--contact", "ana", "-o", "x", code=2).err


# --- send-test -----------------------------------------------------------------------------------


def test_send_test_goes_through_the_connector(tactful, shop):
    text = (shop / "tactful.yaml").read_text(encoding="utf-8")
    (shop / "tactful.yaml").write_text(text.replace("via: console", "via: console, folder: sent"), encoding="utf-8")
    ran = tactful("send-test", "win-back", "offer", "--to", "Me@Example.com", "--data", '{"value": 35}')
    assert "handed over to console, for Me@example.com" in ran.err
    tactful("send-test", "win-back", "offer", "--to", "me@example.com")
    first, second = sorted((shop / "sent").iterdir())
    assert b"To: Me@example.com" in first.read_bytes()
    ids = {
        line for each in (first, second) for line in each.read_bytes().splitlines() if line.startswith(b"Message-ID")
    }
    assert len(ids) == 2, "mail programs would hide the second test"


LINKED = "opt_out:\n  base_url: https://go.acme.example\n"


def with_links(shop):
    """The shop has opt-out links, and its email prints one."""
    text = (shop / "tactful.yaml").read_text(encoding="utf-8").replace("via: console", "via: console, folder: sent")
    (shop / "tactful.yaml").write_text(text.replace("opt_out:\n", LINKED), encoding="utf-8")
    (shop / "flows" / "win-back" / "offer.html").write_text(
        '<p>{{ "now" | date: "%Y" }}</p><a href="{{ opt_out_link }}">No more</a>', encoding="utf-8"
    )


def test_a_link_that_is_only_looked_at_leads_to_nobody(tactful, open_shop):
    with_links(open_shop)
    found = tactful("preview", "win-back", "offer", "--contact", "ana", "--json").json
    assert '<a href="https://go.acme.example/o/preview000">' in found["parts"]["html"]
    assert found["parts"]["html"].startswith("<p>20")
    tactful("send-test", "win-back", "offer", "--to", "me@example.com")
    (file,) = (open_shop / "sent").iterdir()
    message = email.message_from_bytes(file.read_bytes())
    assert message["List-Unsubscribe"] == "<https://go.acme.example/o/preview000>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_text_with_a_link_in_a_project_without_says_what_is_missing(tactful, open_shop):
    (open_shop / "flows" / "win-back" / "offer.html").write_text("{{ opt_out_link }}", encoding="utf-8")
    assert "[opt-out-links-off]" in tactful("check").out
    ran = tactful("preview", "win-back", "offer", "--contact", "ana", code=1)
    assert "`opt_out_link` has no value here" in ran.err


def test_send_test_as_json_has_nothing_else_on_stdout(tactful, open_shop):
    ran = tactful("send-test", "win-back", "ask", "--to", "+447700900999", "--contact", "ana", "--json")
    assert ran.json == {
        "to": "+447700900999", "sender": "+447700900123", "channel": "sms", "state": "sent", "why": None,
        "provider_id": None,
    }  # fmt: skip
    assert "was the voucher welcome?" in ran.err


def test_send_test_takes_no_for_an_answer(tactful, open_shop):
    tactful("dnc", "add", "me@example.com")
    ran = tactful("send-test", "win-back", "offer", "--to", "ME@example.com", code=1)
    assert "ME@example.com is on the Do Not Contact list" in ran.err
    assert ran.out == ""
    tactful("halt")
    assert "all sending is stopped" in tactful("send-test", "win-back", "offer", "--to", "you@example.com", code=1).err


def test_send_test_to_bad_addresses_and_by_bad_senders(tactful, shop):
    assert "@" in tactful("send-test", "win-back", "offer", "--to", "me", code=2).err
    assert "country code is missing" in tactful("send-test", "win-back", "ask", "--to", "12345", code=2).err
    text = (shop / "tactful.yaml").read_text(encoding="utf-8")
    nobody = "via: smtp, host: mail.example, username: acme, password: {env: NOT_SET_HERE}, reports: [opened]"
    (shop / "tactful.yaml").write_text(text.replace("via: console, name: Acme", nobody), encoding="utf-8")
    ran = tactful("send-test", "win-back", "offer", "--to", "me@example.com", code=1)
    assert "NOT_SET_HERE, which holds the password, is not set" in ran.err
