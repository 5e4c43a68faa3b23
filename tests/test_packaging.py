"""What an installation of tactful may be relied on for; the built wheel itself is tried by .ci/run."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tactful

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("elements", "engine", "flows")
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")


def locked(lock: str) -> dict[str, list[str]]:
    """The versions a lock file pins, by package; several where they differ between Pythons."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE):
        pins.setdefault(canonicalize_name(name), []).append(version)
    return pins


def test_the_command_is_declared():
    command = distribution("tactful").entry_points.select(group="console_scripts", name="tactful")
    assert [script.value for script in command] == ["tactful.engine.cli:main"]


def test_the_installed_version_is_the_one_written_here():
    assert distribution("tactful").version == PROJECT["project"]["version"], "run: make clean test"


def test_tactful_itself_is_a_namespace_so_that_others_may_add_to_it():
    assert tactful.__spec__ is not None
    assert tactful.__spec__.origin is None


@pytest.mark.parametrize("package", PACKAGES)
def test_links_for_the_editable_install_are_relative_and_lead_to_the_folders(package):
    link = ROOT / ".src" / "tactful" / package
    assert link.is_symlink(), "git must check out symbolic links: git config core.symlinks true"
    assert not link.readlink().is_absolute()
    assert link.resolve() == (ROOT / package).resolve()


def test_the_links_are_all_there_is():
    assert sorted(entry.name for entry in (ROOT / ".src" / "tactful").iterdir()) == list(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_say_that_they_are_typed(package):
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_satisfy_what_is_declared(lock):
    declared = list(PROJECT["project"]["dependencies"])
    declared += [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]
    if lock == "requirements-dev.lock":
        declared += [line for line in PROJECT["dependency-groups"]["dev"] if isinstance(line, str)]
    pins = locked(lock)
    stale = [
        str(wanted)
        for wanted in map(Requirement, declared)
        if not pins.get(canonicalize_name(wanted.name))
        or not all(map(wanted.specifier.contains, pins[canonicalize_name(wanted.name)]))
    ]
    assert stale == [], "run: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_agree_with_each_other(lock):
    development = locked("requirements-dev.lock")
    assert {name: pins for name, pins in locked(lock).items() if pins != development.get(name)} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_place_to_download_from(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--hash=sha256:" in text
