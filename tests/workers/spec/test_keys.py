import json

import pytest
from pydantic import BaseModel

from workers.spec import keys
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.job import (
    AttackSettings,
    AttackSpec,
    CraftSpec,
    DataSpec,
    DiagnoseSpec,
    EvaluateSpec,
    EvaluationSpec,
    Job,
    ModelSpec,
    SurfaceSpec,
    TrainingSpec,
    TrainSpec,
)
from workers.spec.keys import job_key
from workers.spec.surface import SurfaceSettings

EVALUATION = EvaluationSpec(examples=1000)
FGSM = AttackSettings(name="fgsm", epsilon=8 / 255, epsilon_literal="8/255", steps=1, abs_stepsize=8 / 255, random_start=False)
PRETRAIN = Job(spec=TrainSpec(stage="pretrain", data=DataSpec(name="cifar10"), model=ModelSpec(), training=TrainingSpec(epochs=30)))
FINE_TUNE = Job(
    spec=TrainSpec(stage="fine_tune", data=DataSpec(name="cifar10"), model=ModelSpec(theta=0.9), training=TrainingSpec(epochs=8)),
    parents={"weights": "a" * 64},
)
ATTACK = Job(
    spec=AttackSpec(attack=FGSM, knowledge="omniscient", evaluation=EVALUATION, repeat=3),
    parents={"model": "b" * 64, "examples": "c" * 64},
)
EVALUATE = Job(spec=EvaluateSpec(evaluation=EVALUATION, repeat=0), parents={"model": "b" * 64})
CRAFT = Job(spec=CraftSpec(attack=FGSM, evaluation=EVALUATION), parents={"model": "b" * 64})
DIAGNOSE = Job(spec=DiagnoseSpec(diagnosis=DiagnosisSettings(epsilon=8 / 255, epsilon_literal="8/255")), parents={"model": "b" * 64})
SURFACE = Job(spec=SurfaceSpec(surface=SurfaceSettings()), parents={"model": "b" * 64, "direction": "d" * 64})
JOBS = [PRETRAIN, FINE_TUNE, ATTACK, EVALUATE, CRAFT, DIAGNOSE, SURFACE]


def leaves(spec, path=()):
    """The paths of all values in a dumped spec."""
    for name, value in spec.items():
        yield from leaves(value, (*path, name)) if isinstance(value, dict) else [(*path, name)]


def changed(spec, path):
    """A copy of a dumped spec with another value of the same kind at `path`."""
    copy = json.loads(json.dumps(spec))
    *outer, last = path
    inner = copy
    for name in outer:
        inner = inner[name]
    inner[last] = another(inner[last])
    return copy


def another(value):
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case None:
            return 1


DUMPED = [(job.spec.model_dump(mode="json"), job.parents) for job in JOBS]
MEANING = [
    pytest.param(spec, parents, path, id=f"{spec['stage']}-{'.'.join(path)}")
    for spec, parents in DUMPED
    for path in leaves(spec)
    if path[-1] not in {"epsilon_literal", "recipe"}
]


# If one of these fails because a field or a default was added or changed its meaning: raise KEY_VERSION, then pin the new keys.
# If nothing was meant to change, the change would have orphaned every stored result: undo it.
@pytest.mark.parametrize(
    ("job", "key"),
    [
        pytest.param(PRETRAIN, "4bc82a2292f221b96ca697df7bc2f431e8d1dee10e99efb9ebf6f9346da84d3e", id="pretrain"),
        pytest.param(FINE_TUNE, "263769e79739f30b100abfd8c8a4fe036725cc1b4e10731bdae7d4eba0f4c748", id="fine_tune"),
        pytest.param(ATTACK, "7f7abe038cec11937ca56fd42a923fb96200f152423c7b0b7e92662e2925f289", id="attack"),
    ],
)
def test_keys_are_what_stored_results_have(job, key):
    assert job.key == key, "the job key changed: if the meaning changed, raise KEY_VERSION"


@pytest.mark.parametrize(("spec", "parents", "path"), MEANING)
def test_every_field_that_has_a_meaning_is_part_of_the_key(spec, parents, path):
    assert job_key(changed(spec, path), parents) != job_key(spec, parents)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stage)
def test_no_declared_field_is_missing_from_what_is_hashed(job):
    def declared(value):
        if isinstance(value, BaseModel):
            return {name: declared(getattr(value, name)) for name in type(value).model_fields}
        return list(value) if isinstance(value, tuple) else value

    assert job.spec.model_dump(mode="json") == declared(job.spec)


@pytest.mark.parametrize("job", [ATTACK, CRAFT], ids=lambda job: job.stage)
def test_how_an_epsilon_was_written_is_not_part_of_the_key(job):
    attack = job.spec.attack.model_copy(update={"epsilon_literal": "16/510"})
    assert Job(spec=job.spec.model_copy(update={"attack": attack}), parents=job.parents).key == job.key


def test_the_name_of_the_recipe_is_not_part_of_the_key_but_its_settings_are():
    training = PRETRAIN.spec.training
    named, other = (training.model_copy(update=update) for update in ({"recipe": "fast"}, {"nesterov": True}))
    keys = [Job(spec=PRETRAIN.spec.model_copy(update={"training": chosen})).key for chosen in (training, named, other)]
    assert keys[0] == keys[1] != keys[2]


def test_parents_and_their_roles_are_part_of_the_key():
    spec = ATTACK.spec
    parents = [ATTACK.parents, {}, {"model": "b" * 64}, {"model": "c" * 64, "examples": "b" * 64}, {"weights": "b" * 64}]
    assert len({Job(spec=spec, parents=chosen).key for chosen in parents}) == len(parents)


def test_the_order_of_fields_and_parents_is_not_part_of_the_key():
    spec = dict(reversed(ATTACK.spec.model_dump(mode="json").items()))
    assert job_key(spec, dict(reversed(ATTACK.parents.items()))) == ATTACK.key


def test_whole_numbers_and_floats_of_the_same_value_have_the_same_key():
    spec = PRETRAIN.spec.model_copy(update={"model": ModelSpec(theta=1)})
    assert Job(spec=spec).key == PRETRAIN.key


def test_a_raised_key_version_leaves_every_old_key_behind(monkeypatch):
    spec = PRETRAIN.spec.model_dump(mode="json")
    before = job_key(spec, {})
    monkeypatch.setattr(keys, "KEY_VERSION", keys.KEY_VERSION + 1)
    assert job_key(spec, {}) != before


def test_a_changed_copy_of_a_job_does_not_keep_the_old_key():
    before = EVALUATE.key
    copy = EVALUATE.model_copy(update={"parents": {"model": "d" * 64}})
    assert copy.key != before
    assert copy.key == Job(spec=EVALUATE.spec, parents={"model": "d" * 64}).key


def test_values_that_json_cannot_tell_apart_have_no_key():
    with pytest.raises(ValueError, match="JSON"):
        job_key({"theta": float("nan")}, {})
