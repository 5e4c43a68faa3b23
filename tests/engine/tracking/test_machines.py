"""Programs are told from people by what they say, and by when they ask."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tactful.engine.tracking.machines import known_machines, service, why_machine

SEEN = yaml.safe_load(Path(__file__).with_name("user_agents.yaml").read_text(encoding="utf-8"))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
LATER_MS = 60_000


@pytest.mark.parametrize("agent", [each["agent"] for each in SEEN["machines"]])
def test_a_machine_is_known_by_its_user_agent(agent: str) -> None:
    assert why_machine("GET", {"user-agent": agent}, LATER_MS) is not None


@pytest.mark.parametrize("seen", SEEN["people"], ids=lambda seen: seen["agent"][:60])
def test_who_looks_themselves_is_counted_and_so_is_whom_a_service_fetches_images_for(seen: dict[str, str]) -> None:
    assert why_machine("GET", {"user-agent": seen["agent"]}, LATER_MS) is None
    fetcher = service({"user-agent": seen["agent"]})
    assert (fetcher.who if fetcher else None) == seen.get("through")


def test_every_entry_says_where_it_is_from_and_finds_something() -> None:
    known = known_machines()
    assert all(each.source.startswith("https://") for each in (*known.machines, *known.proxies))
    assert all((each.agent is None) != (each.exactly is None) for each in (*known.machines, *known.proxies))
    assert not any(each.is_it(FIREFOX) for each in known.machines)


@pytest.mark.parametrize(
    "header", [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch"),
               ("x-purpose", "preview"), ("Sec-Purpose".lower(), "Prefetch")],
)  # fmt: skip
def test_what_a_browser_fetches_ahead_is_nobodys(header: tuple[str, str]) -> None:
    assert why_machine("GET", {"user-agent": FIREFOX, header[0]: header[1]}) == "fetched ahead by a browser"


def test_no_person_asks_for_the_head_only() -> None:
    assert why_machine("HEAD", {"user-agent": FIREFOX}) == "asked by HEAD"


@pytest.mark.parametrize(
    ("since_sent_ms", "machine"),
    [(0, True), (1_999, True), (2_000, False), (-50, True), (-5_000, False), (None, False)],
)
def test_nobody_is_there_as_soon_as_a_message_was_sent(since_sent_ms: int | None, machine: bool) -> None:
    assert (why_machine("GET", {"user-agent": FIREFOX}, since_sent_ms) is not None) is machine


@pytest.mark.parametrize(("since_other_ms", "machine"), [(0, True), (999, True), (1_000, False), (None, False)])
def test_nobody_follows_two_links_at_once(since_other_ms: int | None, machine: bool) -> None:
    assert (why_machine("GET", {"user-agent": FIREFOX}, LATER_MS, since_other_ms) is not None) is machine


def test_a_user_agent_without_end_is_read_in_time() -> None:
    assert why_machine("GET", {"user-agent": "viber " * 100_000}) is None
