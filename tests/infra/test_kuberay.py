"""The manifests for KubeRay: their fields, versions, and what their pods may do."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from infra_files import MANIFESTS, name, pin

KUBERNETES = "1.33"

# Of KubeRay 1.5.1's reference; no package carries its own schema.
RAY_JOB_FIELDS = {
    *("entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished"),
    *("activeDeadlineSeconds", "backoffLimit", "submitterPodTemplate"),
    *("rayClusterSpec", "submissionMode", "submitterConfig", "runtimeEnvYAML"),
    *("entrypointNumCpus", "entrypointNumGpus", "metadata", "suspend"),
}
RAY_CLUSTER_FIELDS = {
    *("rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions"),
    *("headGroupSpec", "workerGroupSpecs", "gcsFaultToleranceOptions"),
}
HEAD_FIELDS = {"serviceType", "rayStartParams", "template", "enableIngress"}
WORKER_FIELDS = {
    *("groupName", "replicas", "minReplicas", "maxReplicas", "numOfHosts"),
    *("rayStartParams", "template", "idleTimeoutSeconds"),
}
AUTOSCALER_FIELDS = {
    *("idleTimeoutSeconds", "resources", "securityContext", "upscalingMode", "version"),
}

Node = dict[str, Any]

of_each_manifest = pytest.mark.parametrize("path", MANIFESTS, ids=name)


def spec_of(path: Path) -> Node:
    manifest: Node = yaml.safe_load(path.read_text())
    return dict(manifest["spec"])


def pods_of(path: Path) -> list[Node]:
    """Every pod that comes of a manifest; the head's with its autoscaler."""
    spec = spec_of(path)
    cluster = spec["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    options = cluster["autoscalerOptions"]
    autoscaler = {
        "name": "autoscaler",
        "image": head["containers"][0]["image"],
        "resources": options["resources"],
        "securityContext": options["securityContext"],
    }
    return [
        spec["submitterPodTemplate"]["spec"],
        {**head, "containers": [*head["containers"], autoscaler]},
        *(group["template"]["spec"] for group in cluster["workerGroupSpecs"]),
    ]


def containers_of(path: Path) -> list[Node]:
    return [container for pod in pods_of(path) for container in pod["containers"]]


def test_there_is_a_manifest_for_each_job_that_needs_a_cluster() -> None:
    assert [path.stem for path in MANIFESTS] == ["score", "train"]


@of_each_manifest
def test_a_manifest_is_a_ray_job_of_known_fields(path: Path) -> None:
    manifest = yaml.safe_load(path.read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    assert set(manifest) == {"apiVersion", "kind", "metadata", "spec"}

    spec = manifest["spec"]
    cluster = spec["rayClusterSpec"]
    assert set(spec) <= RAY_JOB_FIELDS
    assert set(cluster) <= RAY_CLUSTER_FIELDS
    assert set(cluster["headGroupSpec"]) <= HEAD_FIELDS
    assert set(cluster["autoscalerOptions"]) <= AUTOSCALER_FIELDS
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= WORKER_FIELDS


@of_each_manifest
def test_pods_are_what_kubernetes_takes(path: Path) -> None:
    for pod in pods_of(path):
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod"},
            "spec": pod,
        }
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@of_each_manifest
def test_ray_is_the_pinned_one_in_the_manifest_and_in_every_image(path: Path) -> None:
    ray = pin("ray")
    assert spec_of(path)["rayClusterSpec"]["rayVersion"] == ray
    for container in containers_of(path):
        _, tag = container["image"].rsplit(":", 1)
        assert tag in {f"ray{ray}-cpu", f"ray{ray}-gpu"}


@of_each_manifest
def test_the_cluster_ends_with_the_job(path: Path) -> None:
    spec = spec_of(path)
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["activeDeadlineSeconds"] > 0


@of_each_manifest
def test_cpu_workers_scale_and_a_gpu_group_stands_beside_them(path: Path) -> None:
    cluster = spec_of(path)["rayClusterSpec"]
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    assert cluster["enableInTreeAutoscaling"] is True
    assert groups["cpu"]["maxReplicas"] > groups["cpu"]["minReplicas"]
    for group in groups.values():
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    gpu = groups["gpu"]["template"]["spec"]["containers"][0]
    assert gpu["image"].endswith("-gpu")
    assert gpu["resources"]["limits"]["nvidia.com/gpu"] == "1"


@of_each_manifest
def test_a_cluster_has_a_token_that_stands_in_no_file(path: Path) -> None:
    assert spec_of(path)["rayClusterSpec"]["authOptions"] == {"mode": "token"}


@of_each_manifest
def test_no_pod_is_root_or_may_become_it(path: Path) -> None:
    for pod in pods_of(path):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}


@of_each_manifest
def test_every_container_says_what_it_needs_and_may_use(path: Path) -> None:
    for container in containers_of(path):
        for bound in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][bound])


@of_each_manifest
def test_the_stores_keys_come_from_a_secret_and_only_to_the_driver(path: Path) -> None:
    with_keys = [c["name"] for c in containers_of(path) if "envFrom" in c]
    assert with_keys == ["ray-head"]
    for container in containers_of(path):
        for source in container.get("envFrom", []):
            assert set(source) == {"secretRef"}
        for variable in container.get("env", []):
            assert "value" not in variable or "AWS" not in variable["name"]


@of_each_manifest
def test_nothing_is_open_to_the_outside(path: Path) -> None:
    head = spec_of(path)["rayClusterSpec"]["headGroupSpec"]
    assert head["serviceType"] == "ClusterIP"
    assert not head.get("enableIngress", False)
    for container in containers_of(path):
        assert not any("hostPort" in port for port in container.get("ports", []))
