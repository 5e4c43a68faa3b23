"""Texts that were written years ago are compared with new ones, and hashes were made of them: not a byte may differ."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.engine.json_text import json_writer

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda some: st.lists(some) | st.lists(some).map(tuple) | st.dictionaries(st.text(), some),
    max_leaves=12,
)


@given(values)
def test_a_text_is_what_json_dumps_makes_of_the_value(value: Any) -> None:
    kept = json_writer(only_ascii=False, compact=True, in_order=True)
    assert kept(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    hashed = json_writer(only_ascii=True, compact=False, in_order=False)
    assert hashed(value) == json.dumps(value)


def test_what_cannot_be_written_is_refused_and_the_next_is_written_all_the_same() -> None:
    write = json_writer(only_ascii=False, compact=True, in_order=True)
    endless: list[Any] = []
    endless.append(endless)
    for value, error in (({1, 2}, TypeError), ({"b": 1, 2: 1}, TypeError), (endless, RecursionError)):
        with pytest.raises(error):
            write({"good": [1], "what": value})
        assert write({"good": [1]}) == '{"good":[1]}'
