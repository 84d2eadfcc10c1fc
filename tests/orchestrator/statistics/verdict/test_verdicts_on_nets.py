"""Verdicts on real nets, from training to the store: what they are for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from orchestrator.store import ModelVerdict, Store, model_verdicts, open_store, record_result
from tests.builders import attack_job, attack_settings
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.runtime.run import RunSettings, run
from workers.spec.component import DataSpec
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.recipes import resolve_training
from workers.spec.stage_specs import DiagnoseSpec, TrainSpec

EXAMPLES = 60
STILL = {"eot_samples": 1, "selection_draws": 1, "draws": 1}
SKETCHED = {"eot_samples": 4, "selection_draws": 2, "draws": 5, "examples": 40, "queries": 40}
ADVERSARIAL = {"adversarial_training": "pgd", "adversarial_epsilon": ("8/255", "16/255"), "adversarial_steps": (2, 3)}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As a job computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as opened:
        yield opened


def train_job(*, tensorized: bool = False, **training: object) -> Job:
    given = {"recipe": "fast", "epochs": 6, "batch_size": 64, **training}
    model = ModelSpec(width=4, tensorized=tensorized, **({"rank_fraction": 1.0} if tensorized else {}))
    settings = resolve_training(given, dataset="digits", binary=False)
    return Job(spec=TrainSpec(stage="pretrain", data=DataSpec(name="digits"), model=model, training=settings))


def sketched(full: Job, *, theta: float) -> Job:
    model = full.spec.model.model_copy(update={"theta": theta})  # type: ignore[union-attr]
    spec = full.spec.model_copy(update={"stage": "fine_tune", "model": model})
    return Job(spec=spec, parents={"weights": full.key})


def diagnosis(model: Job, **given: int) -> Job:
    settings = {"examples": EXAMPLES, "batch_size": 20, "steps": 10, "more_steps": 30, "queries": 100, **given}
    found = DiagnosisSettings(epsilon=16 / 255, epsilon_literal="16/255", **settings)
    return Job(spec=DiagnoseSpec(diagnosis=found), parents={"model": model.key})


def masked(model: Job, root: Path, *, factor: float) -> Job:
    """The trained model with its logits multiplied: it classifies as before, and its softmax is saturated."""
    spec = model.spec.model_copy(update={"seed": 1})
    copy, artifacts = Job(spec=spec), Artifacts(root)
    if copy.key in artifacts.finished():
        return copy
    weights = load(artifacts.read(model.key, "model.safetensors"))
    for name in ("body.classifier.weight", "body.classifier.bias"):
        weights[name] = weights[name] * factor
    folder = artifacts.folder(copy.key, attempt="test")
    folder.begin(copy)
    digest = folder.write("model.safetensors", save(weights))
    folder.commit(artifacts.result(model.key).model_copy(update={"key": copy.key, "files": {"model.safetensors": digest}}))
    return copy


def judged(store: Store, root: Path, jobs: Sequence[Job]) -> ModelVerdict:
    """Run the jobs, parents first, record them, and read the verdict on the last one's model."""
    record_sweep(store, name="nets", space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, run(job, RunSettings(root)), attempt_id=None)
    return {item.model_key: item for item in model_verdicts(store, "nets")}[jobs[-1].parents["model"]]


def outcomes(verdict: ModelVerdict) -> dict[str, str]:
    return {check.name: check.outcome for check in verdict.checks}


@pytest.mark.parametrize("training", [{}, ADVERSARIAL], ids=["undefended", "adversarially trained"])
@pytest.mark.slow
def test_a_quick_diagnosis_finds_nothing_against_an_honest_net_and_says_that_it_looked_at_little(
    training: dict[str, object], store: Store, root: Path
) -> None:
    net = train_job(**training)
    verdict = judged(store, root, [net, diagnosis(net, **STILL)])
    made = {name: outcome for name, outcome in outcomes(verdict).items() if name not in ("enough", "smoothed")}
    assert set(made.values()) == {"passed"}
    assert verdict.verdict == "suspicious"
    (enough,) = [check for check in verdict.checks if check.name == "enough"]
    assert enough.reason.startswith("too little looked at: 100 queries on 60 examples")


@pytest.mark.slow  # quicker, on stored figures: test_checks
def test_a_net_with_saturated_logits_is_unsound_for_its_gradients_and_for_what_they_hide(store: Store, root: Path) -> None:
    net = train_job()
    run(net, RunSettings(root))
    hidden = masked(net, root, factor=1000)
    verdict = judged(store, root, [net, hidden, diagnosis(hidden, **STILL)])
    assert verdict.verdict == "unsound"
    failed = {check.name: check for check in verdict.checks if check.outcome == "failed"}
    assert {"gradients", "unbounded", "other_loss"} <= set(failed)
    assert failed["gradients"].numbers["zero"] > 0.5
    assert failed["unbounded"].numbers["accuracy"] > 0.5
    assert "have a gradient of zero" in failed["gradients"].reason
    assert "(margin)" in failed["other_loss"].reason


def test_stored_attacks_alone_unmask_it_too(store: Store, root: Path) -> None:
    """Without a diagnosis: a black-box attack and another loss find what PGD on the cross-entropy does not."""
    net = train_job()
    run(net, RunSettings(root))
    hidden = masked(net, root, factor=1000)
    given = {"epsilon": 16 / 255, "epsilon_literal": "16/255", "steps": 20, "abs_stepsize": 2 / 255}
    attacks = [attack_settings(name="pgd", **given, loss=loss) for loss in ("ce", "margin")]
    jobs = [attack_job(hidden, attack=attack, examples=EXAMPLES, batch_size=30) for attack in attacks]
    verdict = judged(store, root, [net, hidden, *jobs])
    assert (verdict.verdict, outcomes(verdict)["other_loss"], outcomes(verdict)["gradients"]) == ("unsound", "failed", "not made")


@pytest.mark.slow
def test_a_sketched_net_gets_what_its_numbers_say(store: Store, root: Path) -> None:
    full = train_job(tensorized=True, epochs=3)
    net = sketched(full, theta=0.9)
    verdict = judged(store, root, [full, net, diagnosis(net, **SKETCHED)])
    found = outcomes(verdict)
    assert found["gradients"] == "passed"
    assert "eot" in found
    assert {name for name, outcome in found.items() if outcome == "not made"} == {"enough", "smoothed"}
    assert verdict.verdict == ("unsound" if "failed" in found.values() else "suspicious")  # a check that was not made is a doubt
