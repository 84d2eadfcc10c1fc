"""Training chains of a grid's models: from a point of the grid to the jobs that train its model and the model's ancestors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from search_spaces import Grid, SourceName
from workers.spec.data import DataSpec
from workers.spec.defence import UNDEFENDED, DefenceSpec
from workers.spec.job import Job, ModelSpec, TrainSpec
from workers.spec.recipes import inherit_training, resolve_training

_WITHOUT_SKETCH = ("sketch_modes", "rescale", "all_zero", "draws")
_WITHOUT_TUCKER = ("rank_fraction", "rank_kind", "rank_fractions", "tensorize_first", "tensorize_linear", "execution", "init")

TrainingChain = tuple[Job, ...]
"""Jobs of one model, its ancestors first; the last one is the model's own."""


@dataclass(frozen=True)
class GridPoint:
    """Point of a grid, which defines a model. `training` and `fine_tuning` are as the space gives them: settings by name, not resolved."""

    seed: int
    data: DataSpec
    model: ModelSpec
    defence: DefenceSpec
    training: dict[str, Any]
    fine_tuning: dict[str, Any]

    @property
    def trained_in(self) -> DefenceSpec:
        """Defence that the net is trained with, as opposed to one that is put around a trained net."""
        return UNDEFENDED if self.defence.facts.around else self.defence


def grid_points(grid: Grid) -> Iterator[GridPoint]:
    """Yield every point of the grid; several may define the same model, where they differ only in settings without effect on it."""
    for seed, data, settings in product(grid.seed, grid.data.points(), grid.model.points()):
        model = _canonical(ModelSpec.model_validate(settings))
        for training, defence, fine_tuning in product(grid.training.points(), grid.defence.points(), grid.fine_tuning.points()):
            yield GridPoint(seed, DataSpec.model_validate(data), model, DefenceSpec.model_validate(defence), training, fine_tuning)


def source_of(point: GridPoint, name: SourceName) -> GridPoint:
    """Return the point of the model on which adversarial examples for the point's model are made; it may be the same model."""
    plain = {} if name == "parent" else {"adversarial_training": "none"}
    without = {"theta": 1.0} | ({"tensorized": False} if name == "dense" else {})
    return replace(
        point,
        model=_canonical(point.model.model_copy(update=without)),
        defence=point.trained_in if name == "parent" else UNDEFENDED,
        training=point.training | plain,
        fine_tuning=point.fine_tuning | plain,
    )


def training_chain(point: GridPoint) -> TrainingChain:
    """Return the jobs of the point's model: without a sketch, trained from scratch or by decomposing the trained dense net; with a sketch,
    from the net without one; then with a defence put around it, if it has one of that kind."""
    full = _canonical(point.model.model_copy(update={"theta": 1.0}))
    first = _canonical(full.model_copy(update={"tensorized": False})) if full.init == "decompose" else full
    fine_tuning = inherit_training(point.training, point.fine_tuning, dataset=point.data.name, binary=point.model.binary)
    jobs = [_train("pretrain", point, first, point.training)]
    for stage in dict.fromkeys((full, point.model)):
        if stage != first:
            jobs.append(_train("fine_tune", point, stage, fine_tuning, weights=jobs[-1]))
    if point.defence.facts.around:
        jobs.append(_defended(jobs[-1], point.defence))
    return tuple(jobs)


def _train(stage: Literal["pretrain", "fine_tune"], point: GridPoint, model: ModelSpec, training: dict[str, Any], **parents: Job) -> Job:
    settings = resolve_training(training, dataset=point.data.name, binary=model.binary)
    spec = TrainSpec(stage=stage, data=point.data, model=model, training=settings, defence=point.trained_in, seed=point.seed)
    return Job.of(spec, **parents)


def _defended(trained: Job, defence: DefenceSpec) -> Job:
    """Return the job that puts the defence around the trained model."""
    assert isinstance(trained.spec, TrainSpec)  # noqa: S101 (a lineage is made of them)
    spec = trained.spec.model_copy(update={"stage": "defend", "defence": defence})
    return Job.of(spec, weights=trained)


def _canonical(model: ModelSpec) -> ModelSpec:
    """Return the model with every setting without effect on it at its default, so that equal computations have equal keys."""
    idle = [*(_WITHOUT_SKETCH if model.theta == 1 else ()), *(() if model.tensorized else _WITHOUT_TUCKER)]
    return _with_one_rank(model.model_copy(update={name: ModelSpec.model_fields[name].default for name in idle}))


def _with_one_rank(model: ModelSpec) -> ModelSpec:
    """Return the model with only `rank_fraction` if all its stages have that rank, and with its default if every layer is in a stage."""
    if model.rank_fractions is None or tuple(model.rank_fractions) != model.facts.stages:
        return model
    fraction, *others = dict.fromkeys(model.rank_fractions.values())
    other_layers = model.tensorize_first or model.tensorize_linear
    if not others and (not other_layers or fraction == model.rank_fraction):
        return model.model_copy(update={"rank_fraction": fraction, "rank_fractions": None})
    return model if other_layers else model.model_copy(update={"rank_fraction": ModelSpec.model_fields["rank_fraction"].default})
