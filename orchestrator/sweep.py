"""Resolves a space into jobs: every combination of the axes of each of its grids, with defaults filled in and equal computations merged."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal

from search_spaces import Grid, Space
from workers.attack_settings import AttackSettings
from workers.defence_spec import AROUND, UNDEFENDED, DefenceSpec
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
    SurfaceSpec,
    TrainSpec,
)
from workers.surface_settings import SurfaceSettings

_WITHOUT_SKETCH = ("sketch_modes", "rescale", "all_zero", "draws")
_WITHOUT_TUCKER = ("rank_fraction", "rank_kind", "tensorize_first", "tensorize_linear", "execution", "init")

Lineage = tuple[Job, ...]
Attack = tuple[AttackSettings, Knowledge]


def expand(space: Space) -> list[Job]:
    """All jobs of a space, parents before their children, equal keys merged; the same space always gives the same list."""
    jobs: dict[str, Job] = {}
    for grid in space.grids:
        for job in _jobs(grid):
            jobs.setdefault(job.key, job)
    return list(jobs.values())


def _jobs(grid: Grid) -> Iterator[Job]:
    """The jobs of a grid, parents before their children; a job may come more than once."""
    attacks = [attack for group in grid.attacks for attack in group.resolved()]
    surfaces = [surface for group in grid.surfaces for surface in group.resolved()]
    settings = grid.evaluation
    evaluation = EvaluationSpec(examples=settings.examples, batch_size=settings.batch_size, draws=settings.draws)
    trained = {lineage[-1].key: lineage for lineage in _lineages(grid)}
    for lineage in trained.values():
        yield from lineage
        yield from _measurements(lineage[-1], attacks, evaluation, repeats=settings.repeats)
        yield from (_surface(lineage, surface) for surface in surfaces)


def _lineages(grid: Grid) -> Iterator[Lineage]:
    """The training jobs of every model in the grid, its ancestors first."""
    for seed, data, settings in product(grid.seed, grid.data.points(), grid.model.points()):
        model = _meaningful(_resolved(settings))
        for training, defence in product(grid.training.points(), grid.defence.points()):
            points = grid.fine_tuning.points()
            fine_tunings = [inherit_training(training, point, dataset=data["name"], binary=model.binary) for point in points]
            resolved = DefenceSpec(**defence).resolved()
            trained_in = UNDEFENDED if resolved.name in AROUND else resolved
            for lineage in _lineage(seed, DataSpec(**data), model, trained_in, training, fine_tunings):
                yield (*lineage, _defended(lineage[-1], resolved)) if resolved.name in AROUND else lineage


def _lineage(
    seed: int, data: DataSpec, model: ModelSpec, defence: DefenceSpec, training: dict[str, Any], fine_tunings: list[dict[str, Any]]
) -> Iterator[Lineage]:
    """Without a sketch from scratch, or from the trained dense net decomposed; under a sketch from the net without one."""
    full = _meaningful(model.model_copy(update={"theta": 1.0}))
    first = _meaningful(full.model_copy(update={"tensorized": False})) if full.init == "decompose" else full
    pretrain = _train("pretrain", seed, data, first, defence, training)
    later = [stage for stage in dict.fromkeys((full, model)) if stage != first]
    for fine_tuning in fine_tunings if later else [training]:
        lineage = [pretrain]
        for stage in later:
            lineage.append(_train("fine_tune", seed, data, stage, defence, fine_tuning, weights=lineage[-1].key))
        yield tuple(lineage)


def _train(
    stage: Literal["pretrain", "fine_tune"],
    seed: int,
    data: DataSpec,
    model: ModelSpec,
    defence: DefenceSpec,
    training: dict[str, Any],
    **parents: str,
) -> Job:
    settings = resolve_training(training, dataset=data.name, binary=model.binary)
    return Job(spec=TrainSpec(stage=stage, data=data, model=model, training=settings, defence=defence, seed=seed), parents=parents)


def _defended(trained: Job, defence: DefenceSpec) -> Job:
    """The trained model with the defence put around it."""
    spec = trained.spec.model_copy(update={"stage": "defend", "defence": defence})
    return Job(spec=spec, parents={"weights": trained.key})


def _resolved(model: dict[str, Any]) -> ModelSpec:
    """The model; a width that is left out is the paper's for that network."""
    return ModelSpec(**{"width": PAPER_WIDTHS[model.get("name", ModelSpec().name)], **model})


