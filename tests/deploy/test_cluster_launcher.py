"""The files for Ray's cluster launcher: valid by Ray's own rules, locked, and of the pinned versions."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
LAUNCHER_FILES = ["ray_cluster.yaml", "deploy/on_premises.yaml"]
DEPLOYED = sorted(["ray_cluster.yaml", *(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").iterdir())])


@pytest.fixture(params=LAUNCHER_FILES)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / request.param).read_text())
    return loaded


def commands(config: dict[str, Any], name: str) -> str:
    return "\n".join(config[name])


def test_the_file_is_valid_by_rays_schema_and_by_its_validation(config: dict[str, Any]) -> None:
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(config, schema)
    validate_config(prepare_config(config))


@pytest.mark.parametrize("name", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_both_start_commands_ask_for_the_token_and_send_no_statistics(config: dict[str, Any], name: str) -> None:
    start = commands(config, name)
    before, _, _ = start.partition("ray start ")
    assert "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$HOME/.ray/auth_token RAY_USAGE_STATS_ENABLED=0;" in before
    mounts = {place: source for place, source in config["file_mounts"].items() if place.endswith("/.ray/auth_token")}
    assert list(mounts.values()) == ["~/.ray/auth_token"]
    assert "chmod 600 ~/.ray/auth_token" in commands(config, "setup_commands")


def test_no_job_lands_on_the_head_and_its_dashboard_is_not_for_the_world(config: dict[str, Any]) -> None:
    head = commands(config, "head_start_ray_commands")
    assert "ray start --head --num-cpus=0 --num-gpus=0" in head
    assert "--dashboard-host=127.0.0.1" in head


def test_nodes_are_set_up_from_the_pinned_versions(config: dict[str, Any]) -> None:
    installs = [line for name, lines in config.items() if name.endswith("setup_commands") for line in lines if "pip install" in line]
    assert installs
    assert all(re.search(r"--constraint \S*constraints\.txt", line) for line in installs)


def test_gpu_workers_come_and_go_and_may_be_spot() -> None:
    config = prepare_config(yaml.safe_load((ROOT / "ray_cluster.yaml").read_text()))
    head, worker = config["available_node_types"]["head"], config["available_node_types"]["gpu_worker"]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]
    assert (worker["min_workers"], worker["max_workers"]) == (0, config["max_workers"])
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert worker["node_config"]["InstanceType"] == "g5.xlarge"
    assert worker["node_config"]["ImageId"] == head["node_config"]["ImageId"]


@pytest.mark.parametrize("name", DEPLOYED)
def test_versions_are_those_of_the_constraints(name: str) -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    text = (ROOT / name).read_text()
    named = re.findall(r"\b(ray|torch|optuna|torchvision|torchaudio)(?:\[[\w,]+\])?(?:==|:)(\d[\w.]*)", text)
    assert {(package, version) for package, version in named if pinned[package] != version} == set()
    assert set(re.findall(r"rayVersion: (\S+)", text)) <= {pinned["ray"]}


@pytest.mark.parametrize("name", DEPLOYED)
def test_no_file_holds_a_secret_or_a_registrys_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"\b[0-9a-f]{32,}\b|AKIA[0-9A-Z]{16}|PRIVATE KEY", text) == []
    assert re.findall(r"://[^/\s:@]+:[^/\s@]+@", text) == []
    assert re.findall(r"(?:image: |FROM )\S*[.:]\S*/", text) == []
    assert not re.search(r"(?i)index-url|pypi\.|docker\.io|quay\.io|gcr\.io|ecr\.", text)
