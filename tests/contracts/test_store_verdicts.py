import threading

import pytest
from sqlalchemy import delete, select, update

from orchestrator.store import ModelVerdict, Store, model_verdicts, record_result, result_rows
from orchestrator.store.schema.result_tables import AttackResultRecord, DiagnosisRecord, VerdictRecord
from tests.builders import (
    THOROUGH,
    attack_job,
    attack_settings,
    diagnose_job,
    diagnosis_result,
    evaluate_job,
    fine_tune_job,
    flags_result,
    pretrain_job,
    result_of,
)
from tests.stored import record_sweep
from workers.errors import UserError
from workers.spec.job import Job

FULL = pretrain_job()
MODEL = fine_tune_job(FULL)
DIAGNOSIS = diagnose_job(FULL, **THOROUGH)
PGD = attack_settings(name="pgd", steps=20, abs_stepsize=1 / 255)
SQUARE = attack_settings(name="square", steps=100)
ATTACKS = [attack_job(FULL, attack=attack, examples=40) for attack in (PGD, SQUARE)]
SOUND = {"noise": 0.9, "fgsm": 0.6, "transfer": 0.8, "square_half": 0.72, "square": 0.7} | dict.fromkeys(
    ("pgd", "pgd_longer", "pgd_margin", "apgd_ce", "apgd_dlr", "smoothed_pgd"), 0.5
)


def right(n: int) -> list[bool]:
    return [index < n for index in range(40)]


def recorded(store: Store, *jobs: Job) -> None:
    record_sweep(store, name="small", space_text="", jobs=[FULL, MODEL, *jobs])
    for job in (FULL, MODEL):
        record_result(store, job, result_of(job), attempt_id=None)


def only(store: Store) -> ModelVerdict:
    (found,) = model_verdicts(store, "small")
    return found


def test_a_diagnosis_is_stored_column_by_column(store: Store) -> None:
    recorded(store, DIAGNOSIS)
    result = diagnosis_result(DIAGNOSIS, zero_gradients=0.25, right=SOUND)
    record_result(store, DIAGNOSIS, result, attempt_id=None)
    with store.reading() as connection:
        row = connection.execute(select(DiagnosisRecord.__table__)).mappings().one()
    assert (row["model_key"], row["epsilon"], row["epsilon_literal"]) == (FULL.key, 8 / 255, "8/255")
    assert (row["n_examples"], row["draws"], row["zero_gradients"], row["nonfinite_gradients"]) == (100, 1, 0.25, 0.0)
    for stored, probe in zip(row["probes"], result.outcome.probes, strict=True):  # type: ignore[union-attr]
        expected, attack = probe.model_dump(mode="json", exclude={"attack"}), probe.attack.model_dump(mode="json")
        assert {name: value for name, value in stored.items() if name != "attack"} == expected
        facts = {name: getattr(probe.attack.facts, name) for name in ("random_start", "takes_gradients", "selects", "one_step")}
        assert stored["attack"] == {"attack": attack.pop("name"), **attack, "loss": probe.attack.loss, **facts}


def test_a_model_that_was_neither_attacked_nor_diagnosed_has_no_verdict(store: Store) -> None:
    evaluation = evaluate_job(FULL)
    recorded(store, evaluation)
    record_result(store, evaluation, result_of(evaluation), attempt_id=None)
    assert model_verdicts(store, "small") == []
    (row,) = result_rows(store, "small", per_repeat=False)
    assert (row.verdict, row.reasons) == (None, ())


def test_a_verdict_stands_next_to_every_figure_of_its_model(store: Store) -> None:
    recorded(store, DIAGNOSIS, *ATTACKS)
    record_result(store, DIAGNOSIS, diagnosis_result(DIAGNOSIS, right=SOUND), attempt_id=None)
    for attack, n in zip(ATTACKS, (20, 30), strict=True):
        record_result(store, attack, flags_result(attack, right(n)), attempt_id=None)
    assert {(row.verdict, row.reasons) for row in result_rows(store, None, per_repeat=False)} == {("sound", ())}
    verdict = only(store)
    assert (verdict.verdict, verdict.model_key) == ("sound", FULL.key)
    assert verdict.description == "resnet18 width 4 rank 0.5 theta 1 on digits, seed 0"
    assert {check.outcome for check in verdict.checks} == {"passed"}


def test_each_result_renews_the_verdict(store: Store) -> None:
    """Attacks alone cannot make a model sound; a diagnosis can; and an attack that finds more than it shows that it was not."""
    recorded(store, DIAGNOSIS, *ATTACKS)
    seen = []
    for job, result in [
        (ATTACKS[0], flags_result(ATTACKS[0], right(30))),
        (DIAGNOSIS, diagnosis_result(DIAGNOSIS, right=SOUND)),
        (ATTACKS[1], flags_result(ATTACKS[1], right(10))),
    ]:
        record_result(store, job, result, attempt_id=None)
        seen.append(only(store).verdict)
    assert seen == ["suspicious", "sound", "unsound"]
    (row, *_) = result_rows(store, "small", per_repeat=False)
    assert row.reasons == ("black_box failed: square 8/255, 100 steps, leaves 25.0 % right; pgd 8/255, 20 steps, 75.0 %",)


