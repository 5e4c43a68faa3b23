"""What docs/deploy/ hands out fits the program: its project loads, its probes ask what is answered."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from tactful.elements import catalogue
from tactful.engine.api.health_routes import health_routes
from tactful.engine.clock import SetClock
from tactful.engine.compose import open_engine
from tactful.engine.project import load_project
from tactful.flows.load import load_sources

FOLDER = Path(__file__).parent.parent / "docs" / "deploy"
MANIFESTS = ("kubernetes.yaml", "kubernetes-sqlite.yaml")


def manifests(name):
    return {each["kind"]: each for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))}


def workload(name):
    found = manifests(name)
    return next(found[kind] for kind in ("Deployment", "StatefulSet") if kind in found)


def test_the_project_and_its_flow_load(tmp_path):
    files = manifests("kubernetes.yaml")["ConfigMap"]["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    _, problems = load_project(tmp_path / "tactful.yaml")
    assert [each.render() for each in problems] == []
    assert load_sources({"welcome.yaml": files["welcome.yaml"]}, catalogue()).problems == ()


def test_every_secret_the_project_names_is_there():
    found = manifests("kubernetes.yaml")
    named = set(re.findall(r"env: (\w+)", found["ConfigMap"]["data"]["tactful.yaml"]))
    assert named == set(found["Secret"]["stringData"])


@pytest.mark.parametrize("name", MANIFESTS)
def test_probes_ask_what_is_answered(name):
    engine = open_engine("sqlite://")
    answered = {route.path for route in health_routes(engine, SetClock(0))}
    engine.close()
    (container,) = workload(name)["spec"]["template"]["spec"]["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert set(probes.values()) <= answered


@pytest.mark.parametrize("name", MANIFESTS)
def test_it_writes_nowhere_but_where_it_must_and_may_take_its_time(name):
    pod = workload(name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["terminationGracePeriodSeconds"] >= 60
    writes = {each["name"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert writes == ({"tmp", "data"} if "sqlite" in name else {"tmp"})


def test_a_job_publishes_the_flows_as_the_daemons_would():
    job = manifests("kubernetes.yaml")["Job"]["spec"]["template"]["spec"]
    daemons = workload("kubernetes.yaml")["spec"]["template"]["spec"]
    (publishes,), (serves,) = job["containers"], daemons["containers"]
    assert (publishes["args"][:2], serves["args"][:1]) == (["publish", "--all"], ["serve"])
    assert publishes["args"][2:] == serves["args"][1:]
    for part in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert publishes[part] == serves[part], part
    for part in ("securityContext", "volumes", "automountServiceAccountToken"):
        assert job[part] == daemons[part], part
    assert job["restartPolicy"] == "Never"


def test_on_sqlite_there_is_one():
    found = workload("kubernetes-sqlite.yaml")
    assert (found["kind"], found["spec"]["replicas"]) == ("StatefulSet", 1)
    assert workload("kubernetes.yaml")["spec"]["replicas"] > 1


def test_the_unit_is_one():
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]  # systemd minds the case
    unit.read_string((FOLDER / "tactful.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    assert service["ExecStart"].endswith("tactful serve")
    assert int(service["TimeoutStopSec"]) >= 60
    assert service["ProtectSystem"] == "strict"
    assert service["EnvironmentFile"]
