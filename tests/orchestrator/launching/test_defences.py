from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.planning.expand import expand_space
from search_spaces.space import space_type
from tests.commands import robustsweep, rows, write_space
from workers.registry import DEFENCES
from workers.spec.job import Job

NAMES = list(DEFENCES.names())
SPACE = f"""
data: {{name: digits, train_examples: 64}}
model: {{width: 2}}
defence: {{name: [{", ".join(NAMES)}], bit_depth: 4}}
training: {{epochs: 1, batch_size: 32}}
evaluation: {{examples: 12, batch_size: 6, repeats: 2}}
attacks:
  - {{attack: fgsm, epsilon: 8/255, knowledge: [randomized, omniscient]}}
"""


@pytest.mark.slow  # quicker: tests/workers/defences
def test_a_sweep_over_all_defences_has_rows_of_each_and_is_launched_once(tmp_path: Path) -> None:
    space = write_space(tmp_path, SPACE)
    done = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(tmp_path)
    assert [(row["defence"], row["knowledge"]) for row in found] == [(n, k) for n in NAMES for k in ("randomized", "omniscient")]
    for row in found:
        settings = row["defence_settings"]
        assert (settings is None) == (row["defence"] == "none")
        assert set(settings or ()) == set(DEFENCES[row["defence"]].settings.model_fields)
        assert (row["epochs"], row["n_examples"]) == (1, 12)
        assert row["repeats"] == (2 if DEFENCES[row["defence"]].facts.randomised else 1)
    assert {row["defence_settings"]["bit_depth"] for row in found if row["defence"] == "feature_squeezing"} == {4}
    again = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path)
    assert "nothing to do" in again.stdout
    shown = robustsweep("status", "tiny", cwd=tmp_path).stdout
    assert [line.split()[:2] for line in shown.splitlines() if "defend" in line] == [["defend", "3"]]


def planned(**sections: object) -> list[Job]:
    """The jobs of a space of one small model on the digits."""
    return expand_space(space_type().model_validate({"name": "x", "data": {"name": "digits"}, "training": {"epochs": 2}, **sections}))


def test_the_undefended_net_is_trained_once_and_three_defences_are_put_around_it() -> None:
    jobs = planned(defence={"name": NAMES})
    assert Counter(job.stage for job in jobs) == {"pretrain": 3, "defend": 3, "evaluate": 6}
    trained_in = {job.spec.defence.name: job for job in jobs if job.stage == "pretrain"}
    assert set(trained_in) == {"none", "defensive_dropout", "defensive_quantization"}
    around = [job for job in jobs if job.stage == "defend"]
    assert {job.spec.defence.name for job in around} == {found.name for found in DEFENCES if found.facts.around}
    full = trained_in["none"]
    for job in around:
        assert job.parents == {"weights": full.key}
        assert job.spec == full.spec.model_copy(update={"stage": "defend", "defence": job.spec.defence})
    measured = {job.parents["model"] for job in jobs if job.stage == "evaluate"}
    assert measured == {job.key for job in jobs if job.stage != "evaluate"}


def test_a_defence_that_is_put_around_leaves_the_undefended_net_unmeasured_unless_it_is_asked_for() -> None:
    jobs = planned(defence={"name": "feature_squeezing"})
    assert [job.stage for job in jobs] == ["pretrain", "defend", "evaluate"]
    assert jobs[0].key == planned()[0].key
    assert jobs[2].parents == {"model": jobs[1].key}


def test_sketched_nets_are_defended_like_others() -> None:
    jobs = planned(model={"theta": [1.0, 0.9]}, defence={"name": ["defensive_quantization", "random_resize_pad"]})
    stages = Counter((job.stage, job.spec.defence.name) for job in jobs if job.stage != "evaluate")
    assert stages == {
        ("pretrain", "none"): 1,
        ("fine_tune", "none"): 1,
        ("defend", "random_resize_pad"): 2,
        ("pretrain", "defensive_quantization"): 1,
        ("fine_tune", "defensive_quantization"): 1,
    }
    by_key = {job.key: job for job in jobs}
    for job in jobs:
        if job.stage == "defend":
            parent = by_key[job.parents["weights"]]
            assert (parent.stage, parent.spec.model) == ("pretrain" if job.spec.model.theta == 1 else "fine_tune", job.spec.model)


def test_settings_of_another_defence_make_no_jobs() -> None:
    settings = {"bit_depth": [4, 5], "dropout": [0.1, 0.2, 0.3], "pad_factor": [1.1, 1.2]}
    jobs = [job.spec.defence for job in planned(defence={"name": NAMES, **settings}) if job.stage in {"pretrain", "defend"}]
    assert Counter(defence.name for defence in jobs) == {
        "none": 1,
        "defensive_dropout": 3,
        "defensive_quantization": 1,
        "feature_squeezing": 2,
        "random_resize_pad": 2,
        "stochastic_activation_pruning": 1,
    }
    with pytest.raises(ValidationError, match="defence none has no bit_depth; leave bit_depth out"):
        planned(defence={"name": "none", **settings})
