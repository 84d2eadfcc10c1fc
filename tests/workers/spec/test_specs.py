import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job, fine_tune_job, pretrain_job
from workers.registry import ATTACKS as REGISTERED
from workers.spec.attack import AttackSettings
from workers.spec.component import DataSpec, DefenceSpec
from workers.spec.fields import positive_fraction, spelled
from workers.spec.job import JOB, Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import AttackSpec, CraftSpec, EvaluateSpec, EvaluationSpec, TrainSpec
from workers.spec.step_settings import paper_steps
from workers.spec.training import TrainingSpec, canonical_epsilon

COUNTS = st.integers(1, 10**6)
SHARES = st.floats(0, 1)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
FRACTIONS = st.floats(0, 1, exclude_min=True)
ORDERS = st.sampled_from(["balanced", "file"])
EVALUATIONS = st.builds(EvaluationSpec, examples=st.none() | COUNTS, order=ORDERS, batch_size=COUNTS, draws=COUNTS)
SINGLE = st.builds(EvaluationSpec, examples=st.none() | COUNTS, batch_size=COUNTS)
LITERALS = st.text(max_size=8)
ATTACKS = st.builds(
    lambda name, epsilon, literal, steps, stepsize, sign: AttackSettings(
        name=name,
        epsilon=epsilon,
        epsilon_literal=literal,
        steps=steps,
        abs_stepsize=stepsize,
        sign_gradient=sign,
    ),
    st.sampled_from(["bim", "pgd"]),
    POSITIVE,
    LITERALS,
    COUNTS,
    POSITIVE,
    st.sampled_from(["identity", "tanh", "tanh075"]),
) | st.builds(
    lambda epsilon, literal: AttackSettings(name="fgsm", epsilon=epsilon, epsilon_literal=literal),
    POSITIVE,
    LITERALS,
)
MODELS = st.builds(ModelSpec, width=COUNTS, tensorized=st.just(False)) | st.builds(
    ModelSpec,
    width=COUNTS,
    rank_fraction=FRACTIONS,
    rank_kind=st.sampled_from(["channels", "dimensions", "parameters"]),
    theta=FRACTIONS,
    sketch_modes=st.sampled_from(["all", "channels"]),
    rescale=st.booleans(),
    binary=st.booleans(),
)
TRAININGS = st.builds(
    TrainingSpec,
    recipe=st.sampled_from(["custom", "fast", "paper"]),
    epochs=COUNTS,
    optimizer=st.sampled_from(["adam", "sgd"]),
    learning_rate=POSITIVE,
    momentum=SHARES,
    schedule=st.sampled_from(["one_cycle", "step"]),
    milestones=st.lists(st.floats(0, 1, exclude_max=True)).map(tuple),
    clip_norm=st.none() | POSITIVE,
    crop_padding=st.none() | st.integers(1, 31),
    adversarial_training=st.sampled_from(["none", "pgd", "r_fgsm"]),
    adversarial_epsilon=st.sampled_from([("1/255", "8/255"), ("0.03", "0.1")]),
)
SPECS = (
    st.builds(
        TrainSpec,
        stage=st.sampled_from(["pretrain", "fine_tune"]),
        data=st.builds(DataSpec, name=st.sampled_from(["cifar10", "digits"]), train_examples=st.none() | COUNTS),
        model=MODELS,
        training=TRAININGS,
        defence=st.just(DefenceSpec()) | st.builds(DefenceSpec, name=st.just("defensive_dropout"), dropout=st.sampled_from([0.1, 0.5])),
        seed=st.integers(0, 10**6),
    )
    | st.builds(EvaluateSpec, evaluation=EVALUATIONS, repeat=st.integers(0, 9))
    | st.builds(CraftSpec, attack=ATTACKS, evaluation=SINGLE)
    | st.builds(
        AttackSpec,
        attack=ATTACKS,
        knowledge=st.sampled_from(["omniscient", "randomized", "transfer"]),
        evaluation=EVALUATIONS,
        repeat=st.integers(0, 9),
    )
)
JOBS = st.builds(
    Job, spec=SPECS, parents=st.dictionaries(st.sampled_from(["weights", "model", "examples", "source"]), st.text("0123456789abcdef"))
)
PRETRAIN = pretrain_job()
FINE_TUNE = fine_tune_job(PRETRAIN)
EXAMPLES = [PRETRAIN, FINE_TUNE, evaluate_job(FINE_TUNE), craft_job(FINE_TUNE), attack_job(FINE_TUNE)]


