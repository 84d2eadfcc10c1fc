"""Bundles made from the artifacts of jobs."""

from pathlib import Path

import pytest

import robustsweep as rs
from orchestrator.audit.bundle.contents import EXAMPLES, MODEL
from orchestrator.audit.bundle.write_bundle import write_bundle
from tests.builders import attack_settings, evaluate_job
from tests.workers.runtime.chain import FULL, run_all
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError
from workers.spec.attack import AttackSettings
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluationSpec

N, EPSILON = 24, 0.06
EVALUATION = EvaluationSpec(examples=N, order="file", batch_size=8)


def attack(settings: AttackSettings, *, keep: int = N, after: str = "", **parents: Job) -> Job:
    spec = AttackSpec(attack=settings, knowledge="randomized", evaluation=EVALUATION, repeat=0, after=after, keep_examples=keep)
    return Job.of(spec, model=FULL, **parents)


CLEAN = evaluate_job(FULL, examples=N, order="file")
FIRST = attack(attack_settings(name="fgsm", epsilon=EPSILON))
SECOND = attack(attack_settings(name="pgd", epsilon=EPSILON, steps=4), after="fgsm", survivors=FIRST)
SUITE = attack(attack_settings(name="autoattack", epsilon=EPSILON), keep=0, survivors=SECOND)
FORGETFUL = attack(attack_settings(name="fgsm", epsilon=EPSILON), keep=5)


def test_a_bundle_of_a_cascade_holds_what_fooled_each_example_and_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [job.spec.attack for job in (FIRST, SECOND) if isinstance(job.spec, AttackSpec)]
    monkeypatch.setattr("orchestrator.audit.bundle.bundle.parts", lambda *_, **__: parts)  # the official ones take minutes
    done = run_all([FULL, CLEAN, FIRST, SECOND, SUITE, FORGETFUL], tmp_path)
    artifacts, path = Artifacts(tmp_path), tmp_path / "net.bundle"
    jobs = [FULL, CLEAN, FIRST, SECOND, SUITE]
    write_bundle(path, jobs, artifacts, data_root=None, verdict=("suspicious", ["too little looked at"]))
    content = path.read_bytes()
    found = rs.verify(path, examples=N)
    assert found.stands, found.line
    assert found.claim.clean_accuracy == done[CLEAN].outcome.accuracy  # type: ignore[union-attr]
    assert found.claim.robust_accuracy == done[SUITE].outcome.accuracy  # type: ignore[union-attr]
    assert (found.claim.n_examples, found.claim.verdict) == (N, "suspicious")
    write_bundle(path, jobs, artifacts, data_root=None, verdict=("suspicious", ["too little looked at"]))
    assert path.read_bytes() == content
    assert str(tmp_path).encode() not in content
    assert [name for name in (EXAMPLES, MODEL) if name.encode() in content] == [EXAMPLES, MODEL]
    with pytest.raises(UserError, match=r"fgsm .* has not kept its examples; audit with --bundle from the beginning"):
        write_bundle(path, [CLEAN, FORGETFUL], artifacts, data_root=None, verdict=None)