def test_repeats_are_judged_together(store: Store) -> None:
    """A randomised model is judged from three evaluations on; and its adaptive attacker's strength is of all repeats."""
    model = fine_tune_job(FULL)
    eot = attack_settings(name="pgd", steps=20, abs_stepsize=1 / 255, eot_samples=4)
    plain = [attack_job(model, attack=PGD, examples=40, repeat=repeat) for repeat in range(3)]
    adaptive = [attack_job(model, attack=eot, knowledge="eot", examples=40, repeat=repeat) for repeat in range(3)]
    recorded(store, *plain, *adaptive)
    outcomes = []
    for job in [*plain, *adaptive]:
        record_result(store, job, flags_result(job, right(30 if job in plain else 10)), attempt_id=None)
        outcomes.append(next(check.outcome for check in only(store).checks if check.name == "eot"))
    assert outcomes == ["not made"] * 5 + ["failed"]


def test_an_attack_that_came_to_nothing_is_stored_with_its_reason(store: Store) -> None:
    recorded(store, DIAGNOSIS)
    record_result(store, DIAGNOSIS, diagnosis_result(DIAGNOSIS, failure="it is not finite"), attempt_id=None)
    verdict = only(store)
    assert (verdict.verdict, verdict.checks[0].reason) == ("unsound", "an attack stopped with an error: noise: it is not finite")


def test_a_result_and_its_verdict_are_written_together_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(store, DIAGNOSIS)

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.store.writing.record.refresh_verdict", fail)
        with pytest.raises(RuntimeError, match="killed"):
            record_result(store, DIAGNOSIS, result_of(DIAGNOSIS), attempt_id=None)
    with store.reading() as connection:
        assert connection.execute(select(DiagnosisRecord.job_key)).all() == []
    assert model_verdicts(store, "small") == []


@pytest.mark.parametrize("change", [delete(VerdictRecord), update(VerdictRecord).values(rules=0, verdict="unsound")], ids=["none", "old"])
def test_a_launch_judges_models_without_a_verdict_or_with_one_by_older_rules(store: Store, change) -> None:  # type: ignore[no-untyped-def]
    recorded(store, DIAGNOSIS)
    record_result(store, DIAGNOSIS, diagnosis_result(DIAGNOSIS, right=SOUND), attempt_id=None)
    with store.writing() as connection:
        connection.execute(change)
    record_sweep(store, name="other", space_text="", jobs=[MODEL])
    assert [item.verdict for item in model_verdicts(store, None)] != ["sound"]
    record_sweep(store, name="small", space_text="", jobs=[FULL, MODEL, DIAGNOSIS])
    assert only(store).verdict == "sound"


def test_results_of_one_model_that_are_recorded_at_once_are_all_in_its_verdict(store: Store) -> None:
    attacks = [attack_job(FULL, attack=PGD, examples=40, repeat=repeat) for repeat in range(6)]
    bim = attack_job(FULL, attack=attack_settings(name="square", steps=100), examples=40)
    recorded(store, *attacks, bim)
    threads = [
        threading.Thread(
            target=record_result, args=(store, job, flags_result(job, right(10 if job == bim else 30))), kwargs={"attempt_id": None}
        )
        for job in [*attacks, bim]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as connection:
        assert len(connection.execute(select(AttackResultRecord.job_key)).all()) == 7
    (check,) = [check for check in only(store).checks if check.name == "black_box"]
    assert (check.numbers["reference"], check.numbers["challenger"]) == (0.75, 0.25)


def test_verdicts_are_those_of_the_sweep_the_gravest_first(store: Store) -> None:
    other = diagnose_job(MODEL, examples=40)
    recorded(store, DIAGNOSIS)
    record_sweep(store, name="other", space_text="", jobs=[FULL, MODEL, other])
    record_result(store, DIAGNOSIS, diagnosis_result(DIAGNOSIS, right=SOUND), attempt_id=None)
    record_result(store, other, diagnosis_result(other, zero_gradients=1.0), attempt_id=None)
    assert [item.verdict for item in model_verdicts(store, "small")] == ["sound"]
    assert [(item.verdict, item.model_key) for item in model_verdicts(store, None)] == [("unsound", MODEL.key), ("sound", FULL.key)]
    with pytest.raises(UserError, match="sweep 'x': one of other, small"):
        model_verdicts(store, "x")