def _meaningful(model: ModelSpec) -> ModelSpec:
    """The model with every setting that changes nothing about it at its default, so that equal computations have equal keys."""
    idle = [*(_WITHOUT_SKETCH if model.theta == 1 else ()), *(() if model.tensorized else _WITHOUT_TUCKER)]
    return model.model_copy(update={name: ModelSpec.model_fields[name].default for name in idle})


def _applicable(attacks: list[Attack], trained: TrainSpec) -> list[Attack]:
    """The attacks as they apply to a model, every setting that changes nothing about it at its default."""
    return [(attack.model_copy(update=_idle(trained, knowledge)), knowledge) for attack, knowledge in attacks]


def _idle(trained: TrainSpec, knowledge: Knowledge) -> dict[str, Any]:
    """Settings without effect: a model that is not binary has no sign, and there are draws only where something is random.

    On a randomised model no example leaves early: fooling it once, or with its full weights, is not fooling it.
    """
    idle: dict[str, Any] = {} if trained.model.binary else {"sign_gradient": "identity"}
    if trained.randomised:
        idle["early_stop"] = False
    if not trained.randomised or knowledge == "omniscient":
        idle |= {"eot_samples": 1, "selection_draws": 1}
    return idle


def _measurements(trained: Job, attacks: list[Attack], evaluation: EvaluationSpec, *, repeats: int) -> Iterator[Job]:
    """Everything that is measured on one trained model: clean accuracy, then every attack, each `repeats` times where anything about
    it is random, and else once: the other times would compute the same. So would several draws where the model is not random."""
    assert isinstance(trained.spec, TrainSpec)  # noqa: S101 (a lineage is made of them)
    model, randomised = {"model": trained.key}, trained.spec.randomised
    single = evaluation.model_copy(update={"draws": 1})
    evaluation = evaluation if randomised else single
    for repeat in range(repeats if randomised else 1):
        yield Job(spec=EvaluateSpec(evaluation=evaluation, repeat=repeat), parents=model)
    for attack, knowledge in _applicable(attacks, trained.spec):
        parents = model
        if knowledge == "omniscient":
            craft = Job(spec=CraftSpec(attack=attack, evaluation=single), parents=model)
            yield craft
            parents = {**model, "examples": craft.key}
        differ = randomised or (attack.randomised and knowledge != "omniscient")
        for repeat in range(repeats if differ else 1):
            yield Job(spec=AttackSpec(attack=attack, knowledge=knowledge, evaluation=evaluation, repeat=repeat), parents=parents)


def _surface(lineage: Lineage, surface: SurfaceSettings) -> Job:
    """A loss surface of a lineage's model; settings that change nothing about it are at their defaults.

    `theta_one` is the last net of the lineage that was trained without a sketch. Where that is the model itself, and nothing about it
    is random, its own gradient is that net's.
    """
    model, trained = lineage[-1], lineage[-1].spec
    assert isinstance(trained, TrainSpec)  # noqa: S101 (a lineage is made of them)
    source = [job for job in lineage if isinstance(job.spec, TrainSpec) and job.spec.model.theta == 1 and job.stage != "defend"][-1]
    idle: dict[str, Any] = {} if trained.randomised else {"draws": 1}
    if source is model and not trained.randomised:
        idle["direction"] = "theta_one"
    settled = surface.model_copy(update=idle)
    direction = {"direction": source.key} if settled.direction == "theta_one" else {}
    return Job(spec=SurfaceSpec(surface=settled), parents={"model": model.key, **direction})
