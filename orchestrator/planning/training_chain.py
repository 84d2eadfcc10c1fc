"""Training chains of a grid's models: from a point of the grid to the jobs that train its model and the model's ancestors,
also where trainings stop early and are resumed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from search_spaces import Grid, SourceName
from workers.artifacts.artifacts import Artifacts
from workers.errors import StorageError, UserError
from workers.spec.component import NO_EXTRA, UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.fields import Stage
from workers.spec.job import Earlier, Job
from workers.spec.model import SKETCH_SETTINGS, TUCKER_SETTINGS, ModelSpec
from workers.spec.recipes import inherit_training, resolve_training
from workers.spec.stage_specs import TrainSpec
from workers.spec.training import UNTRAINED

if TYPE_CHECKING:
    from orchestrator.store.reading.study_trials import FinishedRungs

_UNTRAINED: frozenset[Stage] = frozenset({"adopt", "select", "defend"})

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
    weights: str | None = None
    """The digest of the weights that its model adopts."""

    @property
    def trained_in(self) -> DefenceSpec:
        """Defence that the net is trained with, as opposed to one that is put around a trained net."""
        return UNDEFENDED if self.defence.facts.around else self.defence


def grid_points(grid: Grid) -> Iterator[GridPoint]:
    """Yield every point of the grid; several may define the same model, where they differ only in settings without effect on it."""
    for seed, data, settings in product(grid.seed, grid.data.points(), grid.model.points()):
        model = _canonical(ModelSpec.model_validate(settings))
        for training, defence, fine_tuning in product(grid.training.points(), grid.defence.points(), grid.fine_tuning.points()):
            parts = _without_idle_share(DataSpec.model_validate(data)), model, DefenceSpec.model_validate(defence), training, fine_tuning
            yield GridPoint(seed, *parts, weights=_digest(grid, model.weights))


def _without_idle_share(data: DataSpec) -> DataSpec:
    return data if data.extra is not None else data.model_copy(update=NO_EXTRA)


def _digest(grid: Grid, written: str | None) -> str | None:
    """The digest of the weights that a grid has written so.

    Raises:
        UserError: it was never computed.
    """
    if written is None:
        return None
    if written not in grid.weights:
        raise UserError(f"model.weights={written}: must be a file's or a model's, found when the space is loaded for a plan")
    return grid.weights[written]


def source_of(point: GridPoint, name: SourceName) -> GridPoint:
    """Return the point of the model on which adversarial examples for the point's model are made; it may be the same model."""
    plain = {} if name == "parent" else {"adversarial_training": "none"}
    without: dict[str, Any] = {"theta": 1.0} | ({"tensorized": False} if name == "dense" else {})
    if name == "dense" and point.model.tensorized and point.model.init != "decompose":
        without |= {"weights": None, "weights_map": None}  # they are Tucker layers': the dense net has to be trained
    return replace(
        point,
        model=_canonical(point.model.model_copy(update=without)),
        defence=point.trained_in if name == "parent" else UNDEFENDED,
        training=point.training | plain,
        fine_tuning=point.fine_tuning | plain,
    )


def training_chain(point: GridPoint) -> TrainingChain:
    """Return the jobs of the point's model: without a sketch, trained from scratch, adopted, or by decomposing the dense net; with a
    sketch, from the net without one; then with a defence put around it, if it has one of that kind.

    Raises:
        UserError: a network has to be trained, and the space says not for how many epochs.
    """
    full = _canonical(point.model.model_copy(update={"theta": 1.0}))
    first = _canonical(full.model_copy(update={"tensorized": False})) if full.init == "decompose" else full
    fine_tuning = inherit_training(point.training, point.fine_tuning, dataset=point.data.name, binary=point.model.binary)
    jobs = _train("pretrain", point, first, point.training) if first.weights is None else [_adopted(point, first)]
    for stage in dict.fromkeys((full, point.model)):
        if stage != first:
            jobs += _train("fine_tune", point, stage, fine_tuning, weights=jobs[-1])
    if point.defence.facts.around:
        jobs.append(_defended(jobs[-1], point.defence))
    return tuple(jobs)


def _train(
    stage: Literal["pretrain", "fine_tune"], point: GridPoint, model: ModelSpec, training: dict[str, Any], **parents: Job
) -> list[Job]:
    """Return the job that trains, and where its best checkpoint is asked for the one that selects it."""
    if training.get("recipe", "custom") == "custom" and "epochs" not in training:
        section = "training" if stage == "pretrain" else "fine_tuning"
        raise UserError(f"{section}.epochs: missing: a network has to be trained here; 0 leaves a decomposed one as it is")
    settings = resolve_training(training, dataset=point.data.name, binary=model.binary)
    last = settings.model_copy(update={"checkpoint": "last"})
    spec = TrainSpec(stage=stage, data=point.data, model=model, training=last, defence=point.trained_in, seed=point.seed)
    trained = Job.of(spec, **parents)
    if settings.checkpoint == "last" or settings.epochs == 0:
        return [trained]
    return [trained, Job.of(TrainSpec(**dict(spec) | {"stage": "select", "training": settings}), weights=trained)]


