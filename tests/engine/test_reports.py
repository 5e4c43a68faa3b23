"""What people ask of a running project."""

from __future__ import annotations

import pytest

from tactful.elements.contract import MessageKey
from tactful.engine import reports
from tactful.engine.testing import World


@pytest.mark.parametrize("key", [MessageKey(1, 2**31), MessageKey(2**62, 1), MessageKey(2**63, 1)])
def test_there_is_no_message_of_a_number_that_no_database_has(world: World, key: MessageKey) -> None:
    with world.engine.store.read() as tx:
        assert reports.message(tx, key) is None


@pytest.mark.parametrize("mistyped", ["anastasja", "Anastasia", "ANASTASIA@example.com", "an_stasia"])
def test_a_mistyped_contact_is_guessed_however_it_is_written(world: World, mistyped: str) -> None:
    for key in ("anastasia", "bo"):
        world.contact(key, email=f"{key}@example.com")
    with world.engine.store.read() as tx:
        assert reports.likely_contacts(tx, mistyped) == ["anastasia"]
