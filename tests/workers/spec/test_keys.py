import pytest
from pydantic import BaseModel

from workers.registry import REGISTRIES
from workers.spec import keys
from workers.spec.attack import AttackSettings
from workers.spec.component import UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.corruption import CorruptionSpec
from workers.spec.diagnosis import DiagnosisSettings
from workers.spec.job import Job
from workers.spec.keys import job_key
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, CorruptSpec, CraftSpec, DiagnoseSpec, EvaluateSpec, EvaluationSpec, SurfaceSpec, TrainSpec
from workers.spec.surface import SurfaceSettings
from workers.spec.training import TrainingSpec

EVALUATION = EvaluationSpec(examples=1000)
FGSM = AttackSettings(name="fgsm", epsilon=8 / 255, epsilon_literal="8/255")
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
CORRUPT = Job(
    spec=CorruptSpec(corruption=CorruptionSpec(name="fog", severity=2), evaluation=EVALUATION, repeat=0), parents={"model": "b" * 64}
)
JOBS = [PRETRAIN, FINE_TUNE, ATTACK, EVALUATE, CRAFT, DIAGNOSE, SURFACE, CORRUPT]


def leaves(spec, path=()):
    """The paths of all values in a spec."""
    for name, value in spec:
        yield from leaves(value, (*path, name)) if isinstance(value, BaseModel) else [(*path, name)]


def changed(spec, path):
    """A copy of a spec, which need not be legal, with another value of the same kind at `path`."""
    first, *rest = path
    value = getattr(spec, first)
    return spec.model_copy(update={first: changed(value, rest) if rest else another(value)})


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
        case tuple():
            return (*value, value[-1]) if value else ("snr_db",)


MEANING = [
    pytest.param(job, path, id=f"{job.stage}-{'.'.join(path)}")
    for job in JOBS
    for path in leaves(job.spec)
    if path[-1] not in {"epsilon_literal", "recipe", "stage", "knowledge", "weights"}
]


