"""The rules of countries: off unless enabled, on the clock where the contact is, and closed where nobody knows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tactful.elements.options.channel import CHANNELS
from tactful.engine.optout.countries import UnknownCountry, country, country_names, rules_of
from tactful.engine.optout.packs import pack_names
from tactful.engine.rules.countries import country_code
from tactful.engine.rules.permission import Hold, Known, Policy, Request, Send, Suppress, permission
from tactful.engine.testing import World

US = rules_of("us")
POLICY = Policy(countries=[US])
NewWorld = Callable[..., World]


def ask(
    number: str, now: datetime, zone: str | None, *, purpose: str = "marketing", where: str | None = None
) -> object:
    request = Request("sms", "ACME", number, purpose, None, where)  # type: ignore[arg-type]
    at = int(now.timestamp() * 1000)
    return permission(request, Known(), POLICY, None, at, None if zone is None else ZoneInfo(zone))


NIGHT_IN_NEW_YORK = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)  # 22:00 the day before
DAY_IN_NEW_YORK = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)


def test_marketing_waits_for_the_morning_where_the_contact_is() -> None:
    held = ask("+12125550109", NIGHT_IN_NEW_YORK, "America/New_York")
    assert isinstance(held, Hold)
    assert datetime.fromtimestamp(held.until / 1000, UTC) == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)
    assert held.why == "quiet hours of the United States in America/New_York"
    assert ask("+12125550109", DAY_IN_NEW_YORK, "America/New_York") == Send()


def test_where_the_zone_is_unknown_nothing_goes_at_any_hour() -> None:
    for hours in range(24):
        assert isinstance(ask("+12125550109", DAY_IN_NEW_YORK + timedelta(hours=hours), None), Suppress)


def test_they_leave_alone_what_is_not_marketing_and_who_is_elsewhere() -> None:
    assert ask("+12125550109", NIGHT_IN_NEW_YORK, "America/New_York", purpose="transactional") == Send()
    assert ask("+385911234567", NIGHT_IN_NEW_YORK, None) == Send()
    assert ask("+14165550109", NIGHT_IN_NEW_YORK, "America/Toronto", where="CA") == Send(), "Canada shares the code"


def test_in_doubt_they_hold() -> None:
    assert isinstance(ask("+14165550109", NIGHT_IN_NEW_YORK, "America/Toronto"), Hold), "perhaps Canada, perhaps not"
    assert isinstance(ask("+385911234567", NIGHT_IN_NEW_YORK, "America/New_York", where="US"), Hold), "lives there"
    assert isinstance(ask("+12125550109", NIGHT_IN_NEW_YORK, "America/New_York", where="DE"), Hold), (
        "an American number"
    )


@given(st.integers(1_700_000_000, 1_900_000_000), st.sampled_from(["America/New_York", "Pacific/Honolulu", "UTC"]))
def test_no_marketing_goes_out_in_quiet_hours_also_when_clocks_change(second: int, zone: str) -> None:
    now = datetime.fromtimestamp(second, UTC)
    verdict = ask("+12125550109", now, zone)
    hour = now.astimezone(ZoneInfo(zone)).hour
    assert isinstance(verdict, Send) == (8 <= hour < 21)
    if isinstance(verdict, Hold):
        assert isinstance(ask("+12125550109", datetime.fromtimestamp(verdict.until / 1000, UTC), zone), Send)


@pytest.mark.parametrize("name", country_names())
def test_every_file_is_whole(name: str) -> None:
    found = country(name)
    assert found.channels <= set(CHANNELS)
    assert found.keywords is None or found.keywords in pack_names()
    assert all(country_code(code) == code for code in found.countries | found.shares)
    assert all(code.startswith("+") and code[1:].isdigit() for code in found.calling_codes)
    assert not found.countries & found.shares
    assert rules_of(name).quiet.start != rules_of(name).quiet.end


def test_a_name_that_is_none_is_told_with_the_one_meant() -> None:
    with pytest.raises(UnknownCountry, match="no rules of `usa`; did you mean `us`"):
        country("usa")


@pytest.mark.parametrize(
    ("written", "code"), [("us", "US"), (" US ", "US"), ("United States", None), (1, None), ("", None)]
)
def test_a_contacts_country_counts_where_it_is_a_code(written: object, code: str | None) -> None:
    assert country_code(written) == code


def test_a_project_that_enables_one_has_its_keywords_too(new_world: NewWorld, tmp_path: Path) -> None:
    (tmp_path / "tactful.yaml").write_text(
        """
senders:
  "+12125550100": {channel: sms, via: console, two_way: true}
countries: [us]
""",
        encoding="utf-8",
    )
    world = new_world(project=tmp_path / "tactful.yaml")
    world.contact("ana", phone="+12125550109")
    world.receives("revoke", "+12125550100", "ana")
    assert world.on_do_not_contact("ana", "sms")