@given(job=JOBS)
def test_a_job_survives_json_with_its_key(job):
    again = JOB.validate_json(JOB.dump_json(job))
    assert again == job
    assert again.key == job.key


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (ModelSpec, {"theta": 0.0}, r"must be in \(0, 1\]"),
        (ModelSpec, {"theta": 1.3}, r"must be in \(0, 1\]"),
        (ModelSpec, {"theta": float("nan")}, "finite"),
        (ModelSpec, {"rank_fraction": 0.0}, r"must be in \(0, 1\]"),
        (ModelSpec, {"rank_fraction": 1.01}, r"must be in \(0, 1\]"),
        (ModelSpec, {"width": 0}, "must be >= 1"),
        (ModelSpec, {"width": 2.5}, "integer"),
        (ModelSpec, {"width": "64"}, "integer"),
        (ModelSpec, {"rescale": 1}, "boolean"),
        (
            ModelSpec,
            {"name": "resnet50"},
            "model 'resnet50': one of convnext, logmel, m11, .*, resnet, resnet18, .*torchvision:NAME .did you mean resnet",
        ),
        (ModelSpec, {"rank_kind": "rows"}, "'channels', 'dimensions' or 'parameters'"),
        (ModelSpec, {"binary": 1}, "boolean"),
        (DataSpec, {"name": "mnist"}, "dataset 'mnist': one of cifar10, digits, speech_commands, tones"),
        (DataSpec, {"name": "digits", "split_lists": "resplit"}, "split_lists"),
        (DataSpec, {"name": "speech_commands", "split_lists": "mine"}, "split_lists=mine: Input should be 'official' or 'resplit'"),
        (DataSpec, {"name": "digits", "train_examples": 0}, "must be >= 1"),
        (TrainingSpec, {"epochs": -1}, "must be >= 0"),
        (TrainingSpec, {"epochs": 1, "learning_rate": 0.0}, "must be > 0"),
        (TrainingSpec, {"epochs": 1, "learning_rate": float("inf")}, "finite"),
        (TrainingSpec, {"epochs": 1, "momentum": 1.5}, r"must be in \[0, 1\]"),
        (TrainingSpec, {"epochs": 1, "weight_decay": -1e-9}, "must be >= 0"),
        (TrainingSpec, {"epochs": 1, "adversarial_training": "free"}, "'none', 'pgd', 'r_fgsm' or 'rs_fgsm'"),
        (TrainingSpec, {"epochs": 1, "adversarial_epsilon": ("8/255", "2/255")}, "low <= high"),
        (TrainingSpec, {"epochs": 1, "adversarial_epsilon": ("2", "8")}, "input units"),
        (TrainingSpec, {"epochs": 1, "adversarial_steps": (3, 2)}, "low <= high"),
        (TrainingSpec, {"epochs": 1, "adversarial_steps": (0, 2)}, "must be >= 1"),
        (TrainingSpec, {"epochs": 1, "adversarial_alpha": 1.0}, r"must be in \[0, 1\)"),
        (TrainingSpec, {"epochs": 1, "label_smoothing": 1.0}, r"must be in \[0, 1\)"),
        (TrainingSpec, {"epochs": 1, "milestones": (1.0,)}, r"must be in \[0, 1\)"),
        (TrainingSpec, {"epochs": 1, "gamma": 0.0}, r"must be in \(0, 1\]"),
        (TrainingSpec, {"epochs": 1, "clip_norm": 0.0}, "must be > 0"),
        (TrainingSpec, {"epochs": 1, "optimizer": "lion"}, "'adam', 'adamw' or 'sgd'"),
        (TrainingSpec, {"epochs": 1, "precision": "fp16"}, "'auto', 'bf16' or 'float32'"),
        (DefenceSpec, {"name": "squeeze"}, "defence 'squeeze': one of .*feature_squeezing"),
        (DefenceSpec, {"name": "feature_squeezing", "bit_depth": 0}, r"must be in \[1, 8\]"),
        (DefenceSpec, {"name": "feature_squeezing", "bit_depth": 9}, r"must be in \[1, 8\]"),
        (DefenceSpec, {"name": "feature_squeezing", "median_size": 0}, r"must be in \[1, 9\]"),
        (DefenceSpec, {"name": "defensive_quantization", "lipschitz_beta": -1.0}, "must be >= 0"),
        (DefenceSpec, {"name": "stochastic_activation_pruning", "pruning_samples": 0.0}, "must be > 0"),
        (DefenceSpec, {"name": "defensive_dropout", "dropout": 0.0}, r"must be in \(0, 1\)"),
        (DefenceSpec, {"name": "defensive_dropout", "dropout": 1.0}, r"must be in \(0, 1\)"),
        (DefenceSpec, {"name": "random_resize_pad", "pad_factor": 1.0}, r"must be in \(1, 2\]"),
        (EvaluationSpec, {"examples": 0}, "must be >= 1"),
        (EvaluationSpec, {"batch_size": 0}, "must be >= 1"),
        (EvaluationSpec, {"draws": 0}, "must be >= 1"),
        (CraftSpec, {"attack": attack_settings(), "evaluation": EvaluationSpec(draws=2)}, "draws=2: crafting evaluates nothing"),
        (EvaluateSpec, {"evaluation": EvaluationSpec(), "repeat": -1}, "must be >= 0"),
        (
            AttackSettings,
            {**attack_settings().model_dump(), "name": "pdg"},
            f"attack 'pdg': one of {', '.join(REGISTERED.names())}",
        ),
        (AttackSettings, {**attack_settings().model_dump(), "norm": "l1"}, "'l2' or 'linf'"),
        (AttackSettings, {**attack_settings().model_dump(), "sign_gradient": "tahn"}, "'identity', 'tanh' or 'tanh075'"),
        (AttackSettings, {**attack_settings().model_dump(), "epsilon": 0.0}, "must be > 0"),
        (
            AttackSettings,
            {**attack_settings(name="pgd").model_dump(), "settings": {"steps": 0}},
            "steps=0: must be a whole number >= 1, or paper",
        ),
        (AttackSettings, {**attack_settings(name="pgd").model_dump(), "steps": 2}, "settings.steps: given twice"),
        (
            AttackSettings,
            {**attack_settings().model_dump(), "settings": {"steps": 2}},
            "attack fgsm has no such setting; its settings: loss",
        ),
    ],
)
def test_values_out_of_range_are_refused_with_the_legal_ones(kind, fields, message):
    with pytest.raises(ValidationError, match=message):
        kind(**fields)