DEFAULTS = {
    "AttackSettings": {
        "norm": "linf",
        "target": "none",
        "restarts": 1,
        "eot_samples": 1,
        "selection_draws": 1,
        "early_stop": False,
        "backend": "native",
        "sign_gradient": "identity",
    },
    "AttackSpec": {"after": "", "keep_examples": 0},
    "CorruptSpec": {},
    "CorruptionSpec": {"seed": 0},
    "CraftSpec": {},
    "DataSpec": {"train_examples": None, "validation_examples": 0, "extra": None, "extra_share": 0.5},
    "DefenceSpec": {"name": "none"},
    "DiagnoseSpec": {},
    "DiagnosisSettings": {
        "examples": 100,
        "batch_size": 50,
        "steps": 20,
        "more_steps": 60,
        "eot_samples": 10,
        "selection_draws": 4,
        "queries": 200,
        "draws": 10,
        "sign_gradient": "identity",
        "depth": "quick",
    },
    "EvaluateSpec": {},
    "EvaluationSpec": {"examples": None, "order": "balanced", "batch_size": 256, "draws": 1, "metrics": (), "split": "test", "shard": None},
    "ModelSpec": {
        "name": "resnet18",
        "tensorized": True,
        "factorization": "tucker",
        "rank_fraction": 0.5,
        "rank_kind": "channels",
        "rank_fractions": None,
        "tensorize_first": False,
        "tensorize_linear": False,
        "tensorize_attention": False,
        "tensorize_transposed": False,
        "execution": "auto",
        "theta": 1.0,
        "sketch_modes": "channels",
        "rescale": True,
        "all_zero": "keep",
        "draws": "batch",
        "binary": False,
        "init": "random",
        "normalisation": "data",
        "weights": None,
        "weights_map": None,
    },
    "SurfaceSettings": {"example": 0, "direction": "theta_one", "extent": 0.5, "resolution": 41, "draws": 1, "norm": "linf", "clip": False},
    "SurfaceSpec": {},
    "TrainSpec": {"defence": UNDEFENDED, "seed": 0, "until": None},
    "TrainingSpec": {
        "loss": "cross_entropy",
        "recipe": "custom",
        "batch_size": 128,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0005,
        "schedule": "one_cycle",
        "milestones": (0.42857142857142855, 0.7142857142857143),
        "gamma": 0.1,
        "clip_norm": None,
        "precision": "float32",
        "channels_last": True,
        "horizontal_flip": False,
        "crop_padding": None,
        "cutout": None,
        "augmentation": "none",
        "mixing": "none",
        "mixing_alpha": 1.0,
        "time_shift": 0.0,
        "background_noise": 0.0,
        "spectrogram_masks": 0.0,
        "adversarial_training": "none",
        "adversarial_epsilon": ("2/255", "8/255"),
        "adversarial_steps": (2, 10),
        "adversarial_stepsize": 2.5,
        "adversarial_alpha": 0.5,
        "adversarial_norm": "linf",
        "adversarial_loss": "ce",
        "adversarial_noise": 2.0,
        "gradient_alignment": 0.0,
        "weight_perturbation": 0.0,
        "weight_perturbation_from": 0.0,
        "warm_up": None,
        "weight_average": "none",
        "ema_decay": 0.995,
        "average_from": 0.5,
        "checkpoint": "last",
    },
}
COMPONENT_DEFAULTS = {
    "model convnext": {"depth": 2, "width": 48},
    "model logmel": {"width": 16},
    "model m11": {"width": 64},
    "model m5": {"width": 128},
    "model preact_resnet18": {"width": 64},
    "model resnet": {"layers": 18, "width": 64},
    "model resnet18": {"width": 64},
    "model soundnet5": {"width": 16},
    "model vgg": {"layers": 16, "width": 64},
    "model vit": {"patch": 4, "depth": 6, "width": 192, "heads": 3},
    "model wide_resnet": {"depth": 28, "widen_factor": 10},
    "dataset speech_commands": {"split_lists": "official"},
    "attack apgd_ce": {"steps": "paper"},
    "attack apgd_dlr": {"steps": "paper"},
    "attack apgd_t": {"steps": "paper", "classes": 9},
    "attack autoattack": {"version": "standard"},
    "attack bim": {"steps": "paper", "abs_stepsize": None, "loss": "ce", "precision": "float32"},
    "attack carlini_wagner": {"steps": 200, "searches": 6, "stepsize": 0.01, "first_weight": 0.1},
    "attack deepfool": {"steps": 50, "classes": 9},
    "attack fab": {"steps": "paper", "classes": 9},
    "attack fab_t": {"steps": "paper", "classes": 9},
    "attack fgsm": {"loss": "ce"},
    "attack fmn": {"steps": 100},
    "attack mi_fgsm": {"steps": "paper", "abs_stepsize": None, "loss": "ce", "momentum": 1.0},
    "attack pgd": {"steps": "paper", "abs_stepsize": None, "loss": "ce", "precision": "float32"},
    "attack smoothed_pgd": {"steps": "paper", "abs_stepsize": None, "loss": "ce", "samples": 10, "sigma": 0.5},
    "attack square": {"steps": "paper", "schedule": "scaled"},
    "defence defensive_dropout": {"dropout": 0.3},
    "defence defensive_quantization": {"activation_bits": 4, "lipschitz_beta": 0.0003},
    "defence feature_squeezing": {"bit_depth": 5, "median_size": 2},
    "defence random_resize_pad": {"pad_factor": 1.107},
    "defence stochastic_activation_pruning": {"pruning_samples": 1.0},
    "loss cross_entropy": {"label_smoothing": 0.0},
    "loss logit_pairing": {"pairing": 0.5},
    "loss mart": {"beta": 5.0},
    "loss trades": {"beta": 6.0},
}


def defaults(model):
    return {name: field.default for name, field in model.model_fields.items() if not field.is_required() and name != "stage"}


SPECS = [AttackSettings, AttackSpec, CorruptionSpec, CorruptSpec, CraftSpec, DataSpec, DefenceSpec, DiagnoseSpec, DiagnosisSettings,
         EvaluateSpec, EvaluationSpec, ModelSpec, SurfaceSettings, SurfaceSpec, TrainSpec, TrainingSpec]  # fmt: skip
