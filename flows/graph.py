"""A flow as a directed graph, and what is asked of it. The only module that knows networkx.

networkx takes long to import, so it is imported when the first graph is made.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Set
from typing import TYPE_CHECKING, Protocol, TypeVar

from tactful.flows.model import Flow

if TYPE_CHECKING:
    import networkx as nx

    Digraph = nx.DiGraph[str]


Name = TypeVar("Name", bound=Hashable)


class HasExits(Protocol):
    """What a graph is made of: exits, and the name of the element each leads to (or `end`)."""

    @property
    def exits(self) -> Mapping[str, str]: ...


def to_graph(flow: Flow | Mapping[str, HasExits]) -> Digraph:
    """The elements of a flow in the order of the file and, where an exit leads there, `end`.

    An edge stands for all exits that lead from one element to another; its `exits` are their names, in order.
    """
    import networkx as nx

    nodes: Mapping[str, HasExits] = flow.nodes if isinstance(flow, Flow) else flow
    graph: Digraph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    for name, node in nodes.items():
        joined: dict[str, list[str]] = {}
        for exit, target in node.exits.items():
            joined.setdefault(target, []).append(exit)
        graph.add_edges_from((name, target, {"exits": tuple(exits)}) for target, exits in joined.items())
    return graph


def reached(graph: Digraph, start: str) -> frozenset[str]:
    """All that a journey may come to, the start included."""
    import networkx as nx

    return frozenset(nx.descendants(graph, start)) | {start}


def knotted(graph: Digraph) -> frozenset[str]:
    """All elements that a path leads back to."""
    import networkx as nx

    knots = nx.strongly_connected_components(graph)
    return frozenset(name for knot in knots for name in knot if len(knot) > 1 or graph.has_edge(name, name))


def knots(leads: Mapping[Name, Iterable[Name]]) -> list[frozenset[Name]]:
    """The names of a graph in knots: those together that lead back to each other, alone what leads back to none. A
    knot stands before those it leads to. A name that has no line of its own is left out."""
    import networkx as nx

    graph: nx.DiGraph[Name] = nx.DiGraph()
    graph.add_nodes_from(leads)
    graph.add_edges_from((name, target) for name, targets in leads.items() for target in targets if target in leads)
    order = nx.condensation(graph)
    return [frozenset(order.nodes[number]["members"]) for number in nx.topological_sort(order)]


def circles(graph: Digraph, passing: Set[str]) -> list[list[str]]:
    """Circles of elements that are all `passing`: of each knot of them one, as short as there is through the
    knot's first element in the file, and beginning with that."""
    import networkx as nx

    order = {name: number for number, name in enumerate(graph)}
    part = graph.subgraph(passing)
    firsts = (
        (min(knot, key=order.__getitem__), knot)
        for knot in nx.strongly_connected_components(part)
        if len(knot) > 1 or part.has_edge(*knot, *knot)
    )
    return [circle for first, knot in firsts if (circle := circle_through(graph, knot, first))]


def circle_through(graph: Digraph, passing: Set[str], first: str) -> list[str] | None:
    """A shortest circle through an element all of which is `passing`, beginning there; None where there is none."""
    import networkx as nx

    if graph.has_edge(first, first):
        return [first]
    part = graph.subgraph(passing)
    # Breadth first: the first one met that leads back closes the shortest circle.
    before = set(part.predecessors(first))
    came_from: dict[str, str] = {}
    for name, source in nx.bfs_predecessors(part, first):
        came_from[name] = source
        if name in before:
            circle = [name]
            while circle[-1] != first:
                circle.append(came_from[circle[-1]])
            return circle[::-1]
    return None
