"""A command that waits for its turn to write."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

TACTFUL = Path(sys.executable).with_name("tactful")


def test_a_command_that_waits_for_its_turn_says_so(open_shop: Path) -> None:
    with closing(sqlite3.connect(open_shop / "tactful.db", isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        command = [str(TACTFUL), "enter", "win-back", "-c", "ana", "--json"]
        waits = subprocess.Popen(command, cwd=open_shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waits.stderr is not None
        assert waits.stderr.readline().startswith("Another program writes to the database")
        another.execute("ROLLBACK")
    out, err = waits.communicate(timeout=60)
    assert waits.returncode == 0, err
    assert json.loads(out)["journeys"] == {"ana": 1}


def test_a_command_that_need_not_wait_says_nothing(open_shop: Path) -> None:
    command = [str(TACTFUL), "enter", "win-back", "-c", "ana", "--json"]
    ran = subprocess.run(command, cwd=open_shop, capture_output=True, text=True, timeout=60, check=True)
    assert "Another program" not in ran.stderr