OURS = [component for registry in REGISTRIES.values() for component in registry if component.source.path is None]


# The key leaves out what is at its default. If one of these fails because a default changed: raise KEY_VERSION, then pin the new one.
# A new field may be added here as it is.
def test_defaults_are_what_keys_leave_out():
    assert {model.__name__: {name: value for name, value in defaults(model).items() if name != "settings"} for model in SPECS} == DEFAULTS
    assert {f"{one.kind} {one.name}": defaults(one.settings) for one in OURS if defaults(one.settings)} == COMPONENT_DEFAULTS


# If one of these fails although no default changed: the change would have orphaned every stored result, undo it.
@pytest.mark.parametrize(
    ("job", "key"),
    [
        pytest.param(PRETRAIN, "068be95b4061331b36818a35a0c2e7bb8f82c95e50e097c95bf29ac57a58ddf0", id="pretrain"),
        pytest.param(FINE_TUNE, "ba66180c33d9854fb2d3b271b9252bf011a12fd50c746de7f7558f34ed8e6a83", id="fine_tune"),
        pytest.param(ATTACK, "4f7c4c57c155f5e0242976c6650199e2dbde082476f4a7f856d024880d7c81be", id="attack"),
    ],
)
def test_keys_are_what_stored_results_have(job, key):
    assert job.key == key, "the job key changed: if the meaning changed, raise KEY_VERSION"


def test_seeds_derive_from_settings_and_the_parents_settings_alone():
    digested = PRETRAIN.model_copy(update={"digests": {"model mine": "f" * 64}})
    assert digested.key != PRETRAIN.key
    assert digested.seed_key == PRETRAIN.seed_key
    children = [Job.of(FINE_TUNE.spec, weights=parent) for parent in (PRETRAIN, digested)]
    assert children[0].key != children[1].key
    assert children[0].seed_key == children[1].seed_key


@pytest.mark.parametrize(("job", "path"), MEANING)
def test_every_field_that_has_a_meaning_is_part_of_the_key(job, path):
    assert job_key(changed(job.spec, path), job.parents) != job.key


class Wider(ModelSpec):
    """A model with a field that came later."""

    later: int | None = None


def test_a_new_field_at_its_default_changes_no_key():
    wider, other = (Wider(name="resnet18", later=later) for later in (None, 3))
    narrow = PRETRAIN.spec.model_copy(update={"model": ModelSpec(name="resnet18")})
    assert job_key(narrow.model_copy(update={"model": wider}), {}) == job_key(narrow, {})
    assert job_key(narrow.model_copy(update={"model": other}), {}) != job_key(narrow, {})


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
    dumped = dict(reversed(ATTACK.spec.model_dump(mode="json").items()))
    assert job_key(AttackSpec.model_validate(dumped), dict(reversed(ATTACK.parents.items()))) == ATTACK.key


def test_whole_numbers_and_floats_of_the_same_value_have_the_same_key():
    spec = PRETRAIN.spec.model_copy(update={"model": ModelSpec(theta=1)})
    assert Job(spec=spec).key == PRETRAIN.key


def test_a_raised_key_version_leaves_every_old_key_behind(monkeypatch):
    before = job_key(PRETRAIN.spec, {})
    monkeypatch.setattr(keys, "KEY_VERSION", keys.KEY_VERSION + 1)
    assert job_key(PRETRAIN.spec, {}) != before


def test_a_changed_copy_of_a_job_does_not_keep_the_old_key():
    before = EVALUATE.key
    copy = EVALUATE.model_copy(update={"parents": {"model": "d" * 64}})
    assert copy.key != before
    assert copy.key == Job(spec=EVALUATE.spec, parents={"model": "d" * 64}).key


def test_values_that_json_cannot_tell_apart_have_no_key():
    with pytest.raises(ValueError, match="JSON"):
        job_key({"theta": float("nan")}, {})


def test_an_attack_that_keeps_examples_is_another_job_with_the_same_draws():
    keeping = ATTACK.model_copy(update={"spec": ATTACK.spec.model_copy(update={"keep_examples": 5})})
    assert keeping.key != ATTACK.key
    assert keeping.seed_key == ATTACK.seed_key
