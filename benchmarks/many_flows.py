"""Many flows, and large ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from statistics import median
from time import process_time

from benchmarks import journey
from benchmarks.databases import Kind
from benchmarks.figures import Chapter, Figure, Target
from benchmarks.scale import Scale
from tactful.elements import catalogue
from tactful.engine.compose import Engine
from tactful.engine.incoming import Incoming
from tactful.flows.load import load_sources

FEW = 10


def many_flows(scale: Scale, kinds: Sequence[Kind]) -> Chapter:
    """What an event costs with few and with many live flows; and how long a large one takes to load."""
    kind, some = kinds[0], max(20, scale.contacts // 4)
    urls = kind.new(), kind.new()
    with closing(_with_flows(urls[0], FEW)) as few, closing(_with_flows(urls[1], scale.flows)) as many:
        rounds = [(_told(few, some, number * some), _told(many, some, number * some)) for number in range(scale.rounds)]
    for url in urls:
        kind.drop(url)
    with_few, with_many = (median(costs) for costs in zip(*rounds, strict=True))
    text = _long(scale.elements)
    loads = [_loaded(text) for _ in range(min(3, scale.rounds))]
    figures = [
        Figure(f"an event with {FEW} live flows", with_few, "µs"),
        Figure(f"an event with {scale.flows:,} live flows", with_many, "µs"),
        Figure(
            f"an event with {scale.flows:,} live flows, of one with {FEW}",
            with_many / with_few,
            "times",
            target=Target(1.1),
        ),
        Figure(f"a flow of {scale.elements:,} elements: loaded and checked", median(loads), "s", target=Target(1)),
    ]
    return Chapter("Many flows, and large ones", figures, "On SQLite. Each event brings its contact into one flow.")


def _with_flows(url: str, flows: int) -> Engine:
    texts = (
        journey.FLOW.replace("standard", f"flow-{n}").replace("event: began", f"event: began_{n}") for n in range(flows)
    )
    return journey.open_with(url, *texts)


def _told(engine: Engine, contacts: int, behind: int) -> float:
    """Microseconds of processor time an event."""
    journey.bring(engine, contacts, behind)
    began = [Incoming("began_0", f"c{n}") for n in range(behind + 1, behind + contacts + 1)]
    spent = process_time()
    engine.host.tell(began, journey.NOW)
    return (process_time() - spent) * 1e6 / contacts


def _long(elements: int) -> str:
    lines = ["flow: long", "entry: {event: began}", f"settings: {{sender: {{email: {journey.SENDER}}}}}", "elements:"]
    for number in range(0, elements - 1, 2):
        lines += [
            f"  mail_{number}: {{type: send_email, subject: S, text: T, next: rest_{number}}}",
            f"  rest_{number}: {{type: pause, for: 1 day, next: mail_{number + 2}}}",
        ]
    lines[-1] = f"  rest_{elements - elements % 2 - 2}: {{type: pause, for: 1 day}}"
    return "\n".join(lines)


def _loaded(text: str) -> float:
    spent = process_time()
    loaded = load_sources({"flow.yaml": text}, catalogue())
    assert loaded.flow is not None, loaded.problems
    return process_time() - spent
