"""What the chart makes of its values: objects that a cluster takes, and that agree with the controller."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import yaml

from dgdr_operator import settings
from dgdr_operator.controller import options, pace
from dgdr_operator.request import ModelCache, NewClaim
from tests.chart.rendering import Chart, Object, Refused, container, is_hook, of_kind, pods

SWITCHES = (
    "crds.install",
    "podDisruptionBudget.enabled",
    "networkPolicy.enabled",
    "metrics.service.enabled",
    "metrics.podMonitor.enabled",
    "metrics.rules.enabled",
    "metrics.dashboards.enabled",
    "admission.requests",
    "admission.selfRestraint",
    "rbac.create",
    "serviceAccount.create",
    "tests.enabled",
    "pod.topologySpread",
)
LONG = "a" * 53
"""The longest release name that Helm takes."""


def test_the_linter_has_nothing_to_say(chart: Chart) -> None:
    said = chart.run("lint", "--strict", str(chart.folder))

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_every_sample_renders(chart: Chart) -> None:
    for sample in chart.samples:
        assert of_kind(chart.render(values=sample), "Deployment"), sample


@pytest.mark.chart
@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_renders_both_ways(chart: Chart, switch: str) -> None:
    on, off = (chart.render("--set", f"{switch}={value}") for value in ("true", "false"))

    assert on != off


@pytest.mark.chart
def test_any_two_switches_go_together(chart: Chart) -> None:
    for one, other in itertools.islice(itertools.combinations(SWITCHES, 2), 0, None, 7):
        chart.render("--set", f"{one}=true,{other}=true")
        chart.render("--set", f"{one}=false,{other}=false")


@pytest.mark.parametrize("chosen", ["plain", "everything"])
def test_no_two_objects_have_one_name(chosen: str, request: pytest.FixtureRequest) -> None:
    objects: list[Object] = request.getfixturevalue(chosen)
    names = [(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in objects]

    assert len(names) == len(set(names))


def test_names_fit_however_long_the_release_is_called(chart: Chart, folder: Path) -> None:
    objects = chart.render(release=LONG, values=folder / "ci" / "everything.yaml")

    names = [body["metadata"]["name"].rpartition(":")[2] for body in objects]  # roles have longer ones, with a colon
    assert [name for name in names if len(name) > 63 and not name.endswith(".nvidia.com")] == []


@pytest.mark.parametrize("chosen", ["plain", "everything"])
def test_every_selector_finds_the_controller_and_no_other_pod(chosen: str, request: pytest.FixtureRequest) -> None:
    objects: list[Object] = request.getfixturevalue(chosen)
    (deployment,) = of_kind(objects, "Deployment")
    (test,) = (body for body in objects if body["kind"] == "Pod")
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    selectors = [found for body in objects for found in _selectors(body.get("spec", {}))]

    assert selectors
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test["metadata"]["labels"].items()


def _selectors(spec: Object) -> list[dict[str, str]]:
    found = [spec[key] for key in ("selector", "podSelector") if key in spec]
    return [selector.get("matchLabels", selector) for selector in found]


@pytest.mark.parametrize("chosen", ["plain", "everything"])
def test_every_pod_holds_to_the_restricted_standard(chosen: str, request: pytest.FixtureRequest) -> None:
    specs = list(pods(request.getfixturevalue(chosen)))

    assert len(specs) == 2
    for spec in specs:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert all(set(volume) - {"name"} <= {"emptyDir", "projected"} for volume in spec["volumes"])
        for one in spec["containers"]:
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"].keys() >= {"cpu", "memory"}


def test_the_defaults_of_the_chart_are_the_defaults_of_the_controller(plain: list[Object]) -> None:
    assert settings.read(_environment(plain)) == settings.read({})


def test_every_setting_arrives(everything: list[Object]) -> None:
    found = settings.read(_environment(everything))

    assert found.dynamo_version == "1.2.0"
    assert found.registry == "registry.example/dynamo"
    assert found.hf_secret == ""
    claim = NewClaim(size="500Gi", storage_class="fast", access_mode="ReadWriteOnce")
    assert found.model_cache == ModelCache(claim="weights", mount="/models", creation=claim)
    assert found.pods.pull_secrets == ("ngc", "mirror")
    assert found.pods.node_selector == {"pool": "gpu"}
    assert [toleration["key"] for toleration in found.pods.tolerations] == ["nvidia.com/gpu", "team"]
    assert found.shared_memory == {"vllm": "32Gi", "sglang": "32Gi", "trtllm": "128Gi"}
    assert found.engine_env["vllm"] == {"VLLM_LOGGING_LEVEL": "WARNING", "OTHER": "1"}
    assert found.fabric.profile == "shared_ib"
    assert found.fabric.resource == "rdma/shared"
    assert (found.fabric.without_rdma, found.fabric.security) == ("allow", "privileged")
    assert found.fabric.ib_address is None
    assert found.fabric.shared_count == 4
    assert found.fabric.env == {"UCX_NET_DEVICES": "mlx5_0:1,mlx5_1:1"}
    assert found.fabric.bandwidth["ib"] == 40e9
    assert found.fabric.bandwidth["roce-gke"] == 12.5e9


def test_every_setting_of_the_controller_can_be_given(everything: list[Object]) -> None:
    documented = re.findall(r"_[A-Z][A-Z_]+[A-Z]", settings.read.__doc__ or "")
    given = " ".join(_environment(everything))

    assert len(documented) > 10
    assert [name for name in documented if name not in given] == []


def _environment(objects: list[Object]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(objects)["env"] if "value" in entry}


def test_the_controller_understands_its_arguments(plain: list[Object], everything: list[Object]) -> None:
    ordinary, other = (options.read(container(objects)["args"]) for objects in (plain, everything))

    assert (ordinary.namespace, ordinary.probe_port, ordinary.slots, ordinary.log_level) == (None, 8081, 1, "info")
    assert (other.probe_address, other.probe_port, other.slots, other.log_level) == ("::", 9091, 2, "debug")
    assert (ordinary.metrics_port, other.metrics_port) == (8080, 9090)
    assert (ordinary.log_format, other.log_format) == ("json", "text")
    assert (ordinary.writes, other.writes) == (pace.WRITES_PER_SECOND, 50)
    assert ordinary.lease == other.lease == ("dgdr-system", "plan-dgdr-operator")


def test_one_namespace_means_rights_in_one_namespace(chart: Chart, folder: Path) -> None:
    objects = chart.render(values=folder / "ci" / "one-namespace.yaml")

    assert of_kind(objects, "ClusterRole") == []
    assert [role["metadata"]["namespace"] for role in of_kind(objects, "Role")] == ["models", "dgdr-system"]
    assert options.read(container(objects)["args"]).namespace == "models"


def test_two_namespaces_are_refused(chart: Chart) -> None:
    with pytest.raises(Refused, match="/watch/namespaces"):
        chart.render("--set", "watch.namespaces={one,two}")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("replicas=9", "/replicas"),
        ("controller.logLevel=loud", "logLevel"),
        ("replica=1", "replica"),
        ("fabric.withoutRdma=maybe", "/fabric/withoutRdma"),
        ("tracing.endpoint=collector:4318", "/tracing/endpoint"),
        ("tracing.samplingRatio=2", "/tracing/samplingRatio"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(chart: Chart, wrong: str, where: str) -> None:
    with pytest.raises(Refused, match=where):
        chart.render("--set", wrong)


def test_the_documented_rights_are_the_rendered_ones(plain: list[Object], root: Path) -> None:
    page = (root / "docs" / "controller.md").read_text().partition("## Rights")[2].partition("##")[0]
    roles = of_kind(plain, "ClusterRole") + of_kind(plain, "Role")
    rules = [rule for role in roles for rule in role["rules"]]
    rendered = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}

    assert rendered == set(_documented(page))


def test_only_one_lease_can_be_changed_and_it_is_the_one_that_is_asked_for(plain: list[Object]) -> None:
    (role,) = of_kind(plain, "Role")
    _, name = options.read(container(plain)["args"]).lease or ("", "")

    named = {verb: rule.get("resourceNames") for rule in role["rules"] for verb in rule["verbs"]}

    assert named == {"create": None, "get": [name], "update": [name]}


def test_secrets_are_looked_up_by_their_names_only(chart: Chart) -> None:
    told = ["dynamo.huggingFaceSecret=token", "graphs.imagePullSecrets={ngc,token}", "rbac.secretNames={own}"]

    roles = of_kind(chart.render(*(f"--set={one}" for one in told)), "ClusterRole")

    (rule,) = (rule for role in roles for rule in role["rules"] if rule["resources"] == ["secrets"])
    assert (rule["verbs"], rule["resourceNames"]) == (["get"], ["token", "ngc", "own"])


def test_without_a_name_or_without_the_wish_no_secret_is_looked_up(chart: Chart) -> None:
    nameless = chart.render("--set=dynamo.huggingFaceSecret=")
    unwished = chart.render("--set=rbac.existence=false")

    assert "secrets" not in str(of_kind(nameless, "ClusterRole"))
    assert "secrets" not in str(of_kind(unwished, "ClusterRole"))


def _documented(page: str) -> list[tuple[str, str]]:
    """`resource`: verb, verb; its `/part`: verb ..."""
    found: list[tuple[str, str]] = []
    parent = ""
    for name, verbs in re.findall(r"`([a-z/]+)`(?: of `[\w.]+`)?: ([a-z, ]+)", page):
        parent = parent if name.startswith("/") else name
        resource = parent + name if name.startswith("/") else name
        found += [(resource, verb.strip()) for verb in verbs.split(",") if verb.strip()]
    return found


def test_a_missing_kind_is_refused_with_the_command_that_helps(chart: Chart) -> None:
    cluster = ["--api-versions", "apiregistration.k8s.io/v1"]
    graphs = ["--api-versions", "nvidia.com/v1alpha1/DynamoGraphDeployment"]

    with pytest.raises(Refused, match=r"crds\.install=true"):
        chart.render(*cluster, *graphs)
    with pytest.raises(Refused, match="Install the Dynamo platform"):
        chart.render(*cluster, "--set", "crds.install=true")
    assert chart.render(*cluster, *graphs, "--set", "crds.install=true")
    assert chart.render(*cluster, "--set", "crds.check=false")


def test_our_definition_is_installed_as_it_is_and_stays(everything: list[Object], root: Path) -> None:
    (rendered,) = of_kind(everything, "CustomResourceDefinition")
    original = yaml.safe_load((root / "crds" / "dynamographdeploymentrequests.nvidia.com.yaml").read_text())

    assert rendered["spec"] == original["spec"]
    assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_what_helm_test_may_do_goes_with_it(plain: list[Object]) -> None:
    test = [body for body in plain if body["metadata"]["name"].startswith("plan-dgdr-operator-test")]

    assert {body["kind"] for body in test} == {"ServiceAccount", "Role", "RoleBinding", "Pod"}
    assert all(is_hook(body) for body in test)


def test_the_script_of_helm_test_is_python(plain: list[Object]) -> None:
    (pod,) = (body for body in plain if body["kind"] == "Pod")
    (script,) = pod["spec"]["containers"][0]["args"]

    assert compile(script, "release_test", "exec")
