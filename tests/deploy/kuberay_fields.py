# ruff: noqa: N815 (the names are theirs)
"""The fields of KubeRay's objects, and those of Kubernetes' that our manifests use; any other is a mistake.

KubeRay's from its generated field reference, `docs/reference/api.md` at v1.7.0 (commit 97509c3a7216); those that came after 1.5.1, which
the manifests promise to run on, are left out. Kubernetes' from its API reference, v1.28.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[str, Field(pattern=r"^\d+(m|Mi|Gi)?$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=50)]
    labels: dict[str, str] = {}


class SecretKey(Strict):
    name: str
    key: str
    optional: bool = False


class ValueFrom(Strict):
    secretKeyRef: SecretKey


class Variable(Strict):
    name: str
    value: str | None = None
    valueFrom: ValueFrom | None = None


class Resources(Strict):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity] = {}


class Mount(Strict):
    name: str
    mountPath: str


class Container(Strict):
    name: str
    image: str
    env: list[Variable] = []
    resources: Resources
    volumeMounts: list[Mount] = []


class Claim(Strict):
    claimName: str


class Volume(Strict):
    name: str
    persistentVolumeClaim: Claim


class PodSpec(Strict):
    containers: list[Container]
    volumes: list[Volume] = []
    nodeSelector: dict[str, str] = {}


class PodTemplate(Strict):
    metadata: dict[str, Any] = {}
    spec: PodSpec


class HeadGroup(Strict):
    serviceType: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    headService: dict[str, Any] | None = None
    enableIngress: bool = False
    rayStartParams: dict[str, str]
    template: PodTemplate


class WorkerGroup(Strict):
    groupName: str
    replicas: int
    minReplicas: int
    maxReplicas: int
    idleTimeoutSeconds: int | None = None
    numOfHosts: int = 1
    suspend: bool = False
    rayStartParams: dict[str, str]
    template: PodTemplate


class AutoscalerOptions(Strict):
    resources: Resources | None = None
    image: str | None = None
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None
    idleTimeoutSeconds: int | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None
    version: Literal["v1", "v2"] | None = None
    env: list[Variable] = []


class AuthOptions(Strict):
    mode: Literal["disabled", "token"]


class ClusterSpec(Strict):
    rayVersion: str
    authOptions: AuthOptions
    suspend: bool = False
    enableInTreeAutoscaling: bool = False
    autoscalerOptions: AutoscalerOptions | None = None
    headServiceAnnotations: dict[str, str] = {}
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class JobSpec(Strict):
    activeDeadlineSeconds: int | None = None
    backoffLimit: int = 0
    rayClusterSpec: ClusterSpec | None = None
    metadata: dict[str, str] = {}
    clusterSelector: dict[str, str] | None = None
    entrypoint: str
    runtimeEnvYAML: str | None = None
    jobId: str | None = None
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"] = "K8sJobMode"
    entrypointNumCpus: float = 0
    entrypointNumGpus: float = 0
    ttlSecondsAfterFinished: int = 0
    shutdownAfterJobFinishes: bool = False
    suspend: bool = False


class ClaimSpec(Strict):
    accessModes: list[Literal["ReadWriteMany"]]
    storageClassName: str | None = None
    resources: Resources


class RayCluster(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: ClusterSpec


class RayJob(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: JobSpec


class PersistentVolumeClaim(Strict):
    apiVersion: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    metadata: Metadata
    spec: ClaimSpec


Manifest = Annotated[RayCluster | RayJob | PersistentVolumeClaim, Field(discriminator="kind")]
