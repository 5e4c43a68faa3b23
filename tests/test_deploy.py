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
BESIDE = {"kubernetes-migrate.yaml": "kubernetes.yaml"}
"""What is applied beside another one, and uses what that defines."""
REFERS = {
    "configMap": "ConfigMap", "configMapRef": "ConfigMap", "secret": "Secret", "secretRef": "Secret",
    "serviceName": "Service", "serviceAccountName": "ServiceAccount", "persistentVolumeClaim": "PersistentVolumeClaim",
}  # fmt: skip


def manifests(name):
    return {each["kind"]: each for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))}


def parts(manifest):
    """Every key that stands anywhere in it, with its value."""
    if isinstance(manifest, list):
        for each in manifest:
            yield from parts(each)
    elif isinstance(manifest, dict):
        for key, value in manifest.items():
            yield key, value
            yield from parts(value)


def names(things):
    return {each["name"] for each in things}


def workload(name):
    found = manifests(name)
    return next(found[kind] for kind in ("Deployment", "StatefulSet") if kind in found)


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_project_and_its_flow_load(tmp_path, name):
    files = manifests(name)["ConfigMap"]["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    _, problems = load_project(tmp_path / "tactful.yaml")
    assert [each.render() for each in problems] == []
    assert load_sources({"welcome.yaml": files["welcome.yaml"]}, catalogue()).problems == ()


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_secret_the_project_names_is_there(name):
    found = manifests(name)
    named = set(re.findall(r"env: (\w+)", found["ConfigMap"]["data"]["tactful.yaml"]))
    assert named == set(found["Secret"]["stringData"])


@pytest.mark.parametrize("name", [*MANIFESTS, *BESIDE])
def test_whatever_a_manifest_names_is_defined(name):
    found = manifests(name).values()
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    if beside := BESIDE.get(name):
        there |= {(each["kind"], each["metadata"]["name"]) for each in manifests(beside).values()}
        assert f"those of {beside}" in (FOLDER / name).read_text(encoding="utf-8"), "and its reader is told"
    for manifest in found:
        named = [(REFERS[key], each) for key, each in parts(manifest.get("spec", {})) if key in REFERS]
        assert {(kind, each if isinstance(each, str) else each["name"]) for kind, each in named} <= there


@pytest.mark.parametrize("name", [*MANIFESTS, *BESIDE])
def test_whatever_a_pod_uses_it_has(name):
    pods = [each["spec"] for each in manifests(name).values() if "template" in each.get("spec", {})]
    ports = set()
    for spec in pods:
        pod, claims = spec["template"]["spec"], [each["metadata"] for each in spec.get("volumeClaimTemplates", [])]
        for container in pod["containers"]:
            assert names(container["volumeMounts"]) == names(pod["volumes"]) | names(claims)
            ports |= names(container.get("ports", []))
    asked = [port for key, port in parts(list(manifests(name).values())) if key in ("port", "targetPort")]
    assert {port for port in asked if isinstance(port, str)} <= ports


@pytest.mark.parametrize("name", MANIFESTS)
def test_whoever_is_selected_is_there(name):
    labels = workload(name)["spec"]["template"]["metadata"]["labels"]
    selectors = [each for key, each in parts(list(manifests(name).values())) if key in ("selector", "labelSelector")]
    assert selectors, "a Service, at least"
    assert all(each.get("matchLabels", each) == labels for each in selectors)


@pytest.mark.parametrize("name", MANIFESTS)
def test_probes_ask_what_is_answered(name):
    engine = open_engine("sqlite://")
    answered = {route.path for route in health_routes(engine, SetClock(0))}
    engine.close()
    (container,) = workload(name)["spec"]["template"]["spec"]["containers"]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    probes = {kind: each["path"] for kind, each in asked.items()}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert set(probes.values()) <= answered
    http = yaml.safe_load(manifests("kubernetes.yaml")["ConfigMap"]["data"]["tactful.yaml"])["http"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"http": http["port"], "watch": http["watch"]["port"]}
    assert {each["port"] for each in asked.values()} == {"watch"}


def test_figures_are_asked_for_where_the_probes_are_and_no_service_leads_there():
    http = yaml.safe_load(manifests("kubernetes.yaml")["ConfigMap"]["data"]["tactful.yaml"])["http"]
    notes = workload("kubernetes.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(http["watch"]["port"])
    assert [each["targetPort"] for each in manifests("kubernetes.yaml")["Service"]["spec"]["ports"]] == ["http"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_it_writes_nowhere_but_where_it_must_and_may_take_its_time(name):
    pod = workload(name)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["terminationGracePeriodSeconds"] >= 60
    writes = {each["name"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert writes == ({"tmp", "data"} if "sqlite" in name else {"tmp"})


@pytest.mark.parametrize(
    ("name", "command"), [("kubernetes.yaml", ["publish", "--all"]), ("kubernetes-migrate.yaml", ["migrate"])]
)
def test_a_job_runs_a_command_as_the_daemons_would(name, command):
    job = manifests(name)["Job"]["spec"]["template"]["spec"]
    daemons = workload("kubernetes.yaml")["spec"]["template"]["spec"]
    (runs,), (serves,) = job["containers"], daemons["containers"]
    assert runs["args"] == [*command, *serves["args"][1:]]
    for part in ("image", "envFrom", "securityContext", "volumeMounts"):
        assert runs[part] == serves[part], part
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