def objects(value, path=()):
    """The paths of all objects in a dumped job, but of its parents, whose names are free."""
    yield path
    for name, item in value.items():
        if isinstance(item, dict) and name != "parents":
            yield from objects(item, (*path, name))


@pytest.mark.parametrize("job", EXAMPLES, ids=lambda job: job.stage)
def test_unknown_fields_are_refused_at_every_depth(job):
    for path in objects(job.model_dump(mode="json")):
        dumped = job.model_dump(mode="json")
        inner = dumped
        for name in path:
            inner = inner[name]
        inner["thetta"] = 0.9
        with pytest.raises(ValidationError, match="thetta"):
            JOB.validate_json(json.dumps(dumped))


def test_an_unknown_stage_is_refused_with_the_legal_ones():
    dumped = {**PRETRAIN.model_dump(mode="json"), "spec": {"stage": "train"}}
    with pytest.raises(ValidationError, match="'pretrain', 'adopt', 'fine_tune', 'select', 'defend', 'evaluate', 'craft', 'attack'"):
        JOB.validate_json(json.dumps(dumped))


@pytest.mark.parametrize("job", EXAMPLES, ids=lambda job: job.stage)
def test_jobs_cannot_be_changed_after_their_key_is_known(job):
    with pytest.raises(ValidationError, match="frozen"):
        job.spec.stage = "attack"
    with pytest.raises(ValidationError, match="frozen"):
        job.spec = PRETRAIN.spec


