"""`robustsweep robustbench`: files that RobustBench can read, and nothing in them that was not measured."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.store import Store, open_store, record_result
from orchestrator.store.schema.result_tables import TrainedModelRecord
from tests.builders import attack_job, attack_settings, craft_job, evaluate_job, flags_result, pretrain_job, result_of, small_plan
from tests.commands import robustsweep
from tests.stored import launch, record_sweep
from workers.spec.job import Job

KEYS = (
    *("link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue", "architecture", "eps"),
    *("clean_acc", "reported", "autoattack_acc", "footnote", "unreliable"),
)
"""Those of `model_info/cifar10/Linf/Kang2021Stable.json`, but for `external`: our models have no evaluation but ours."""
NET = pretrain_job()
FGSM = attack_job(NET)
PGD = attack_job(NET, attack=attack_settings(name="pgd", steps=4))


def recorded(store: Store, *results: tuple[Job, list[bool]]) -> None:
    """The net, and what was measured of it."""
    record_sweep(store, name="small", space_text="", jobs=[NET, *(job for job, _ in results)])
    record_result(store, NET, result_of(NET), attempt_id=None)
    for job, correct in results:
        record_result(store, job, flags_result(job, correct), attempt_id=None)


def store_in(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/sweeps/results.db", upgrade=True)


def written(folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    done = robustsweep("robustbench", "small", "--out", "out", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(folder / "out")): json.loads(path.read_text()) for path in (folder / "out").rglob("*.json")}


def test_a_model_has_robustbench_s_keys_in_its_order_and_what_we_cannot_know_is_null(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        first, second = [True] * 12 + [False] * 4, [True] * 4 + [False] * 4 + [True] * 8
        recorded(store, (FGSM, first), (PGD, second), (evaluate_job(NET), [True] * 14 + [False] * 2))
    ((path, found),) = written(tmp_path, "--epsilon", "8/255").items()
    assert path == f"digits/Linf/resnet18_rank0.5_theta1_{NET.key[:8]}.json"
    assert tuple(found) == KEYS
    expected = {"dataset": "digits", "eps": "8/255", "additional_data": False, "number_forward_passes": 1}
    expected |= dict.fromkeys(("link", "authors", "venue", "autoattack_acc"))
    assert {name: found[name] for name in expected} == expected
    assert found["architecture"] == "ResNet-18, width 4, Tucker rank 0.5 of channels"
    # 12 examples survive FGSM, 12 PGD, but only 8 both.
    assert (found["clean_acc"], found["reported"]) == ("87.50", "50.00")
    assert "of these attacks: fgsm randomized (1 step), pgd randomized (4 steps)." in found["footnote"]
    assert "the suite was not run (attack: autoattack)" in found["footnote"]
    assert "first 16 test examples" in found["footnote"]


def test_a_model_that_is_not_sound_is_unreliable_and_says_why(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        recorded(store, (FGSM, [False] * 16), (PGD, [True] * 16), (evaluate_job(NET), [True] * 16))  # one step beats many
    ((_, found),) = written(tmp_path, "--epsilon", "8/255").items()
    assert found["unreliable"] is True
    assert "Verdict unsound: " in found["footnote"] or "Verdict suspicious: " in found["footnote"]


def test_a_randomised_model_says_so_and_has_no_figure_from_a_single_evaluation(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        launch(store, small_plan(repeats=1))
    ((_, found),) = written(tmp_path, "--epsilon", "8/255").items()
    assert found["reported"] is None
    assert "Not reported: a randomised model must be evaluated more than once" in found["footnote"]
    assert "Every prediction is randomised" in found["footnote"]
    assert found["name"] == "Defensive tensorization, theta 0.8, seed 0"


def test_an_epsilon_is_found_however_it_is_written_and_only_its_norm_counts(tmp_path: Path) -> None:
    l2 = attack_job(NET, attack=attack_settings(norm="l2", epsilon=0.5, epsilon_literal="1/2"))
    with store_in(tmp_path) as store:
        recorded(store, (FGSM, [True] * 16), (l2, [False] * 16))
    ((path, found),) = written(tmp_path, "--epsilon", "0.5", "--norm", "l2").items()
    assert path.startswith("digits/L2/")
    assert (found["eps"], found["reported"], found["clean_acc"]) == ("0.5", "0.00", None)


def test_the_worst_case_is_over_attackers_of_every_knowledge(tmp_path: Path) -> None:
    crafted = craft_job(NET)
    omniscient = attack_job(NET, crafted=crafted)
    with store_in(tmp_path) as store:
        record_sweep(store, name="small", space_text="", jobs=[NET, crafted])
        recorded(store, (FGSM, [True] * 16), (omniscient, [True, False] * 8))
    ((_, found),) = written(tmp_path, "--epsilon", "8/255").items()
    assert found["reported"] == "50.00"
    assert "fgsm omniscient" in found["footnote"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--epsilon", "3/255"), "--epsilon 3/255 --norm linf: no model was attacked there; there is linf 8/255"),
        (("--epsilon", "8"), "--epsilon 8: must be in (0, 1] (input units: 8/255, not 8)"),
        (("--epsilon", "8/255", "--norm", "l2"), "no model was attacked there"),
    ],
)
def test_mistakes_get_one_line(tmp_path: Path, options: tuple[str, ...], expected: str) -> None:
    with store_in(tmp_path) as store:
        recorded(store, (FGSM, [True] * 16))
    done = robustsweep("robustbench", "small", "--out", "out", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_a_colleagues_database_says_leads_to_no_other_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    with store_in(tmp_path) as store:
        recorded(store, (FGSM, [True] * 16))
        with store.writing() as connection:
            hostile = {"dataset": "../../outside", "model": f"{outside}/../x", "adversarial_training": "../../y", "defence": "a/../../z"}
            connection.execute(update(TrainedModelRecord).values(hostile))
    before = {path.name for path in tmp_path.iterdir()}
    ((path, _),) = written(tmp_path, "--epsilon", "8/255").items()
    assert len(Path(path).parts) == 3
    assert path.startswith("outside/Linf/")
    assert {path.name for path in tmp_path.iterdir()} - before == {"out"}


def test_the_autoattack_accuracy_is_that_of_the_version_that_is_meant_for_the_model(tmp_path: Path) -> None:
    suites = {version: attack_job(NET, attack=attack_settings(name="autoattack", version=version)) for version in ("plus", "standard")}
    with store_in(tmp_path) as store:
        plus, standard = (suites["plus"], [True] * 4 + [False] * 12), (suites["standard"], [True] * 5 + [False] * 11)
        recorded(store, (PGD, [True] * 8 + [False] * 8), plus, standard)
    (found,) = written(tmp_path, "--epsilon", "8/255").values()
    assert found["autoattack_acc"] == "31.25"
    assert "The AutoAttack accuracy is that of version standard" in found["footnote"]


def test_results_on_the_first_examples_of_the_file_are_taken_alone_where_they_are_asked_for(tmp_path: Path) -> None:
    first = attack_job(NET, attack=attack_settings(name="autoattack"), order="file")
    with store_in(tmp_path) as store:
        recorded(store, (PGD, [True] * 8 + [False] * 8))
    refused = robustsweep("robustbench", "small", "--out", "out", "--epsilon", "8/255", "--order", "file", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--order file: no model was attacked on examples in that order" in refused.stderr
    with store_in(tmp_path) as store:
        record_sweep(store, name="small", space_text="", jobs=[NET, PGD, first])
        record_result(store, first, flags_result(first, [True] * 5 + [False] * 11), attempt_id=None)
    (found,) = written(tmp_path, "--epsilon", "8/255", "--order", "file").values()
    assert (found["reported"], found["autoattack_acc"]) == ("31.25", "31.25")
    assert "over the first 16 test examples in file order" in found["footnote"]
