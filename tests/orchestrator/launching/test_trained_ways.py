"""Ways of training and forms of networks, each from a space to its table."""

from itertools import product
from pathlib import Path

import pytest

from tests.commands import robustsweep, rows, write_space

DATA = "data: {name: digits, train_examples: 64}\n"
MEASURED = "evaluation: {examples: 12, batch_size: 6}\nattacks:\n"


def launched(folder: Path, text: str) -> None:
    done = robustsweep("launch", write_space(folder, text), "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow  # quicker: tests/workers/layers/test_other_factorizations.py
def test_every_form_of_kernels_is_decomposed_sketched_and_attacked(tmp_path: Path) -> None:
    model = "model: {width: 4, factorization: [cp, tt], rank_kind: parameters, theta: [1.0, 0.8], init: decompose}\n"
    trained = "training: {epochs: 1, batch_size: 32}\nfine_tuning: {epochs: 1}\n"
    attacks = "  - {attack: pgd, epsilon: 8/255, knowledge: [omniscient, eot], eot_samples: 2}\n"
    launched(tmp_path, DATA + model + trained + MEASURED + attacks)
    found = rows(tmp_path)
    seen = {(row["model_options"]["factorization"], row["theta"], row["knowledge"]) for row in found}
    assert seen == set(product(("cp", "tt"), (1.0, 0.8), ("omniscient", "eot")))
    ranks = {row["model_options"]["factorization"]: set(map(len, row["rank"].values())) for row in found}
    assert ranks == {"cp": {1}, "tt": {3}}
    shown = robustsweep("results", "tiny", cwd=tmp_path).stdout
    assert "factorization" in shown


@pytest.mark.slow
def test_the_best_checkpoint_is_a_model_next_to_the_last_one_and_is_trained_once(tmp_path: Path) -> None:
    data = "data: {name: digits, train_examples: 64, validation_examples: 32, extra: digits, extra_share: 0.25}\nmodel: {width: 2}\n"
    trained = (
        "training: {epochs: 3, batch_size: 32, adversarial_training: r_fgsm, adversarial_alpha: 0.0, gradient_alignment: 0.2,\n"
        "  mixing: mixup, cutout: 2, augmentation: trivialaugment, checkpoint: [last, best]}\n"
    )
    launched(tmp_path, data + trained + MEASURED + "  - {attack: fgsm, epsilon: 8/255}\n")
    found = [row for row in rows(tmp_path) if row["split"] == "test"]
    assert sorted(row["training"]["checkpoint"] for row in found) == ["best", "last"]
    assert {row["data_settings"]["extra"] for row in found} == {"digits"}
    shown = robustsweep("results", "tiny", cwd=tmp_path).stdout
    assert "checkpoint" in shown
    stages = [line.split()[:2] for line in robustsweep("status", "tiny", cwd=tmp_path).stdout.splitlines()]
    assert ["pretrain", "1"] in stages
    assert ["select", "1"] in stages
