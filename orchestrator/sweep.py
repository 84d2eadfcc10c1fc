"""Resolves a space into jobs: every combination of its axes, with defaults filled in and equal computations merged."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal

from search_spaces import Space
from workers.attack_settings import AttackSettings
from workers.fields import Knowledge
from workers.kinds import PAPER_WIDTHS
from workers.recipes import inherit_training, resolve_training
from workers.specs import (
    AttackSpec,
    CraftSpec,
    DataSpec,
    EvaluateSpec,
    EvaluationSpec,
    Job,
    ModelSpec,
    TrainSpec,
)

_WITHOUT_SKETCH = ("sketch_modes", "rescale", "all_zero", "draws")
_WITHOUT_TUCKER = ("rank_fraction", "rank_kind", "tensorize_first", "tensorize_linear", "execution")

Lineage = tuple[Job, ...]
Attack = tuple[AttackSettings, Knowledge]


def expand(space: Space) -> list[Job]:
    """All jobs of a space, parents before their children, equal keys merged; the same space always gives the same list."""
    attacks = [attack for group in space.attacks for attack in group.resolved()]
    evaluation = EvaluationSpec(examples=space.evaluation.examples, batch_size=space.evaluation.batch_size)
    trained = {lineage[-1].key: lineage for lineage in _lineages(space)}
    jobs: dict[str, Job] = {}
    for model_key, lineage in trained.items():
        measured = _measurements(model_key, _applicable(attacks, lineage[-1]), evaluation, repeats=space.evaluation.repeats)
        for job in (*lineage, *measured):
            jobs.setdefault(job.key, job)
    return list(jobs.values())


def _lineages(space: Space) -> Iterator[Lineage]:
    """The training jobs of every model in the space, its ancestors first."""
    for seed, data, model in product(space.seed, space.data.points(), space.model.points()):
        for training in space.training.points():
            fine_tunings = [inherit_training(training, point, dataset=data["name"]) for point in space.fine_tuning.points()]
            yield from _lineage(seed, DataSpec(**data), _meaningful(_resolved(model)), training, fine_tunings)


def _lineage(
    seed: int, data: DataSpec, model: ModelSpec, training: dict[str, Any], fine_tunings: list[dict[str, Any]]
) -> Iterator[Lineage]:
    full = _meaningful(model.model_copy(update={"theta": 1.0}))
    pretrain = _train("pretrain", seed, data, full, training)
    if model.theta == 1:
        yield (pretrain,)
        return
    for fine_tuning in fine_tunings:
        yield pretrain, _train("fine_tune", seed, data, model, fine_tuning, weights=pretrain.key)


def _train(
    stage: Literal["pretrain", "fine_tune"], seed: int, data: DataSpec, model: ModelSpec, training: dict[str, Any], **parents: str
) -> Job:
    settings = resolve_training(training, dataset=data.name)
    return Job(spec=TrainSpec(stage=stage, data=data, model=model, training=settings, seed=seed), parents=parents)


def _resolved(model: dict[str, Any]) -> ModelSpec:
    """The model; a width that is left out is the paper's for that network."""
    return ModelSpec(**{"width": PAPER_WIDTHS[model.get("name", ModelSpec().name)], **model})


def _meaningful(model: ModelSpec) -> ModelSpec:
    """The model with every setting that changes nothing about it at its default, so that equal computations have equal keys."""
    idle = [*(_WITHOUT_SKETCH if model.theta == 1 else ()), *(() if model.tensorized else _WITHOUT_TUCKER)]
    return model.model_copy(update={name: ModelSpec.model_fields[name].default for name in idle})


def _applicable(attacks: list[Attack], trained: Job) -> list[Attack]:
    """The attacks as they apply to a model, every setting that changes nothing about it at its default."""
    assert isinstance(trained.spec, TrainSpec)  # noqa: S101 (a lineage ends with a training)
    model = trained.spec.model
    return [(attack.model_copy(update=_idle(model, knowledge)), knowledge) for attack, knowledge in attacks]


def _idle(model: ModelSpec, knowledge: Knowledge) -> dict[str, Any]:
    """Settings without effect: a model that is not binary has no sign, and there are draws only where a sketch is live.

    On a randomised model no example leaves early: fooling it once, or with its full weights, is not fooling it.
    """
    idle: dict[str, Any] = {} if model.binary else {"sign_gradient": "identity"}
    if model.theta < 1:
        idle["early_stop"] = False
    if model.theta == 1 or knowledge == "omniscient":
        idle |= {"eot_samples": 1, "selection_draws": 1}
    return idle


def _measurements(model_key: str, attacks: list[Attack], evaluation: EvaluationSpec, *, repeats: int) -> Iterator[Job]:
    """Everything that is measured on one trained model: clean accuracy, then every attack, each `repeats` times."""
    model = {"model": model_key}
    for repeat in range(repeats):
        yield Job(spec=EvaluateSpec(evaluation=evaluation, repeat=repeat), parents=model)
    for attack, knowledge in attacks:
        parents = model
        if knowledge == "omniscient":
            craft = Job(spec=CraftSpec(attack=attack, evaluation=evaluation), parents=model)
            yield craft
            parents = {**model, "examples": craft.key}
        for repeat in range(repeats):
            yield Job(spec=AttackSpec(attack=attack, knowledge=knowledge, evaluation=evaluation, repeat=repeat), parents=parents)