def _adopted(point: GridPoint, model: ModelSpec) -> Job:
    """Return the job that takes the weights of a network trained elsewhere; nothing is random about it, whatever the point's seed."""
    spec = TrainSpec(stage="adopt", data=point.data.whole, model=model, training=UNTRAINED, defence=point.trained_in)
    job = Job.of(spec)
    return job.model_copy(update={"digests": {**job.digests, "weights": point.weights}})


def _defended(trained: Job, defence: DefenceSpec) -> Job:
    """Return the job that puts the defence around the trained model."""
    assert isinstance(trained.spec, TrainSpec)  # noqa: S101 (a lineage is made of them)
    last = trained.spec.training.model_copy(update={"checkpoint": "last"})
    spec = trained.spec.model_copy(update={"stage": "defend", "defence": defence, "training": last})
    return Job.of(spec, weights=trained)


def _canonical(model: ModelSpec) -> ModelSpec:
    """Return the model with every setting without effect on it at its default, so that equal computations have equal keys."""
    idle = [*(SKETCH_SETTINGS if model.theta == 1 else ()), *(() if model.tensorized else TUCKER_SETTINGS)]
    idle += ["sketch_modes"] if model.factorization == "cp" else []  # it has one latent dimension
    return _with_one_rank(model.model_copy(update={name: ModelSpec.model_fields[name].default for name in idle}))


def _with_one_rank(model: ModelSpec) -> ModelSpec:
    """Return the model with only `rank_fraction` if all its stages have that rank, and with its default if every layer is in a stage."""
    if model.rank_fractions is None or tuple(model.rank_fractions) != model.facts.stages:
        return model
    fraction, *others = dict.fromkeys(model.rank_fractions.values())
    other_layers = any(getattr(model, name) for name in TUCKER_SETTINGS if name.startswith("tensorize_"))
    if not others and (not other_layers or fraction == model.rank_fraction):
        return model.model_copy(update={"rank_fraction": fraction, "rank_fractions": None})
    return model if other_layers else model.model_copy(update={"rank_fraction": ModelSpec.model_fields["rank_fraction"].default})


def total_epochs(trained: TrainingChain) -> int:
    """Return the total number of epochs of the model's last training; 0 where it is adopted."""
    if (place := _last_training(trained)) is None:
        return 0
    spec = trained[place].spec
    assert isinstance(spec, TrainSpec)  # noqa: S101 (a chain is made of them)
    return spec.training.epochs


def stop_early(trained: TrainingChain, *, until: int) -> TrainingChain:
    """Return a model's jobs with its last training stopped after `until` epochs; its ancestors, shared with other models, train to the end.

    If `until` is the schedule's number of epochs, the chain is unchanged.

    Raises:
        ValueError: the schedule has fewer epochs.
    """
    place = _last_training(trained)
    if place is None or until == total_epochs(trained):
        return trained
    jobs = list(trained[:place])
    for job in trained[place:]:
        parents = dict.fromkeys(job.parents, jobs[-1]) if jobs else {}
        jobs.append(Job.of(TrainSpec(**dict(job.spec) | {"until": until}), **parents))
    return tuple(jobs)


def _last_training(trained: TrainingChain) -> int | None:
    return max((number for number, job in enumerate(trained) if job.stage not in _UNTRAINED), default=None)


def with_resume_points(jobs: Iterable[Job], rungs: "FinishedRungs", artifacts: Artifacts) -> tuple[Job, ...]:
    """Return the jobs, each training with the furthest finished rung that it can resume from, if one has kept its checkpoint."""
    return tuple(_with_resume_point(job, rungs, artifacts) for job in jobs)


def _with_resume_point(job: Job, rungs: "FinishedRungs", artifacts: Artifacts) -> Job:
    if not (isinstance(job.spec, TrainSpec) and rungs):
        return job
    before = (rung for rung in rungs.get(job.trunk_key, ()) if _is_before(rung, job.spec))
    try:
        found = next((rung for rung in before if artifacts.checkpoint_size(rung.key)), None)
    except StorageError:  # the training begins at its start, once the storage is available again
        found = None
    return job.model_copy(update={"resumes": found})


def _is_before(rung: Earlier, spec: TrainSpec) -> bool:
    return rung.epochs < spec.last_epoch
