"""The simulator means what the engine means: the same crowd, doing the same, comes to the same visits, messages and
entries of the Do Not Contact list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.engine.simulation.conftest import MONDAY, Crowd, Seen, elements, played, simulated
from tests.random_flows import as_yaml, flow_data

from tactful.elements.contract import Element, Leave, Stay, Visit
from tactful.elements.options.channel import CHANNELS
from tactful.elements.options.duration import Duration
from tactful.engine.contacts_file import ContactFields
from tactful.engine.optout.countries import country_names
from tactful.engine.project import Project, load_project
from tactful.engine.rules.permission import Limit
from tactful.engine.simulation.behaviour import Rates
from tactful.engine.simulation.chance import numbers
from tactful.flows.load import load_file, load_sources

ROOT = Path(__file__).parents[3]
ZONES = ("Europe/Zagreb", "America/New_York", "Asia/Kolkata", None)
COUNTRIES = ("HR", "DE", "AT", None, "US", "FR", "CA")


def contacts(seed: int, many: int) -> list[tuple[int, ContactFields]]:
    made = []
    for number in range(1, many + 1):
        draws = numbers(seed, 99, number)
        attributes: dict[str, Any] = {"orders": draws[0] % 8, "vip": draws[1] % 2 == 0}
        if country := COUNTRIES[draws[2] % 7]:
            attributes["country"] = country
        if draws[3] % 3:
            attributes["birthday"] = f"19{50 + draws[4] % 50}-03-{4 + draws[5] % 6:02}"
        if draws[6] % 2:
            attributes["joined"] = f"2026-02-{1 + draws[6] % 10:02}"
        made.append(
            (
                MONDAY + 1 + draws[7] % 20_000_000,
                ContactFields(
                    f"c{number}",
                    f"c{number}@example.com" if draws[8] % 5 else None,
                    f"{('+3859112345', '+120255501')[draws[12] % 2]}{number:02}"
                    if draws[9] % 5 or not draws[8] % 5
                    else None,
                    ZONES[draws[10] % 4],
                    attributes,
                    frozenset({"club"}) if draws[11] % 2 else frozenset(),
                ),
            )
        )
    return sorted(made, key=lambda each: each[0])


RATES = Rates.model_validate(
    {
        "entry": {"again": "3 days", "data": {"value": "0..200", "shop": {"web": 1, "city": 1}}},
        "events": {
            "purchased": {"share": 0.5, "after": "2 days", "data": {"value": "-1..3"}},
            "visited": {"share": 0.5, "after": "1 day"},
            "called": {"share": 0.3, "after": "4 hours"},
        },
        "channels": {
            channel: {
                "fails": 0.1,
                "bounces": {"share": 0.05, "after": "1 minute"},
                "opens": {"share": 0.5, "after": "5 hours"},
                "clicks": {"share": 0.3, "after": "5 minutes"},
                "replies": {
                    "share": 0.5,
                    "after": "2 hours",
                    "texts": {"Yes please": 1, "no": 1, "STOP": 1, "please stop sending me this": 1, "START": 0.5},
                },
                "opts_out": {"share": 0.15, "after": "9 hours"},
                "complains": {"share": 0.05},
                "events": {"purchased": {"share": 0.2, "after": "1 day", "data": {"value": 5}}},
            }
            for channel in ("email", "sms", "whatsapp", "push")
        },
    }
)


def same(crowd: Crowd) -> Seen:
    mine, tally = simulated(crowd)
    real = played(crowd)
    for _, who in crowd.contacts:
        assert sorted(mine.visits.get(who.key, ())) == sorted(real.visits.get(who.key, ())), who
        assert mine.standing.get(who.key, []) == real.standing.get(who.key, []), who
        assert mine.messages.get(who.key, {}) == real.messages.get(who.key, {}), who
    assert mine.blocks == real.blocks
    assert tally.visits == sum(map(len, real.visits.values()))
    return mine


@pytest.mark.parametrize("example", ["win-back", "welcome", "tasting", "birthday"])
def test_the_examples(example):
    project, _ = load_project(ROOT / "examples" / "tactful.yaml")
    assert project is not None
    flow = load_file(ROOT / "examples" / example / "flow.yaml", elements(), project.surroundings()).flow
    assert flow is not None
    rates = RATES.model_copy(update={"events": {}}) if example == "win-back" else RATES
    seen = same(Crowd(flow, rates, 7, contacts(7, 25), 25, project))
    assert len(seen.visits) > 10


def renderable(data: dict[str, Any]) -> dict[str, Any]:
    """Without the opt-out link, which no message can show yet: rendering is not simulated."""
    for element in data["elements"].values():
        for option in ("text", "html", "subject"):
            if option in element:
                element[option] = "Hello"
    return data


PROJECT, _ = load_project(ROOT / "tests" / "engine" / "simulation" / "tactful.yaml")
LIMITS = st.lists(
    st.builds(
        Limit, st.integers(1, 3), st.sampled_from(("7 days", "1 day", "30 minutes")).map(Duration.parse),
        st.sampled_from(("hold", "skip")),
    ),
    max_size=2,
)  # fmt: skip


def projects() -> st.SearchStrategy[Project | None]:
    assert PROJECT is not None
    some = st.builds(
        lambda limits, consent, countries: PROJECT.model_copy(
            update={"limits": tuple(limits), "require_consent": consent, "countries": tuple(countries)}
        ),
        LIMITS, st.frozensets(st.sampled_from(tuple(CHANNELS)), max_size=2),
        st.lists(st.sampled_from(country_names()), max_size=2, unique=True),
    )  # fmt: skip
    return st.one_of(st.none(), some)


def agreed(seed: int, many: int) -> dict[str, frozenset[str]]:
    """Half of them have agreed, channel by channel."""
    draws = {f"c{number}": numbers(seed, 98, number) for number in range(1, many + 1)}
    return {key: frozenset(each for at, each in enumerate(CHANNELS) if drawn[at] % 2) for key, drawn in draws.items()}


def hold(data: dict[str, Any], seed: int, project: Project | None, many: int) -> None:
    flow = load_sources({"flow.yaml": as_yaml(renderable(data))}, elements()).flow
    assert flow is not None
    same(Crowd(flow, RATES, seed, contacts(seed, many), 9, project, agreed=agreed(seed, many)))


@given(flow_data(), st.integers(0, 2**32), projects())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_flows(data, seed, project):
    hold(data, seed, project, 4)


@cache
def own_elements() -> Mapping[str, type[Element]]:
    """All elements there are, but as somebody else's: the simulator has no short form for any of them."""

    def asked(self: Any, visit: Visit) -> Leave | Stay:
        answer: Leave | Stay = super(type(self), self).enter(visit)
        return answer

    return {
        name: type(kind.__name__, (kind,), {"enter": asked, "__doc__": kind.__doc__, "__module__": kind.__module__})
        for name, kind in elements().items()
    }


@given(flow_data(), st.integers(0, 2**32))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_elements_that_are_asked_themselves(data, seed):
    flow = load_sources({"flow.yaml": as_yaml(renderable(data))}, own_elements()).flow
    assert flow is not None
    crowd = Crowd(flow, RATES, seed, contacts(seed, 4), 9, elements=own_elements())
    assert all(spot.asked for spot in crowd.machine().spots.values())
    same(crowd)


@pytest.mark.full
@given(flow_data(), st.integers(0, 2**32), projects())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_random_flows(data, seed, project):
    hold(data, seed, project, 6)
