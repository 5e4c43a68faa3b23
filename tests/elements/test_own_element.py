"""The example of a third party's element, installed for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tactful.elements import catalogue

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-element"

ASK = """
import json, sys
from pathlib import Path
from tactful.elements import catalogue
from tactful.flows.load import load_file

found = catalogue()
score = found["score"]
loaded = load_file(Path(sys.argv[1]), found)
print(json.dumps({
    "module": score.__module__,
    "options": list(score.model_fields),
    "manual": score.__doc__,
    "words": list(found),
    "problems": [problem.render() for problem in loaded.problems],
    "nodes": {id: [node.type, dict(node.exits)] for id, node in loaded.flow.nodes.items()} if loaded.flow else {},
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where the example is installed: a folder of its own, built as anybody's package is; no network needed."""
    target = tmp_path_factory.mktemp("site-packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-build-isolation", "--no-index", "--target", str(target), str(EXAMPLE)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def with_example(installed, *arguments):
    path = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(installed):
    """What a Python that has the example installed says of it."""
    return json.loads(with_example(installed, "-c", ASK, str(EXAMPLE / "flows" / "hot-leads.yaml")))


def test_it_is_in_the_catalogue_once_installed(told):
    assert "score" not in catalogue()
    assert told["words"] == [*catalogue(), "score"]
    assert told["module"] == "acme_elements.score"
    assert told["options"] == ["points", "hot_from"]
    assert told["manual"].startswith("Adds points")


def test_its_flow_loads_without_a_word_of_complaint(told):
    assert told["problems"] == []
    assert told["nodes"]["warmer"] == ["score", {"hot": "worth_a_call", "cold": "end"}]


SCORE = """
from acme_elements.score import Score
from tactful.elements.contract import Contact, Event, Leave, Settings, UpdateContact, Visit
from zoneinfo import ZoneInfo

def leaves(points, **attributes):
    contact = Contact(1, "ana", attributes)
    visit = Visit("f", "e", 1, 1, 0, 0, contact, Event("e", 0), {}, {}, Settings(), ZoneInfo("UTC"))
    return Score(points=points, hot_from=50).enter(visit)

assert leaves(10) == Leave("cold", (UpdateContact({"score": 10}),))
assert leaves(10, score=40) == Leave("hot", (UpdateContact({"score": 50}),))
assert leaves(-10, score=5) == Leave("cold", (UpdateContact({"score": 0}),))
try:
    Score(points=0, hot_from=50)
except ValueError as error:
    assert "change nothing" in str(error)
else:
    raise AssertionError("0 points were taken")
"""


def test_it_does_what_its_manual_says(installed):
    with_example(installed, "-c", SCORE)
