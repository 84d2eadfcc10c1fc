"""The watch over Ray, without one: what it does once a reason is known for which no job will run."""

import threading

import pytest

from orchestrator.executors.base import Resources
from orchestrator.executors.ray_tune import ray_watch
from orchestrator.executors.ray_tune.ray_watch import ClusterLoss, RayDied, RayWatch


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_watch, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ray_watch, "_STEP_SECONDS", 0.01)


def test_a_step_that_waits_for_a_dead_ray_is_interrupted() -> None:
    with pytest.raises(RayDied, match="the raylet ended"), RayWatch(lambda: "the raylet ended"):
        threading.Event().wait(60)


def test_an_error_that_comes_of_the_death_is_the_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_watch, "_STEP_SECONDS", 60)

    def step() -> None:
        with RayWatch(lambda: "the head ended") as watching:
            while watching._reason is None:
                threading.Event().wait(0.01)
            raise RuntimeError("no answer")

    with pytest.raises(RayDied, match="the head ended"):
        step()


def test_nothing_is_interrupted_while_ray_lives_and_its_errors_stay() -> None:
    def step() -> None:
        with RayWatch(lambda: None) as watching:
            watching.check()
            raise RuntimeError("another")

    with pytest.raises(RuntimeError, match="another"):
        step()


@pytest.mark.parametrize(("limit", "said"), [("ROOM_SECONDS", "no node has 1 CPU"), ("HEAD_SECONDS", "has not answered")])
def test_a_cluster_that_stays_without_nodes_or_a_head_is_lost(limit: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: Resources) -> str:
        if limit == "HEAD_SECONDS":
            threading.Event().wait(60)
        return "no node has 1 CPU"

    monkeypatch.setattr(ray_watch, "lacking", answer)
    monkeypatch.setattr(ray_watch, "ROOM_SECONDS", 0.05)
    monkeypatch.setattr(ray_watch, limit, 0.1)
    with ClusterLoss(Resources(), wait_minutes=0) as loss:
        while (reason := loss()) is None:
            threading.Event().wait(0.01)
    assert said in reason


def test_a_growing_cluster_may_be_without_nodes_for_as_long_as_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_watch, "ROOM_SECONDS", 0.0)
    monkeypatch.setattr(ray_watch, "lacking", lambda _: "no node has 1 CPU")
    with ClusterLoss(Resources(), wait_minutes=10) as loss:
        while loss._lacking is None:
            threading.Event().wait(0.01)
        assert loss() is None
