"""The manifests for KubeRay: only published fields, a token, and no way in from outside."""

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from tests.deploy.kuberay_fields import Manifest, PersistentVolumeClaim, RayCluster, RayJob

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS: TypeAdapter[RayCluster | RayJob | PersistentVolumeClaim] = TypeAdapter(Manifest)


def test_the_manifests_have_published_fields_alone() -> None:
    texts = [(DEPLOY / name).read_text() for name in ("kuberay.yaml", "kuberay_job.yaml")]
    found = [MANIFESTS.validate_python(document) for text in texts for document in yaml.safe_load_all(text)]
    assert [manifest.kind for manifest in found] == ["PersistentVolumeClaim", "RayCluster", "RayJob"]


def test_an_unknown_field_would_be_found() -> None:
    document = yaml.safe_load((DEPLOY / "kuberay_job.yaml").read_text())
    document["spec"]["entryPoint"] = "true"
    with pytest.raises(ValidationError, match="entryPoint"):
        MANIFESTS.validate_python(document)


@pytest.fixture(scope="module")
def cluster() -> RayCluster:
    documents = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    return next(RayCluster.model_validate(document) for document in documents if document["kind"] == "RayCluster")


def test_the_cluster_asks_for_a_token_and_has_no_public_service(cluster: RayCluster) -> None:
    head = cluster.spec.headGroupSpec
    assert cluster.spec.authOptions.mode == "token"
    assert head.serviceType == "ClusterIP"
    assert not head.enableIngress
    assert head.headService is None


def test_jobs_run_on_gpu_workers_that_come_and_go(cluster: RayCluster) -> None:
    head, (worker,) = cluster.spec.headGroupSpec, cluster.spec.workerGroupSpecs
    assert (head.rayStartParams["num-cpus"], head.rayStartParams["num-gpus"]) == ("0", "0")
    assert cluster.spec.enableInTreeAutoscaling
    assert worker.minReplicas == 0 < worker.maxReplicas
    (container,) = worker.template.spec.containers
    assert container.resources.limits["nvidia.com/gpu"] == container.resources.requests["nvidia.com/gpu"] == "1"


def test_all_nodes_share_a_folder_and_only_the_head_knows_the_database(cluster: RayCluster) -> None:
    groups = [cluster.spec.headGroupSpec, *cluster.spec.workerGroupSpecs]
    containers = [container for group in groups for container in group.template.spec.containers]
    assert all([mount.mountPath for mount in container.volumeMounts] == ["/shared"] for container in containers)
    for container, knows in zip(containers, (True, False), strict=True):
        variables = {variable.name: variable for variable in container.env}
        assert variables["RAY_USAGE_STATS_ENABLED"].value == "0"
        assert ("PGPASSWORD" in variables) is knows
    password = next(variable for variable in containers[0].env if variable.name == "PGPASSWORD")
    assert password.value is None


def test_the_job_runs_on_that_cluster_and_takes_no_worker_for_its_driver(cluster: RayCluster) -> None:
    job = RayJob.model_validate(yaml.safe_load((DEPLOY / "kuberay_job.yaml").read_text()))
    assert job.spec.clusterSelector == {"ray.io/cluster": cluster.metadata.name}
    assert job.spec.entrypoint == "robustsweep launch quickstart --address auto"
    assert (job.spec.entrypointNumCpus, job.spec.entrypointNumGpus) == (0, 0)
