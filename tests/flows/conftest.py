"""What tests of flows share: the catalogue, and a loader of texts."""

import pytest

from tactful.elements import catalogue
from tactful.flows.load import load_sources
from tactful.flows.model import LONE


@pytest.fixture(scope="session")
def elements():
    return catalogue()


@pytest.fixture(scope="session")
def load(elements):
    """Loads a YAML text, with files by name beside it: `load(text, offer="<p>…")` has `offer.html`."""

    def load(text, around=LONE, **files):
        beside = {f"{name}.html": content for name, content in files.items()}
        return load_sources({"flow.yaml": text, **beside}, elements, around)

    return load
