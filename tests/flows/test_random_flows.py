"""Loading, on flows nobody wrote: valid ones load, all others are refused with a place for every reason."""

from hypothesis import given
from hypothesis import strategies as st
from tests.random_flows import broken_flow_texts, flow_texts

from tactful.elements import catalogue
from tactful.flows.load import fingerprint, load_sources

CATALOGUE = catalogue()


def check_problems(loaded, sources):
    for problem in loaded.problems:
        place = problem.place
        lines = sources[place.file].replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert 1 <= place.line <= len(lines) + 1
        assert place.column >= 1
        if place.line <= len(lines):
            assert place.column <= len(lines[place.line - 1]) + 1
        first, *_ = problem.render().split("\n")
        assert first.startswith(f"{place.file}:{place.line}:{place.column}: {problem.severity}: ")
        assert first.endswith(f" [{problem.code}]")
        assert problem.code == problem.code.lower().replace(" ", "-")
        assert problem.message
        assert not problem.message.endswith(".")


def check_flow(flow):
    assert flow.start in flow.nodes
    for name, node in flow.nodes.items():
        assert node.id == name
        assert set(node.exits) == set(node.element.ways_out())
        assert set(node.exits.values()) <= {*flow.nodes, "end"}


@given(flow_texts())
def test_a_valid_flow_loads(text):
    loaded = load_sources({"flow.yaml": text}, CATALOGUE)
    assert [problem.render() for problem in loaded.errors] == []
    assert loaded.flow is not None
    check_flow(loaded.flow)
    check_problems(loaded, loaded.flow.sources)


@given(flow_texts(most_elements=5))
def test_a_flow_loads_again_from_its_own_sources(text):
    flow = load_sources({"flow.yaml": text}, CATALOGUE).flow
    assert flow is not None
    again = load_sources(flow.sources, CATALOGUE).flow
    assert again is not None
    assert again == flow
    assert again.fingerprint == fingerprint(flow.sources)


@given(broken_flow_texts())
def test_a_broken_flow_is_refused_with_places(text):
    loaded = load_sources({"flow.yaml": text}, CATALOGUE)
    assert (loaded.flow is None) == bool(loaded.errors)
    check_problems(loaded, {"flow.yaml": text})
    if loaded.flow is not None:
        check_flow(loaded.flow)


@given(st.one_of(st.text(), st.binary(), st.text("ab:{}[]-?!&*|>'\"%@`#,\n \t1~<=\\")))
def test_no_text_whatever_raises(text):
    loaded = load_sources({"flow.yaml": text}, CATALOGUE)
    assert loaded.flow is None
    assert loaded.errors
    for problem in loaded.problems:
        assert problem.render()
        assert problem.as_json()["line"] == problem.place.line
