"""The API's own description, held against what it does, by schemathesis: all its checks, right and wrong data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tactful.engine.contacts import put_contacts
from tactful.engine.contacts_file import ContactFields

from .conftest import CLOCK, KEY

HERE = Path(__file__).parent


@pytest.fixture
def database(url):
    return url


@pytest.mark.parametrize(
    ("url", "examples"),
    [
        ("sqlite", 8),
        pytest.param("sqlite", 300, marks=pytest.mark.full),
        pytest.param("postgresql", 300, marks=pytest.mark.full),
    ],
    indirect=["url"],
)
def test_schemathesis_finds_nothing(new_shop, tmp_path, examples):
    # The examples of the description name these, so that they lead somewhere.
    shop = new_shop("  limits: {per_key: 1000000, per_address: 1000000}\n", flow="win-back")
    put_contacts(shop.engine.host, [ContactFields("c-1001", "cleo@example.com")], CLOCK.now())
    host, port = shop.serve()
    ran = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"),
            "run", f"http://{host}:{port}/openapi.json", "--header", f"Authorization: Bearer {KEY}",
            "--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(examples), "--seed", "1", "--workers", "2", "--no-color",
        ],
        cwd=tmp_path, env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Tested: 11" in ran.stdout
    assert "Failures:" not in ran.stdout


def test_every_error_stands_in_the_description_as_a_problem(shop):
    description = shop.app().openapi()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            said = {status: each for status, each in operation["responses"].items() if status != "200"}
            assert {"429", "500", "503"} <= said.keys(), (method, path)
            assert path == "/health" or {"401", "403"} <= said.keys(), (method, path)
            for answer in said.values():
                (media_type,) = answer["content"]
                assert media_type == "application/problem+json"


def test_every_endpoint_and_field_is_described(shop):
    description = shop.app().openapi()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (method, path, parameter["name"])
    assert not {name for name, each in description["components"]["schemas"].items() if not each.get("description")}


def test_nothing_of_the_description_comes_from_other_hosts(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404
    assert client.get("/openapi.json").status_code == 200
