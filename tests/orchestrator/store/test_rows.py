import pytest

from orchestrator.naming.names import job_description
from orchestrator.store.writing.rows import environment_row
from tests.builders import (
    ENVIRONMENT,
    attack_job,
    attack_settings,
    craft_job,
    defend_job,
    evaluate_job,
    fine_tune_job,
    pretrain_job,
    transfer_job,
)
from workers.spec.job import Job

MODEL = pretrain_job()
CRAFTED = craft_job(MODEL)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (pretrain_job(tensorized=False, seed=3), "resnet18 width 4 dense on digits, seed 3"),
        (fine_tune_job(MODEL, theta=0.75), "resnet18 width 4 rank 0.5 theta 0.75 on digits, seed 0"),
        (pretrain_job(binary=True), "resnet18 width 4 binary rank 0.5 theta 1 on digits, seed 0"),
        (defend_job(MODEL), "resnet18 width 4 rank 0.5 theta 1 with random_resize_pad on digits, seed 0"),
        (attack_job(MODEL, attack=attack_settings(sign_gradient="tanh")), "fgsm 8/255 randomized sign as tanh, repeat 0"),
        (
            attack_job(MODEL, attack=attack_settings(norm="l2", eot_samples=4, target="next", backend="native"), knowledge="eot"),
            "fgsm l2 8/255 eot over 4 samples target next, repeat 0",
        ),
        (
            attack_job(MODEL, attack=attack_settings(name="pgd", restarts=5, loss="dlr")),
            "pgd 8/255 randomized loss dlr 5 restarts, repeat 0",
        ),
        (attack_job(MODEL, attack=attack_settings(backend="foolbox")), "fgsm 8/255 randomized by foolbox, repeat 0"),
        (evaluate_job(MODEL, repeat=2), "clean accuracy, repeat 2"),
        (CRAFTED, "fgsm 8/255 on full weights"),
        (attack_job(MODEL, repeat=1), "fgsm 8/255 randomized, repeat 1"),
        (attack_job(MODEL, crafted=CRAFTED), "fgsm 8/255 omniscient, repeat 0"),
        (transfer_job(fine_tune_job(MODEL), crafted=CRAFTED, source=MODEL), "fgsm 8/255 transfer, repeat 0"),
    ],
)
def test_every_stage_is_described_in_a_few_words(job: Job, words: str) -> None:
    assert job_description(job.spec.model_dump_json()) == words


def test_an_environments_id_is_its_content() -> None:
    one = ENVIRONMENT.model_copy(update={"versions": {"a": "1", "b": "2"}})
    same = ENVIRONMENT.model_copy(update={"versions": {"b": "2", "a": "1"}})
    assert environment_row(one)["id"] == environment_row(same)["id"]
    assert environment_row(one)["id"] != environment_row(ENVIRONMENT)["id"]