AROUND_STAGES = [("defend", "none"), ("defend", "defensive_dropout"), ("pretrain", "feature_squeezing"), ("fine_tune", "random_resize_pad")]


@pytest.mark.parametrize(("stage", "defence"), AROUND_STAGES)
def test_a_defence_is_put_around_by_the_stage_defend_and_by_no_other(stage, defence):
    with pytest.raises(ValidationError, match=f"stage={stage} with defence={defence}: only feature_squeezing, .* are put around"):
        TrainSpec(**{**dict(PRETRAIN.spec), "stage": stage, "defence": DefenceSpec(name=defence)})


def test_a_defence_without_anything_to_act_on_is_refused():
    audio = {"data": DataSpec(name="tones"), "model": ModelSpec(name="logmel")}
    with pytest.raises(
        ValidationError,
        match="name=feature_squeezing: changes images, and tones is audio; one of none, defensive_dropout",
    ):
        TrainSpec(**{**dict(PRETRAIN.spec), **audio, "stage": "defend", "defence": DefenceSpec(name="feature_squeezing")})
    with pytest.raises(ValidationError, match="name=defensive_quantization with binary=true: acts on ReLUs"):
        TrainSpec(**{**dict(PRETRAIN.spec), "model": ModelSpec(binary=True), "defence": DefenceSpec(name="defensive_quantization")})


@pytest.mark.parametrize("defence", ["none", "defensive_dropout"])
def test_a_defence_has_its_own_settings_and_no_others(defence):
    with pytest.raises(ValidationError, match="bit_depth"):
        DefenceSpec(name=defence, bit_depth=3)
    assert dict(DefenceSpec(name="feature_squeezing", bit_depth=3).settings) == {"bit_depth": 3, "median_size": 2}


@pytest.mark.parametrize(("name", "steps"), [("fgsm", None), ("noise", None), ("bim", 10), ("pgd", 10), ("apgd_ce", 100), ("square", 5000)])
def test_an_attack_without_a_number_of_steps_has_the_papers(name, steps):
    found = AttackSettings(name=name, epsilon=8 / 255, epsilon_literal="8/255")
    assert found.steps == steps
    assert AttackSettings.model_validate(found.model_dump()) == found


@pytest.mark.parametrize("k", range(1, 33))
def test_the_papers_steps_of_a_float_are_those_of_the_fraction_it_means(k):
    exact = paper_steps(Fraction(k, 255))
    for literal in (repr(k / 255), repr(k * (1 / 255)), f"{k / 255:.17f}", f"{k / 255:.9g}", f"{2 * k}/510"):
        found = AttackSettings(name="pgd", epsilon=float(positive_fraction(literal)), epsilon_literal=literal)
        assert found.steps == exact
    assert canonical_epsilon(repr(k / 255)) == str(Fraction(k, 255))
    assert (spelled(k / 255), spelled(0.5), spelled(3.0), spelled(0.0005)) == (f"{k}/255", "0.5", "3", "0.0005")


def test_under_l2_steps_and_step_size_must_be_given():
    with pytest.raises(ValidationError, match="steps=paper: there is no such rule under norm l2; give a number of steps"):
        AttackSettings(name="pgd", norm="l2", epsilon=0.5, epsilon_literal="0.5")
    with pytest.raises(ValidationError, match="abs_stepsize=None: missing; under norm l2 it has no default"):
        AttackSettings(name="pgd", norm="l2", epsilon=0.5, epsilon_literal="0.5", steps=3)


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("pgd", {"momentum": 0.5}, "momentum"),
        ("fgsm", {"abs_stepsize": 0.05}, "abs_stepsize"),
        ("noise", {"steps": 2}, "steps"),
        ("bim", {"restarts": 2}, "bim: restarts must be 1"),
        ("apgd_ce", {"loss": "dlr"}, "loss"),
        ("fgsm", {"early_stop": True}, "fgsm: early_stop must be false"),
        ("pgd", {"selection_draws": 4}, "pgd: selection_draws must be 1"),
        ("square", {"eot_samples": 2}, "square: eot_samples must be 1"),
        ("mi_fgsm", {"backend": "foolbox"}, "backend=foolbox: not for mi_fgsm; one of bim, fgsm, pgd"),
        ("pgd", {"backend": "foolbox", "loss": "dlr"}, "backend=foolbox with loss=dlr"),
        ("pgd", {"backend": "foolbox", "eot_samples": 2}, "backend=foolbox: Foolbox averages no gradients"),
    ],
)
def test_a_setting_that_an_attack_does_not_have_is_refused(name, more, message):
    with pytest.raises(ValidationError, match=message):
        AttackSettings(name=name, epsilon=0.1, epsilon_literal="0.1", **more)


