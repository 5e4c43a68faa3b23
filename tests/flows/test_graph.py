"""A flow as a graph."""

from dataclasses import dataclass, field

from tactful.flows.graph import circle_through, circles, knotted, reached, to_graph


@dataclass
class Ways:
    exits: dict[str, str] = field(default_factory=dict)


def graph(**nodes):
    return to_graph({name: Ways(exits) for name, exits in nodes.items()})


def test_an_edge_bears_all_exits_that_lead_the_same_way():
    made = graph(a={"vip": "b", "big": "b", "otherwise": "end"}, b={"done": "end"})
    assert list(made) == ["a", "b", "end"]
    assert dict(made.edges) == {
        ("a", "b"): {"exits": ("vip", "big")},
        ("a", "end"): {"exits": ("otherwise",)},
        ("b", "end"): {"exits": ("done",)},
    }


def test_a_loaded_flow_is_a_graph_too(load):
    flow = load("flow: f\nelements:\n  a: {type: goal, name: x, next: b}\n  b: {type: goal, name: x}\n").flow
    assert set(to_graph(flow).edges) == {("a", "b"), ("b", "end")}


def test_reached_and_knotted():
    made = graph(a={"x": "b", "y": "c"}, b={"x": "b"}, c={"x": "end"}, d={"x": "c"})
    assert reached(made, "a") == {"a", "b", "c", "end"}
    assert knotted(made) == {"b"}


def test_circles_are_short_and_begin_at_the_first_element():
    made = graph(a={"x": "b"}, b={"x": "c", "y": "d"}, c={"x": "a"}, d={"x": "c"}, e={"x": "e"})
    assert circles(made, set(made)) == [["a", "b", "c"], ["e"]]
    assert circles(made, {"a", "b", "d", "c"}) == [["a", "b", "c"]]
    assert circles(made, {"a", "b", "d"}) == []
    assert circle_through(made, {"b", "c", "d", "a"}, "d") == ["d", "c", "a", "b"]
    assert circle_through(made, {"b", "d"}, "d") is None


def test_long_circles_are_found_without_trouble():
    size = 20_000
    made = graph(**{f"e{number}": {"done": f"e{(number + 1) % size}"} for number in range(size)})
    (circle,) = circles(made, set(made))
    assert len(circle) == size
