"""`init` and `demo`."""

import json
import os
import subprocess
import sys
from pathlib import Path

TACTFUL = Path(sys.executable).with_name("tactful")


def test_init_lays_out_a_project_that_runs(tactful, empty):
    said = tactful("init", "my-shop").out
    assert "cd my-shop" in said
    assert "tactful serve --publish" in said
    shop = empty / "my-shop"
    assert (shop / ".gitignore").is_file()
    assert json.loads((shop / "flow.schema.json").read_text(encoding="utf-8"))["title"] == "A tactful flow"
    checked = tactful("check", "my-shop", "--json").json
    assert checked["problems"] == []
    assert [each["flow"] for each in checked["files"]] == [None, "win-back"]
    assert tactful("import", "contacts", shop / "contacts.csv", "-p", shop, "--json").json["bad"] == []
    assert tactful("publish", "--all", "-p", shop, "--json").json == [
        {"flow": "win-back", "version": 1, "changed": True}
    ]
    schema_line = (shop / "flows" / "win-back" / "flow.yaml").read_text(encoding="utf-8").splitlines()[0]
    named = schema_line.partition("$schema=")[2]
    assert (shop / "flows" / "win-back" / named).resolve() == shop / "flow.schema.json"


def test_init_overwrites_nothing(tactful, empty):
    (empty / "my-shop").mkdir()
    (empty / "my-shop" / "contacts.csv").write_text("mine", encoding="utf-8")
    ran = tactful("init", "my-shop", code=2)
    assert "my-shop has contacts.csv already, and nothing is overwritten" in ran.err
    assert [each.name for each in (empty / "my-shop").iterdir()] == ["contacts.csv"]
    assert (empty / "my-shop" / "contacts.csv").read_text(encoding="utf-8") == "mine"


def test_init_beside_other_files(tactful, empty):
    (empty / "README.md").write_text("mine", encoding="utf-8")
    tactful("init", ".")
    assert (empty / "tactful.yaml").is_file()


def test_init_into_a_file(tactful, empty):
    (empty / "shop").touch()
    assert "is a file" in tactful("init", "shop", code=2).err


def test_demo_plays_to_the_end_and_keeps_the_promise(tactful, empty):
    played = tactful("demo", "--contacts", "60", "--json").json
    assert played["contacts"] == 60
    assert 0 < played["entered"] <= 60
    assert played["sent_after_opt_out"] == 0
    assert played["do_not_contact"] > 0
    exits = played["exits"]
    assert exits["offer"]["sent"] == played["entered"], "everybody who came in got the offer"
    assert sum(exits["opened"].values()) == played["entered"], "and nobody is left waiting"
    assert exits["unopened"]["done"] == exits["opened"]["timed_out"]
    assert played["goals"]["purchased"] > 0
    assert list(empty.iterdir()) == [], "nothing is left behind"


def test_demo_repeats_by_its_seed(tactful, empty):
    first, again, other = (tactful("demo", "-n", "40", "--seed", seed, "--json").out for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_demo_shows_what_they_got_and_who_is_not_to_be_written_to(tactful, empty):
    said = tactful("demo", "--contacts", "60").out
    for part in ("What they got", "Which way they went", "On the Do Not Contact list", "did not open it in 48 hours",
                 "Not one message went to any of them afterwards", "Try next"):  # fmt: skip
        assert part in said


def test_demo_of_one_contact(tactful, empty):
    assert "1 contact" in tactful("demo", "--contacts", "1").out


def test_a_demo_that_is_kept_can_be_looked_into(tactful, empty):
    tactful("demo", "--contacts", "30", "--keep", "kept")
    status = tactful("status", "-p", "kept", "--json").json
    assert status["flows"][0]["waiting"] == 0
    assert status["flows"][0]["finished"] > 0
    assert status["files"] == []
    assert tactful("journey", "1", "-p", "kept", "--json").json["steps"][0]["element"] == "offer"
    assert "nothing is overwritten" in tactful("demo", "--keep", "kept", code=2).err


def test_demo_runs_from_anywhere(empty):
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [TACTFUL, "demo", "-n", "20"], cwd="/", env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    assert "Try next" in ran.stdout