def test_only_an_attack_with_knowledge_eot_averages_gradients():
    averaged, plain = attack_settings(name="pgd", eot_samples=4), attack_settings(name="square")
    assert attack_job(PRETRAIN, attack=averaged, knowledge="eot").spec.attack.eot_samples == 4
    with pytest.raises(ValidationError, match="eot_samples=4 with knowledge=randomized: must be 1; only eot averages"):
        attack_job(PRETRAIN, attack=averaged)
    with pytest.raises(ValidationError, match="eot_samples=4: full weights are not random; must be 1"):
        craft_job(PRETRAIN, attack=averaged)
    with pytest.raises(ValidationError, match="knowledge=eot: square takes no gradient; one of omniscient, randomized, transfer"):
        attack_job(PRETRAIN, attack=plain, knowledge="eot")


def test_a_model_and_a_data_set_that_do_not_fit_and_a_changed_waveform_are_refused():
    fields = {"stage": "pretrain", "data": DataSpec(name="tones"), "training": TrainingSpec(epochs=1)}
    with pytest.raises(ValidationError, match=r"name=resnet18: takes image inputs, and tones is audio; one of logmel, m11, m5, soundnet5"):
        TrainSpec(**fields, model=ModelSpec())
    fields["training"] = TrainingSpec(epochs=1, horizontal_flip=True)
    with pytest.raises(ValidationError, match="tones is audio, and only images are flipped"):
        TrainSpec(**fields, model=ModelSpec(name="soundnet5"))
    fields["training"] = TrainingSpec(epochs=1, crop_padding=4)
    with pytest.raises(ValidationError, match="crop_padding=4: tones is audio, and only images are cropped; must be null"):
        TrainSpec(**fields, model=ModelSpec(name="soundnet5"))


def test_a_crop_leaves_something_of_the_image():
    widest, wider = ({"stage": "pretrain", "training": TrainingSpec(epochs=1, crop_padding=padding)} for padding in (31, 32))
    assert TrainSpec(**widest, data=DataSpec(name="cifar10"), model=ModelSpec()).training.crop_padding == 31
    with pytest.raises(ValidationError, match=r"crop_padding=32: sides are of 32 pixels; must be in \[1, 31\], or null"):
        TrainSpec(**wider, data=DataSpec(name="cifar10"), model=ModelSpec())


def test_a_dense_model_has_no_sketch():
    with pytest.raises(ValidationError, match=r"theta=0\.9 with tensorized=false"):
        ModelSpec(tensorized=False, theta=0.9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"binary": True, "draws": "example"}, "use draws=batch"),
        ({"draws": "example", "sketch_modes": "all"}, "only the channel modes"),
    ],
)
def test_model_settings_that_exclude_each_other_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ModelSpec(**fields)


def test_a_decomposed_net_is_not_pretrained():
    fields = {"data": DataSpec(name="digits"), "training": TrainingSpec(epochs=1), "model": ModelSpec(init="decompose")}
    with pytest.raises(ValidationError, match="stage pretrain with init=decompose: there is nothing to decompose yet"):
        TrainSpec(stage="pretrain", **fields)
    assert TrainSpec(stage="fine_tune", **fields).model.init == "decompose"


def test_a_binary_net_is_not_decomposed():
    with pytest.raises(ValidationError, match=r"binary=true with init=decompose: .* must be random"):
        ModelSpec(binary=True, init="decompose")
