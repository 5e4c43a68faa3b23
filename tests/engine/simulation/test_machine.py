"""Time in the simulator: reckoned in a shorter way, and never another than the engine's."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.simulation.conftest import DAY, HOUR, MONDAY, elements

from tactful.elements.options.duration import Duration
from tactful.engine.rules import permission
from tactful.engine.simulation.machine import Machine
from tactful.flows.load import load_sources

ZONES = ("Europe/Zagreb", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Havana")
MINUTES = ("21:00", "08:00", "00:00", "02:30", "03:07", "13:45")


def machine(start: str, end: str) -> Machine:
    text = f"""
flow: f
settings: {{quiet_hours: {{from: "{start}", until: "{end}"}}}}
elements:
  g: {{type: goal, name: g}}
"""
    flow = load_sources({"flow.yaml": text}, elements()).flow
    assert flow is not None
    return Machine(flow, MONDAY, MONDAY + DAY)


# Around the changes of clocks of 2026, and anywhere in five years.
MOMENTS = st.one_of(
    st.integers(MONDAY, MONDAY + 5 * 365 * DAY),
    *(st.integers(at - 30 * HOUR, at + 6 * HOUR) for at in (1_774_746_000_000, 1_772_953_200_000, 1_793_494_800_000)),
)
HOURS = st.lists(st.sampled_from(MINUTES), min_size=2, max_size=2, unique=True)


@given(MOMENTS, st.sampled_from(ZONES), HOURS)
def test_quiet_hours_end_when_they_do(now, zone, hours):
    made = machine(*hours)
    quiet = made.flow.settings.quiet_hours
    assert quiet is not None
    assert made.quiet_until(now, ZoneInfo(zone)) == permission.quiet_until(quiet, now, ZoneInfo(zone))


@given(
    MOMENTS, st.sampled_from(ZONES), st.sampled_from(("1 day", "2 days 3 hours", "3 weeks", "90 minutes", "200 days"))
)
def test_durations_end_when_they_do(now, zone, text):
    duration = Duration.parse(text)
    made = machine("21:00", "08:00")
    assert made.after(duration, now, ZoneInfo(zone)) == duration.after(now, ZoneInfo(zone))
